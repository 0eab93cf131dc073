//! Writes a backup: what an image of a log has, the users, and a manifest behind them. It must not know where the bytes go.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use log_disk::at_rest::{AtRest, Met};
use log_disk::{Image, OpenError};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::manifest::{FORMAT, MANIFEST, Manifest, ManifestFile, SUM, hex};
use crate::tar::{BLOCK, Header, padding};
use crate::target::Target;
use crate::{CHUNK_BYTES, Progress, USERS, now};

/// A backup that has been written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its bytes.
    pub bytes: u64,
}

/// Writes a backup of an image, and of the users of its data directory. Every record is checked before it is written.
///
/// # Errors
/// When something is damaged or cannot be read, or `out` takes no more.
pub fn write_backup(
    image: Image,
    data_dir: &Path,
    version: &str,
    out: &mut dyn Write,
    progress: &mut Progress<'_>,
) -> Result<Written, Error> {
    let manifest = Manifest {
        format: FORMAT,
        version: version.to_owned(),
        created: now().to_string(),
        position: image.end().to_string(),
        files: Vec::new(),
    };
    let total = image.bytes();
    let mut archive = Archive { out, manifest, bytes: 0 };
    let users = data_dir.join(USERS);
    match fs::read(&users) {
        Ok(users) => archive.whole(USERS, &users)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("read", &users)(error)),
    }
    let mut image = image;
    while let Some(file) = image.next_file() {
        let file = file?;
        let read = |at, bytes| Ok(file.read(at, bytes)?);
        archive.file(&file.name, file.bytes, file.file_bytes, read, &mut |done| {
            progress(done, total.max(done));
        })?;
    }
    archive.finish()
}

/// Whether that is a data directory which no broker uses.
///
/// # Errors
/// When it cannot be told.
pub fn is_stopped(data_dir: &Path) -> Result<bool, Error> {
    match AtRest::open(data_dir) {
        Ok(_) => Ok(true),
        Err(OpenError::Locked { .. } | OpenError::NoLog { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Writes a backup of a data directory that no broker uses.
///
/// # Errors
/// When a broker uses it, something is damaged, or the target cannot be written.
pub fn backup_at_rest(
    data_dir: &Path,
    version: &str,
    mut target: Target,
    progress: &mut Progress<'_>,
) -> Result<Written, Error> {
    let log = AtRest::open(data_dir)?;
    let survey = log.survey(&mut |met| {
        if let Met::Progress(done, total) = met {
            progress(done / 2, total);
        }
        Ok(())
    })?;
    let image = log.image(&survey)?;
    let written = write_backup(image, data_dir, version, &mut target, &mut |done, total| {
        progress((total + done) / 2, total);
    });
    let written = written.map_err(|error| target.explain(error))?;
    target.finish()?;
    Ok(written)
}

/// A tar file on its way.
struct Archive<'a> {
    out: &'a mut dyn Write,
    manifest: Manifest,
    bytes: u64,
}

impl Archive<'_> {
    /// Writes a file piece by piece.
    fn file(
        &mut self,
        name: &str,
        bytes: u64,
        file_bytes: u64,
        read: impl Fn(u64, usize) -> Result<Vec<u8>, Error>,
        done: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        self.header(name, bytes)?;
        let (mut at, mut hash) = (0, Sha256::new());
        while at < bytes {
            let chunk = read(at, CHUNK_BYTES)?;
            hash.update(&chunk);
            self.put(&chunk)?;
            at += chunk.len() as u64;
            done(self.bytes);
        }
        self.put(&[0; BLOCK][..padding(bytes)])?;
        let sha256 = hex(&hash.finalize());
        self.manifest.files.push(ManifestFile { name: name.to_owned(), bytes, file_bytes, sha256 });
        Ok(())
    }

    /// Writes a file that is at hand.
    fn whole(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        let bytes = content.len() as u64;
        let read = |at: u64, bytes: usize| {
            let rest = content.get(at as usize..).unwrap_or_default();
            Ok(rest[..bytes.min(rest.len())].to_vec())
        };
        self.file(name, bytes, bytes, read, &mut |_| {})
    }

    fn finish(mut self) -> Result<Written, Error> {
        let text = serde_json::to_string_pretty(&self.manifest);
        let text = text.expect("a manifest can be written as JSON") + "\n";
        let sum = format!("{}  {MANIFEST}\n", hex(&Sha256::digest(text.as_bytes())));
        for (name, text) in [(MANIFEST, text), (SUM, sum)] {
            self.header(name, text.len() as u64)?;
            self.put(text.as_bytes())?;
            self.put(&[0; BLOCK][..padding(text.len() as u64)])?;
        }
        self.put(&[0; 2 * BLOCK])?;
        self.out.flush().map_err(Error::Output)?;
        Ok(Written { manifest: self.manifest, bytes: self.bytes })
    }

    fn header(&mut self, name: &str, bytes: u64) -> Result<(), Error> {
        self.put(&Header { name: name.to_owned(), bytes }.encode(now().0 / 1000))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes).map_err(Error::Output)
    }
}
