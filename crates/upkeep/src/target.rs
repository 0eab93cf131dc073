//! The file that a backup is written to: it gets its name when it is whole. It must not know what is in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The file that a backup is written to. Dropped before it is finished, it is gone.
///
/// ```text
/// backup.tar.part ── written, synced ── backup.tar
/// ```
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    part: PathBuf,
    file: File,
    is_finished: bool,
}

impl Target {
    /// A file of that name; in a folder one with a name of its own. Nobody but the user may read it: a backup has messages
    /// and what proves passwords.
    ///
    /// # Errors
    /// When there is a file of that name, or it cannot be made.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let path = if path.is_dir() { path.join(name_of_now()) } else { path.to_owned() };
        if path.exists() {
            let what = "is there already; name another file, or remove it";
            return Err(Error::Occupied { path, what });
        }
        let mut part = path.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(&part).map_err(Error::io("make", &part))?;
        Ok(Self { path, part, file, is_finished: false })
    }

    /// Where the bytes go meanwhile.
    #[must_use]
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// The name that it gets.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says which file it was that could not be written.
    #[must_use]
    pub fn explain(&self, error: Error) -> Error {
        match error {
            Error::Output(source) => Error::io("write", &self.part)(source),
            other => other,
        }
    }

    /// Makes sure that it is on the disk, and gives it its name.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn finish(mut self) -> Result<(), Error> {
        self.file.sync_all().map_err(Error::io("write", &self.part))?;
        fs::rename(&self.part, &self.path).map_err(Error::io("name", &self.path))?;
        self.is_finished = true;
        let above = self.path.parent().filter(|above| !above.as_os_str().is_empty());
        let above = above.unwrap_or(Path::new("."));
        File::open(above).and_then(|above| above.sync_all()).map_err(Error::io("sync", above))
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.is_finished {
            // What stays of it has a name that says so.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// A name that tells when, such as `weir-backup-20261127T103000Z.tar`.
fn name_of_now() -> String {
    let now = crate::now().to_string();
    let seconds = now.split('.').next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|one| !matches!(one, '-' | ':')).collect();
    format!("weir-backup-{digits}Z.tar")
}
