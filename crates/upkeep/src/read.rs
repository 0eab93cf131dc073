//! Reads a backup, and checks all of it. It must not know what is done with the files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::manifest::{FORMAT, MANIFEST, Manifest, SUM, hex, is_legal};
use crate::tar::{BLOCK, Header, padding};
use crate::{CHUNK_BYTES, Progress};

/// Takes a piece of a file: the file's name, and the bytes.
pub(crate) type Take<'a> = dyn FnMut(&str, &[u8]) -> Result<(), Error> + 'a;
/// Takes a piece of the file that is read, and is told how much of all has been read.
type TakeContent<'a> = dyn FnMut(&[u8], u64) -> Result<(), Error> + 'a;

/// A manifest is not longer.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// Checks that a backup is whole, to its last byte, and gives what it says of itself. Writes nothing.
///
/// # Errors
/// When it is not, or cannot be read.
pub fn check(path: &Path, progress: &mut Progress<'_>) -> Result<Manifest, Error> {
    read(path, &mut |_, _| Ok(()), progress)
}

/// Reads a backup and shows what is in its files, piece by piece: the name, and the bytes. That all is as it was written is
/// known at the end.
pub(crate) fn read(
    path: &Path,
    take: &mut Take<'_>,
    progress: &mut Progress<'_>,
) -> Result<Manifest, Error> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let total = file.metadata().map_err(Error::io("look at", path))?.len();
    let mut archive = Archive { path, input: BufReader::new(file), done: 0 };
    let (mut found, mut names) = (Vec::new(), BTreeSet::new());
    loop {
        let Some(Header { name, bytes }) = archive.header()? else {
            return Err(archive.not_whole("its manifest is missing"));
        };
        if name == MANIFEST {
            let manifest = archive.manifest(bytes)?;
            archive.hold_against(&manifest, &found)?;
            return Ok(manifest);
        }
        // What a file should have on the disk is known with the manifest.
        if !is_legal(&name, bytes, bytes) || !names.insert(name.clone()) {
            return Err(
                archive.not_whole(format!("it has a file '{name}', which belongs into none"))
            );
        }
        let mut hash = Sha256::new();
        archive.content(bytes, &mut |chunk, done| {
            hash.update(chunk);
            progress(done, total);
            take(&name, chunk)
        })?;
        found.push((name, bytes, hex(&hash.finalize())));
    }
}

struct Archive<'a> {
    path: &'a Path,
    input: BufReader<File>,
    done: u64,
}

impl Archive<'_> {
    fn not_whole(&self, what: impl Into<String>) -> Error {
        Error::not_whole(self.path, what)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        self.done += buffer.len() as u64;
        self.input.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.not_whole("it ends before its end"),
            _ => Error::io("read", self.path)(error),
        })
    }

    fn header(&mut self) -> Result<Option<Header>, Error> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        Header::decode(&block).map_err(|what| {
            let at = self.done - BLOCK as u64;
            self.not_whole(format!("{what} at offset {at}"))
        })
    }

    fn content(&mut self, bytes: u64, take: &mut TakeContent<'_>) -> Result<(), Error> {
        let (mut left, mut buffer) = (bytes, vec![0; CHUNK_BYTES]);
        if bytes == 0 {
            take(&[], self.done)?;
        }
        while left > 0 {
            let some = CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES));
            self.fill(&mut buffer[..some])?;
            take(&buffer[..some], self.done)?;
            left -= some as u64;
        }
        let mut rest = [0; BLOCK];
        let rest = &mut rest[..padding(bytes)];
        self.fill(rest)?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(
                self.not_whole(format!("something lies between files before offset {}", self.done))
            );
        }
        Ok(())
    }

    fn text(&mut self, bytes: u64) -> Result<Vec<u8>, Error> {
        if bytes > MANIFEST_BYTES_MAX {
            return Err(self.not_whole("its manifest is too long"));
        }
        let mut text = Vec::new();
        self.content(bytes, &mut |chunk, _| {
            text.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(text)
    }

    /// The manifest, and what must come behind it.
    fn manifest(&mut self, bytes: u64) -> Result<Manifest, Error> {
        let text = self.text(bytes)?;
        let sum = match self.header()? {
            Some(Header { name, bytes }) if name == SUM => self.text(bytes)?,
            _ => return Err(self.not_whole("the checksum of its manifest is missing")),
        };
        let expected = format!("{}  {MANIFEST}\n", hex(&Sha256::digest(&text)));
        if sum != expected.as_bytes() {
            return Err(self.not_whole("the checksum of its manifest does not match"));
        }
        let mut end = [1; 2 * BLOCK];
        self.fill(&mut end)?;
        if end != [0; 2 * BLOCK]
            || self.input.read(&mut [0]).map_err(Error::io("read", self.path))? > 0
        {
            return Err(self.not_whole("something lies behind its end"));
        }
        let value: serde_json::Value = serde_json::from_slice(&text)
            .map_err(|error| self.not_whole(format!("its manifest is not understood: {error}")))?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        if format.is_some_and(|format| format > u64::from(FORMAT)) {
            let what = format!("it is of format {}", format.unwrap_or_default());
            return Err(Error::Newer { path: self.path.to_owned(), what });
        }
        serde_json::from_value(value)
            .map_err(|error| self.not_whole(format!("its manifest is not understood: {error}")))
    }

    /// Checks that the files are those of the manifest.
    fn hold_against(
        &self,
        manifest: &Manifest,
        found: &[(String, u64, String)],
    ) -> Result<(), Error> {
        if manifest.files.len() != found.len() {
            return Err(self.not_whole("it has not as many files as its manifest says"));
        }
        for (file, (name, bytes, sha256)) in manifest.files.iter().zip(found) {
            if (&file.name, file.bytes) != (name, *bytes)
                || !is_legal(&file.name, file.bytes, file.file_bytes)
            {
                return Err(
                    self.not_whole(format!("'{name}' is not the file that its manifest says"))
                );
            }
            if file.sha256 != *sha256 {
                return Err(self.not_whole(format!("the checksum of '{name}' does not match")));
            }
        }
        Ok(())
    }
}
