//! A value that is never shown: given in the config, or in a file that the config names.
//! It must not know which keys are secret.

use std::fmt;
use std::path::PathBuf;

/// A secret as the config gives it; `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The secret itself.
    Inline(String),
    /// `file://…`: read when it is needed, so that it can be changed without a restart.
    File(PathBuf),
}

/// A secret's file that could not be read.
#[derive(Debug)]
pub struct SecretError {
    path: PathBuf,
    source: std::io::Error,
}

impl Secret {
    /// Takes `file://<path>` as a file's name, anything else as the secret.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix("file://") {
            Some(path) => Self::File(PathBuf::from(path)),
            None => Self::Inline(text.to_owned()),
        }
    }

    /// The secret, without the line end that editors leave.
    ///
    /// # Errors
    /// The file cannot be read or is not UTF-8.
    pub fn read(&self) -> Result<String, SecretError> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File(path) => std::fs::read_to_string(path)
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|source| SecretError { path: path.clone(), source }),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Secret(…)"),
            Self::File(path) => write!(f, "Secret(file://{})", path.display()),
        }
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read the secret in {}: {}", self.path.display(), self.source)
    }
}

impl std::error::Error for SecretError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("password");
        std::fs::write(&path, "hunter2\n").expect("written");
        let from_file = Secret::parse(&format!("file://{}", path.display()));
        assert_eq!(from_file.read().expect("readable"), "hunter2");
        let inline = Secret::parse("hunter2");
        assert_eq!(inline.read().expect("inline"), "hunter2");
        assert_eq!(format!("{inline:?}"), "Secret(…)");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Secret::parse("file:///does/not/exist").read().expect_err("missing");
        assert!(error.to_string().starts_with("cannot read the secret in /does/not/exist: "));
    }
}
