//! Keeps two processes out of one data directory.

use std::io;
use std::path::Path;

use crate::error::OpenError;
use crate::host::{Access, Guard, Host};

/// Held for as long as the log uses the directory.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _guard: Box<dyn Guard>,
}

impl DirectoryLock {
    pub(crate) fn acquire(host: &dyn Host, directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join("lock");
        match host.lock(&path) {
            Ok(guard) => Ok(Self { _guard: guard }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(OpenError::Locked { path })
            }
            Err(source) => Err(OpenError::Directory { path, source }),
        }
    }

    /// The same for one who changes nothing: where there is no lock file nobody uses the directory.
    pub(crate) fn acquire_if_there(
        host: &dyn Host,
        directory: &Path,
    ) -> Result<Option<Self>, OpenError> {
        match host.open(&directory.join("lock"), Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => Self::acquire(host, directory).map(Some),
        }
    }
}
