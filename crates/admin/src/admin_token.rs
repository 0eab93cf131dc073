//! The administrator's token, a file of the data directory: `admin.token`, 0600. The command line on the same machine
//! uses it by itself.

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use policy_backends::{read_private, write_private};

use crate::secret::{TokenDigest, random_token};

const TOKEN_FILE: &str = "admin.token";
const TOKEN_CHARACTERS_MIN: usize = 32;

/// The administrator's token, as its digest.
#[derive(Debug)]
pub struct AdminToken(TokenDigest);

/// Why the token could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum AdminTokenError {
    /// The file could not be read or written.
    #[error("credentials file {} cannot be {verb}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The file has no usable token.
    #[error("credentials file {} has no token of 32 characters or more; delete it to get a new one", path.display())]
    Token {
        /// The file.
        path: PathBuf,
    },
    /// The system has no random numbers.
    #[error("no random numbers from the system")]
    Random(#[source] getrandom::Error),
}

impl AdminToken {
    /// Reads the token of a data directory, or makes one.
    ///
    /// # Errors
    /// The file cannot be read or written, or has no token.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, AdminTokenError> {
        let path = data_dir.join(TOKEN_FILE);
        let error = |verb| {
            let path = path.clone();
            move |source| AdminTokenError::File { path, verb, source }
        };
        let token = match read_private(&path).map_err(error("read"))? {
            Some(text) => text.trim().to_owned(),
            None => {
                let token = random_token().map_err(AdminTokenError::Random)?;
                write_private(&path, &format!("{token}\n")).map_err(error("written"))?;
                token
            }
        };
        if token.len() < TOKEN_CHARACTERS_MIN {
            return Err(AdminTokenError::Token { path });
        }
        Ok(Self(TokenDigest::of(&token)))
    }

    /// Whether that is the token.
    pub(crate) fn is(&self, digest: &TokenDigest) -> bool {
        self.0.matches(digest)
    }
}
