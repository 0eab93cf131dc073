//! How a broker is started for a test.

use std::path::PathBuf;

/// Command line and expectations of one broker.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(crate) settings: Vec<String>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) expected: Vec<String>,
}

impl Options {
    /// Any free ports, a data directory of its own, no WARN or ERROR.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Passes `--set key=value`, in place of what was passed for that key before.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        let is_of_key = |setting: &str| setting.split_once('=').is_some_and(|(of, _)| of == key);
        self.settings.retain(|setting| !is_of_key(setting));
        self.settings.push(format!("{key}={value}"));
        self
    }

    /// Uses that directory instead of a new one.
    #[must_use]
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// Allows WARN and ERROR lines that hold `text`.
    #[must_use]
    pub fn expect(mut self, text: &str) -> Self {
        self.expected.push(text.to_owned());
        self
    }
}
