//! The users of a data directory: `users.toml`, 0600, replaced whole, and what of it is in force.
//! It must not know who asks.

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use policy::{ADMIN, ADMIN_ROLE, ScramKeys, User, UserError, Users};

use crate::user_file::UserFile;
use crate::{FirstPassword, password, private_file, random};

const USERS_FILE: &str = "users.toml";
/// As many as RFC 7677 asks for; a random password needs no more.
const FIRST_SCRAM_ITERATIONS: u32 = 4_096;
/// What the first versions wrote.
const JSON_FILE: &str = "users.json";

/// The users of a data directory.
#[derive(Debug)]
pub struct UserStore {
    path: PathBuf,
    in_force: ArcSwap<UserFile>,
    /// One change at a time.
    changing: Mutex<()>,
}

/// Why users could not be read, made or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file could not be read or written.
    #[error("file of users {} cannot be {verb}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The file is not what we write.
    #[error("file of users {} is damaged: {what}; restore it, or delete it to get a new admin password", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The system has no random numbers.
    #[error("no random numbers from the system")]
    Random(#[source] getrandom::Error),
    /// A password could not be hashed.
    #[error("password cannot be hashed: {0}")]
    Hash(String),
    /// The change cannot be.
    #[error(transparent)]
    User(#[from] UserError),
}

impl UserStore {
    /// Reads the users of a data directory; a new one gets the user `admin` with a random password, which comes back
    /// this once. A `users.json` of an older version is taken over and removed.
    ///
    /// # Errors
    /// The file cannot be read or written, or is not what we write.
    pub fn open(
        data_dir: &Path,
        scram_iterations: u32,
    ) -> Result<(Self, Option<FirstPassword>), StoreError> {
        let path = data_dir.join(USERS_FILE);
        let (file, first_password) = match read(&path)? {
            Some(text) => (parse(&path, &text)?, None),
            None => match take_over(&data_dir.join(JSON_FILE), &path)? {
                Some(file) => (file, None),
                None => create(&path, scram_iterations.min(FIRST_SCRAM_ITERATIONS))
                    .map(|(file, password)| (file, Some(password)))?,
            },
        };
        let in_force = ArcSwap::from_pointee(file);
        Ok((Self { path, in_force, changing: Mutex::new(()) }, first_password))
    }

    /// The users now.
    #[must_use]
    pub fn users(&self) -> Users {
        self.in_force.load().users.clone()
    }

    /// The user of that name.
    #[must_use]
    pub fn get(&self, username: &str) -> Option<Arc<User>> {
        self.in_force.load().users.get(username).cloned()
    }

    /// Whether sign-in is set up, see [`Users::has_others_than_admin`].
    #[must_use]
    pub fn has_others_than_admin(&self) -> bool {
        self.in_force.load().users.has_others_than_admin()
    }

    /// Keys that look like those of any user, for one that has none.
    pub(crate) fn keys_of_nobody(&self, username: &str, iterations: u32) -> ScramKeys {
        ScramKeys::of_nobody(&self.in_force.load().secret, username, iterations)
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// It cannot be read, or is not what we write; all stays as it was.
    pub fn reload(&self) -> Result<(), StoreError> {
        let _changing = self.changing.lock();
        self.in_force.store(Arc::new(self.read_again()?));
        Ok(())
    }

    /// Makes a change durable and puts it in force. It starts from the file, so that what was edited by hand stays.
    pub(crate) fn change(
        &self,
        change: impl FnOnce(&Users) -> Result<Users, UserError>,
    ) -> Result<(), StoreError> {
        let _changing = self.changing.lock();
        let before = self.read_again()?;
        let file = UserFile { users: change(&before.users)?, ..before };
        write(&self.path, &file)?;
        self.in_force.store(Arc::new(file));
        Ok(())
    }

    /// The file; when somebody has removed it, what is in force.
    fn read_again(&self) -> Result<UserFile, StoreError> {
        match read(&self.path)? {
            Some(text) => parse(&self.path, &text),
            None => Ok((**self.in_force.load()).clone()),
        }
    }
}

/// A user of a password, hashed. Takes a core and 19 MiB for tens of milliseconds.
pub(crate) fn user(
    username: &str,
    password: &str,
    roles: &[String],
    scram_iterations: u32,
) -> Result<User, StoreError> {
    let hash = password::hashed(password).map_err(StoreError::Hash)?;
    of_hash(username, (hash, password), roles, scram_iterations)
}

fn of_hash(
    username: &str,
    (hash, password): (Box<str>, &str),
    roles: &[String],
    scram_iterations: u32,
) -> Result<User, StoreError> {
    let salt: [u8; 16] = random::bytes().map_err(StoreError::Random)?;
    let scram = ScramKeys::of(password.as_bytes(), &salt, scram_iterations);
    Ok(User::new(username, roles, hash, Some(scram)))
}

fn read(path: &Path) -> Result<Option<String>, StoreError> {
    private_file::read(path).map_err(|source| StoreError::File {
        path: path.to_owned(),
        verb: "read",
        source,
    })
}

fn parse(path: &Path, text: &str) -> Result<UserFile, StoreError> {
    UserFile::parse(text).map_err(|what| StoreError::Damaged { path: path.to_owned(), what })
}

fn write(path: &Path, file: &UserFile) -> Result<(), StoreError> {
    private_file::write(path, &file.to_text()).map_err(|source| StoreError::File {
        path: path.to_owned(),
        verb: "written",
        source,
    })
}

/// Writes anew what an older version has left, and removes that. A crash in between leaves both, and the new one counts.
fn take_over(old: &Path, new: &Path) -> Result<Option<UserFile>, StoreError> {
    let Some(text) = read(old)? else { return Ok(None) };
    let secret = random::bytes().map_err(StoreError::Random)?;
    let file = UserFile::parse_json(&text, secret)
        .map_err(|what| StoreError::Damaged { path: old.to_owned(), what })?;
    write(new, &file)?;
    fs::remove_file(old).map_err(|source| StoreError::File {
        path: old.to_owned(),
        verb: "removed",
        source,
    })?;
    tracing::info!(from = %old.display(), to = %new.display(), "users taken over from an older version; for SCRAM-SHA-256 their passwords have to be set again");
    Ok(Some(file))
}

fn create(path: &Path, scram_iterations: u32) -> Result<(UserFile, FirstPassword), StoreError> {
    let password = FirstPassword::new().map_err(StoreError::Random)?;
    let hash = password::hashed_random(password.reveal()).map_err(StoreError::Hash)?;
    let of = (hash, password.reveal());
    let admin = of_hash(ADMIN, of, &[ADMIN_ROLE.to_owned()], scram_iterations)?;
    let secret = random::bytes().map_err(StoreError::Random)?;
    let file = UserFile { users: Users::default().with(admin, usize::MAX)?, secret };
    write(path, &file)?;
    Ok((file, password))
}
