//! Makes a data directory of a backup. It must not know what the files say.
//!
//! ```text
//! checked ── `restoring` is made ── files, filled up with zeros, synced ── `restoring` is removed: it starts
//!   nothing has been touched        nothing starts from here
//! ```

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use log_disk::RESTORING;

use crate::error::Error;
use crate::manifest::Manifest;
use crate::read::{check, read};
use crate::{Progress, USERS};

/// How much is filled with zeros at once.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// Makes a data directory of a backup, after all of the backup has been checked.
///
/// # Errors
/// When the backup is not whole, the directory is not empty or has no room; then nothing is left in it.
pub fn restore(
    path: &Path,
    data_dir: &Path,
    progress: &mut Progress<'_>,
) -> Result<Manifest, Error> {
    require_empty(data_dir)?;
    let manifest = check(path, &mut |done, total| progress(done / 2, total))?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data_dir);
    made.map_err(Error::io("make", data_dir))?;
    require_empty(data_dir)?;
    require_room(data_dir, manifest.disk_bytes())?;
    let mut half = |done: u64, total: u64| progress((total + done) / 2, total);
    if let Err(error) = unpack(path, data_dir, &manifest, &mut half) {
        clear(data_dir);
        return Err(error);
    }
    Ok(manifest)
}

fn require_empty(data_dir: &Path) -> Result<(), Error> {
    let mut files = match fs::read_dir(data_dir) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("list", data_dir)(error)),
    };
    match files.next() {
        None => Ok(()),
        Some(_) => {
            let what = "is not empty, and nothing in it is overwritten; name another directory";
            Err(Error::Occupied { path: data_dir.to_owned(), what })
        }
    }
}

fn require_room(data_dir: &Path, needed: u64) -> Result<(), Error> {
    let disk = rustix::fs::statvfs(data_dir).map_err(io::Error::from);
    let disk = disk.map_err(Error::io("look at", data_dir))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < needed {
        return Err(Error::NoRoom { path: data_dir.to_owned(), free, needed });
    }
    Ok(())
}

fn unpack(
    path: &Path,
    data_dir: &Path,
    manifest: &Manifest,
    progress: &mut Progress<'_>,
) -> Result<(), Error> {
    let mark = data_dir.join(RESTORING);
    new_file(&mark)?.sync_all().map_err(Error::io("write", &mark))?;
    sync_directory(data_dir)?;
    let folders = ["log", "state"].map(|name| data_dir.join(name));
    for folder in &folders {
        fs::create_dir(folder).map_err(Error::io("make", folder))?;
    }
    let lengths: BTreeMap<&str, u64> =
        manifest.files.iter().map(|file| (file.name.as_str(), file.file_bytes)).collect();
    let mut writing: Option<Writing> = None;
    let again = read(
        path,
        &mut |name, bytes| {
            if writing.as_ref().is_none_or(|writing| writing.name != name) {
                finish(writing.take())?;
                let file_bytes = lengths.get(name).copied().unwrap_or_default();
                writing = Some(Writing::begin(data_dir, name, file_bytes)?);
            }
            writing.as_mut().map_or(Ok(()), |writing| writing.put(bytes))
        },
        progress,
    )?;
    finish(writing.take())?;
    if again != *manifest {
        return Err(Error::not_whole(path, "it was changed while it was read"));
    }
    for folder in folders.iter().map(PathBuf::as_path).chain([data_dir]) {
        sync_directory(folder)?;
    }
    fs::remove_file(&mark).map_err(Error::io("remove", &mark))?;
    sync_directory(data_dir)
}

/// A file on its way.
struct Writing {
    name: String,
    path: PathBuf,
    file: File,
    bytes: u64,
    file_bytes: u64,
}

impl Writing {
    fn begin(data_dir: &Path, name: &str, file_bytes: u64) -> Result<Self, Error> {
        let path = data_dir.join(name);
        let file = new_file(&path)?;
        Ok(Self { name: name.to_owned(), path, file, bytes: 0, file_bytes })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(Error::io("write", &self.path))
    }
}

/// Fills a file up: a log writes into room that is there.
fn finish(writing: Option<Writing>) -> Result<(), Error> {
    let Some(mut writing) = writing else { return Ok(()) };
    let mut left = writing.file_bytes.saturating_sub(writing.bytes);
    while left > 0 {
        let some = ZEROS.len().min(usize::try_from(left).unwrap_or(ZEROS.len()));
        writing.put(&ZEROS[..some])?;
        left -= some as u64;
    }
    writing.file.sync_all().map_err(Error::io("write", &writing.path))
}

fn new_file(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).map_err(Error::io("make", path))
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("sync", path))
}

/// Takes away what a restore has begun; the directory was empty before.
fn clear(data_dir: &Path) {
    for folder in ["log", "state"] {
        let _ = fs::remove_dir_all(data_dir.join(folder));
    }
    for file in [USERS, RESTORING] {
        let _ = fs::remove_file(data_dir.join(file));
    }
}
