//! Keeps two processes out of one data directory.

use std::fs::File;
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::error::OpenError;

/// Held for as long as the log uses the directory. The system drops it with the process, however that ends.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    pub(crate) fn acquire(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join("lock");
        let file = match File::options().create(true).truncate(false).write(true).open(&path) {
            Ok(file) => file,
            Err(source) => return Err(OpenError::Directory { path, source }),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Locked { path }),
            Err(errno) => Err(OpenError::Io { action: "lock", path, source: errno.into() }),
        }
    }
}
