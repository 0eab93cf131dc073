//! Entries, one after the other, into their fields; what is wrong is gathered.
//! It must not know how sources are read.

use std::collections::BTreeMap;

use crate::error::{ConfigError, ConfigErrors};
use crate::keys;
use crate::listener::{Draft, is_legal_name};
use crate::listener_check::ListenerCheck;
use crate::settings::Settings;
use crate::source::{Entry, Place};
use crate::suggestion::nearest;
use crate::value::BadValue;

/// The last value given to each key, and where.
pub(crate) type Given = BTreeMap<String, (String, Place)>;

/// Settings on the way.
pub(crate) struct Loader {
    settings: Settings,
    drafts: BTreeMap<String, Draft>,
    given: Given,
    /// Where each listener was first named.
    named: BTreeMap<String, Place>,
    errors: Vec<ConfigError>,
}

impl Loader {
    /// The defaults, and the faults found in reading the sources.
    pub(crate) fn new(errors: Vec<ConfigError>) -> Self {
        let mut settings = Settings::blank();
        keys::all().for_each(|key| key.set_default(&mut settings));
        let drafts = BTreeMap::from([("mqtt".to_owned(), Draft::new("mqtt"))]);
        Self { settings, drafts, given: Given::new(), named: BTreeMap::new(), errors }
    }

    /// One entry over all that came before.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        let listener =
            entry.key.strip_prefix(keys::LISTENERS).and_then(|rest| rest.strip_prefix('.'));
        match (listener, &entry.value) {
            (Some(rest), _) => self.apply_to_listener(entry, rest),
            (None, Some(value)) => self.apply_to_key(entry, value),
            (None, None) => {}
        }
    }

    /// The settings, when nothing is wrong.
    pub(crate) fn finish(mut self) -> Result<(Settings, Given), ConfigErrors> {
        self.check_retry_delays();
        let check = ListenerCheck { given: &self.given, named: &self.named };
        let (listeners, errors) = check.run(&self.drafts, &self.settings.http);
        self.settings.listeners = listeners;
        self.errors.extend(errors);
        ConfigErrors::check(self.errors)?;
        Ok((self.settings, self.given))
    }

    fn apply_to_key(&mut self, entry: &Entry, value: &str) {
        let Some(key) = keys::find(&entry.key) else {
            self.errors.push(unknown_key(entry));
            return;
        };
        match key.set(&mut self.settings, value, entry.written) {
            Ok(()) => self.remember(entry, value),
            Err(bad) => self.errors.push(bad_value(entry, bad)),
        }
    }

    fn apply_to_listener(&mut self, entry: &Entry, rest: &str) {
        let (name, field) = match rest.split_once('.') {
            Some((name, field)) => (name, Some(field)),
            None => (rest, None),
        };
        let named_before = self.named.contains_key(name);
        self.named.entry(name.to_owned()).or_insert_with(|| entry.key_place.clone());
        if !is_legal_name(name) {
            if named_before {
                return;
            }
            let message = format!("'{name}' is no name for a listener");
            let help = Some("use letters, digits, `-` and `_`".to_owned());
            let error = ConfigError::new(message).at(&entry.key_place, "this name").help(help);
            self.errors.push(error);
            return;
        }
        let draft = self.drafts.entry(name.to_owned()).or_insert_with(|| Draft::new(name));
        let (Some(field), Some(value)) = (field, &entry.value) else {
            if entry.value.is_some() {
                self.errors.push(unknown_key(entry));
            }
            return;
        };
        let Some(key) = keys::find_listener_key(field) else {
            self.errors.push(unknown_key(entry));
            return;
        };
        match key.set(draft, value, entry.written) {
            Ok(()) => self.remember(entry, value),
            Err(bad) => self.errors.push(bad_value(entry, bad)),
        }
    }

    fn remember(&mut self, entry: &Entry, value: &str) {
        self.given.insert(entry.key.clone(), (value.to_owned(), entry.value_place.clone()));
    }

    fn check_retry_delays(&mut self) {
        let (queues, streams) = (&self.settings.queues.defaults, &self.settings.streams.defaults);
        for (section, first, longest) in [
            ("queues", queues.retry_delay, queues.retry_delay_max),
            ("streams", streams.retry_delay, streams.retry_delay_max),
        ] {
            if first <= longest {
                continue;
            }
            let first = format!("{section}.defaults.retry_delay");
            let longest = format!("{first}_max");
            let given = self.given.get(&first).or_else(|| self.given.get(&longest));
            let error = ConfigError::new(format!("`{first}` is longer than `{longest}`"));
            self.errors.push(match given {
                Some((_, place)) => error.at(place, "too long"),
                None => error,
            });
        }
    }
}

fn bad_value(entry: &Entry, bad: BadValue) -> ConfigError {
    ConfigError::new(format!("bad value for `{}`", entry.key))
        .at(&entry.value_place, bad.message)
        .help(bad.help)
}

fn unknown_key(entry: &Entry) -> ConfigError {
    let (section, last) = entry.key.rsplit_once('.').unwrap_or(("", &entry.key));
    let help = match keys::listener_name(section) {
        Some(_) => nearest(last, keys::LISTENER.keys.iter().map(|key| key.name))
            .map(|near| format!("{section}.{near}")),
        None => nearest_key(&entry.key, section, last),
    };
    ConfigError::new(format!("unknown key `{}`", entry.key))
        .at(&entry.key_place, "no such key")
        .help(help.map(|near| format!("did you mean `{near}`?")))
}

/// The nearest key of the same section, else one of the same last name elsewhere, else the nearest of all.
fn nearest_key(full: &str, section: &str, last: &str) -> Option<String> {
    let names = || keys::all().map(|key| key.name);
    let last_of = |name: &'static str| name.rsplit_once('.').unwrap_or(("", name));
    let siblings = names().map(last_of).filter(|(of, _)| *of == section).map(|(_, key)| key);
    if let Some(near) = nearest(last, siblings) {
        return Some(if section.is_empty() {
            near.to_owned()
        } else {
            format!("{section}.{near}")
        });
    }
    let elsewhere = names().find(|name| last_of(name).1 == last);
    elsewhere.or_else(|| nearest(full, names())).map(str::to_owned)
}
