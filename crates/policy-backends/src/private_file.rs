//! Small files that only their owner may read.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

const OWNER_ONLY: u32 = 0o600;

/// The file's text, `None` when there is none. A file that others may read is made private and said so.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "credentials file was open to others; it is private now");
        fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY))?;
    }
    Ok(Some(text))
}

/// Writes the file whole or not at all, synced, so that a crash leaves no half of it.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let scratch = path.with_extension("new");
    // What an interrupted write left behind may have other permissions.
    match fs::remove_file(&scratch) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&scratch)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&scratch, path)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
