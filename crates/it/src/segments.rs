//! The log's files, to look into and to damage.

use std::fs;
use std::path::{Path, PathBuf};

/// A segment that was prepared ahead has its header and nothing else.
const HEADER_BYTES: usize = 64;

/// The segments of a stopped broker, oldest first.
pub struct Segments(Vec<PathBuf>);

impl Segments {
    /// Finds them.
    ///
    /// # Panics
    /// There are none.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        let folder = data_dir.join("log");
        let entries = fs::read_dir(&folder).expect("the log has a folder");
        let paths = entries.map(|entry| entry.expect("it can be listed").path());
        let mut paths: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|end| end == "wlog")).collect();
        paths.sort();
        assert!(!paths.is_empty(), "no segments in {}", folder.display());
        Self(paths)
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// The oldest.
    #[must_use]
    pub fn oldest(&self) -> &Path {
        &self.0[0]
    }

    /// The newest that anything was written to, and where what was written ends.
    ///
    /// # Panics
    /// All are empty.
    #[must_use]
    pub fn end(&self) -> (&Path, usize) {
        let ends = self.0.iter().rev().map(|path| (path.as_path(), used(path)));
        ends.into_iter().find(|(_, end)| *end > HEADER_BYTES).expect("something was written")
    }

    /// How often `needle` stands in all of them.
    #[must_use]
    pub fn count_of(&self, needle: &[u8]) -> usize {
        let hits = |path: &PathBuf| {
            let bytes = fs::read(path).expect("a segment can be read");
            bytes.windows(needle.len()).filter(|window| *window == needle).count()
        };
        self.0.iter().map(hits).sum()
    }

    /// Turns over the bits of one byte.
    pub fn flip(path: &Path, offset: usize) {
        change(path, |bytes| bytes[offset] ^= 0xFF);
    }

    /// Makes `from..to` what it was before it was written.
    pub fn unwrite(path: &Path, from: usize, to: usize) {
        change(path, |bytes| bytes[from..to].fill(0));
    }
}

fn change(path: &Path, act: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("a segment can be read");
    act(&mut bytes);
    fs::write(path, bytes).expect("a segment can be written");
}

/// The end of the last byte that is not zero.
fn used(path: &Path) -> usize {
    let bytes = fs::read(path).expect("a segment can be read");
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}
