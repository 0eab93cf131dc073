//! The three sources, one over the other, into settings.
//! It must not know what any single key means.

use std::path::PathBuf;

use crate::error::ConfigErrors;
use crate::loader::{Given, Loader};
use crate::settings::Settings;
use crate::source::Origin;
use crate::{environment, file, flag, keys};

/// What settings are read from; a later field beats an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The config file.
    pub file: Option<PathBuf>,
    /// Environment variables; those that are not ours are passed over.
    pub environment: Vec<(String, String)>,
    /// What stood behind each `--set`.
    pub flags: Vec<String>,
}

/// Settings, and where each value came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the server is built from.
    pub settings: Settings,
    given: Given,
}

/// A key with the value that holds for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EffectiveValue {
    /// The full name of the key.
    pub key: String,
    /// The value, as it was written.
    pub value: String,
    /// Who said so.
    pub origin: Origin,
}

impl Sources {
    /// The environment of this process, and the file that `--config` or else `WEIR_CONFIG` names.
    #[must_use]
    pub fn of_process(config: Option<PathBuf>, flags: Vec<String>) -> Self {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        let file = config.or_else(|| std::env::var_os("WEIR_CONFIG").map(PathBuf::from));
        Self { file, environment: environment.collect(), flags }
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// All unknown keys and bad values of all sources, also of those that a later source overrides.
    pub fn load(&self) -> Result<Loaded, ConfigErrors> {
        let mut errors = Vec::new();
        let mut entries = match &self.file {
            Some(path) => file::read(path, &mut errors),
            None => Vec::new(),
        };
        entries.extend(environment::entries(&self.environment));
        entries.extend(flag::entries(&self.flags, &mut errors));
        let mut loader = Loader::new(errors);
        for entry in &entries {
            loader.apply(entry);
        }
        let (settings, given) = loader.finish()?;
        Ok(Loaded { settings, given })
    }
}

impl Loaded {
    /// Where the value of `key` came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.given.get(key).map_or(Origin::Default, |(_, place)| place.origin())
    }

    /// Every key with its value, sections in the order of the reference, then the listeners' keys that were given.
    pub fn effective(&self) -> impl Iterator<Item = EffectiveValue> {
        let fixed = keys::all().map(|key| {
            let given = self.given.get(key.name);
            let value = given.map_or(key.default, |(value, _)| value).to_owned();
            EffectiveValue { key: key.name.to_owned(), value, origin: self.origin(key.name) }
        });
        let listeners = self.given.iter().filter(|(key, _)| keys::find(key).is_none());
        let listeners = listeners.map(|(key, (value, place))| EffectiveValue {
            key: key.clone(),
            value: value.clone(),
            origin: place.origin(),
        });
        fixed.chain(listeners)
    }
}

impl Default for Settings {
    /// The settings of an empty config.
    fn default() -> Self {
        Sources::default().load().expect("every default is a value of its key").settings
    }
}
