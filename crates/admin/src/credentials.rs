//! Who may sign in, as files of the data directory: `users.json` and `admin.token`, both 0600.
//! No password is ever kept in clear, and there is never a default one.

mod password;
mod private_file;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::secret::{TokenDigest, random_password, random_token};
pub(crate) use password::PasswordHash;

const USERS_FILE: &str = "users.json";
const TOKEN_FILE: &str = "admin.token";
const USERS_VERSION: u32 = 1;
const TOKEN_CHARACTERS_MIN: usize = 32;

/// The users of a data directory and the token of its administrator.
#[derive(Debug)]
pub struct Credentials {
    users: Vec<User>,
    admin_token: TokenDigest,
}

/// The password of the user `admin` that the first start made. Print it once, as `admin password: …`; it is not kept.
pub struct FirstPassword(String);

/// Why the credentials could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file could not be read or written.
    #[error("credentials file {} cannot be {verb}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The file of the users is not what we write.
    #[error("credentials file {} is damaged; restore it, or delete it to get a new admin password", path.display())]
    Users {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// The file of the users was written by a newer version.
    #[error("credentials file {} has version {version}, this program knows {USERS_VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The file of the token has no usable token.
    #[error("credentials file {} has no token of 32 characters or more; delete it to get a new one", path.display())]
    Token {
        /// The file.
        path: PathBuf,
    },
    /// The system has no random numbers.
    #[error("no random numbers from the system")]
    Random(#[source] getrandom::Error),
    /// A password could not be hashed.
    #[error("password cannot be hashed: {0}")]
    Hash(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct UsersFile {
    version: u32,
    users: Vec<User>,
}

#[derive(Debug, Serialize, Deserialize)]
struct User {
    username: String,
    password: PasswordHash,
    roles: Vec<String>,
}

impl Credentials {
    /// Reads the credentials of a data directory, and makes what is missing: the user `admin` with a random password,
    /// which comes back this once, and the admin token.
    ///
    /// # Errors
    /// A file cannot be read or written, or is not what we write.
    pub fn load_or_create(
        data_dir: &Path,
    ) -> Result<(Self, Option<FirstPassword>), CredentialsError> {
        let users_path = data_dir.join(USERS_FILE);
        let (users, first_password) = match read(&users_path)? {
            Some(text) => (parse_users(users_path, &text)?, None),
            None => create_admin(&users_path).map(|(users, password)| (users, Some(password)))?,
        };
        let admin_token = load_or_create_token(&data_dir.join(TOKEN_FILE))?;
        Ok((Self { users, admin_token }, first_password))
    }

    /// Whether that is the admin token.
    pub(crate) fn is_admin_token(&self, digest: &TokenDigest) -> bool {
        self.admin_token.matches(digest)
    }

    /// The password hash of a user.
    pub(crate) fn password_of(&self, username: &str) -> Option<&PasswordHash> {
        self.users.iter().find(|user| user.username == username).map(|user| &user.password)
    }
}

impl FirstPassword {
    /// The password in clear.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FirstPassword {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FirstPassword(…)")
    }
}

fn read(path: &Path) -> Result<Option<String>, CredentialsError> {
    private_file::read(path).map_err(|source| CredentialsError::File {
        path: path.to_owned(),
        verb: "read",
        source,
    })
}

fn write(path: &Path, text: &str) -> Result<(), CredentialsError> {
    private_file::write(path, text).map_err(|source| CredentialsError::File {
        path: path.to_owned(),
        verb: "written",
        source,
    })
}

fn parse_users(path: PathBuf, text: &str) -> Result<Vec<User>, CredentialsError> {
    match serde_json::from_str::<UsersFile>(text) {
        Ok(UsersFile { version: USERS_VERSION, users }) => Ok(users),
        Ok(UsersFile { version, .. }) => Err(CredentialsError::Version { path, version }),
        Err(source) => Err(CredentialsError::Users { path, source }),
    }
}

fn create_admin(path: &Path) -> Result<(Vec<User>, FirstPassword), CredentialsError> {
    let password = random_password().map_err(CredentialsError::Random)?;
    let hash = PasswordHash::of(&password).map_err(CredentialsError::Hash)?;
    let admin =
        User { username: "admin".to_owned(), password: hash, roles: vec!["admin".to_owned()] };
    let file = UsersFile { version: USERS_VERSION, users: vec![admin] };
    let text = serde_json::to_string_pretty(&file).expect("plain data is JSON");
    write(path, &text)?;
    Ok((file.users, FirstPassword(password)))
}

fn load_or_create_token(path: &Path) -> Result<TokenDigest, CredentialsError> {
    let token = match read(path)? {
        Some(text) => text.trim().to_owned(),
        None => {
            let token = random_token().map_err(CredentialsError::Random)?;
            write(path, &format!("{token}\n"))?;
            token
        }
    };
    if token.len() < TOKEN_CHARACTERS_MIN {
        return Err(CredentialsError::Token { path: path.to_owned() });
    }
    Ok(TokenDigest::of(&token))
}
