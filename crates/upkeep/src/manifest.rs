//! What a backup says of itself, as its last file but one. It must not know how a backup is read or written.

use serde::{Deserialize, Serialize};

/// The manifest's name in a backup.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The name of the file with the manifest's checksum, as `sha256sum` writes it. It is the last one.
pub(crate) const SUM: &str = "manifest.sha256";
/// The format that is written.
pub(crate) const FORMAT: u32 = 1;

/// What a backup says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the backup's format.
    pub format: u32,
    /// The version that wrote it.
    pub version: String,
    /// When it was begun, RFC 3339. All that was acknowledged before is in it.
    pub created: String,
    /// Where the records of the log end: segment and offset.
    pub position: String,
    /// All files but the manifest.
    pub files: Vec<ManifestFile>,
}

/// A file of a backup.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path in the data directory.
    pub name: String,
    /// Its bytes in the backup.
    pub bytes: u64,
    /// Its bytes in a data directory: zeros fill the rest.
    pub file_bytes: u64,
    /// The SHA-256 of the bytes in the backup, in hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// Bytes that a restore needs on the disk.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.file_bytes))
    }
}

/// Whether a backup may have a file of that name, with that many bytes in the backup and on the disk.
pub(crate) fn is_legal(name: &str, bytes: u64, file_bytes: u64) -> bool {
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let segment = name.strip_prefix("log/").and_then(|name| name.strip_suffix(".wlog"));
    if segment.is_some_and(|number| is_hex(number, 8)) {
        // Offsets in a segment have 32 bits.
        return bytes <= file_bytes && file_bytes <= 1 << 32;
    }
    let checkpoint = name.strip_prefix("state/checkpoint-");
    let is_ours = checkpoint.is_some_and(|id| is_hex(id, 16)) || name == crate::USERS;
    is_ours && bytes == file_bytes
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_has_nothing_but_what_belongs_into_a_data_directory() {
        for (name, bytes, file_bytes, expected) in [
            ("log/00000001.wlog", 64, 4096, true),
            ("log/00000001.wlog", 4097, 4096, false),
            ("log/00000001.wlog", 64, 1 << 33, false),
            ("log/00000001.WLOG", 64, 64, false),
            ("log/0000000g.wlog", 64, 64, false),
            ("log/reserve", 64, 64, false),
            ("state/checkpoint-000000000000000a", 64, 64, true),
            ("state/checkpoint-000000000000000a", 64, 65, false),
            ("state/checkpoint-000000000000000a.tmp", 64, 64, false),
            ("users.toml", 9, 9, true),
            ("admin.token", 9, 9, false),
            ("../users.toml", 9, 9, false),
            ("/etc/passwd", 9, 9, false),
            ("log/../log/00000001.wlog", 9, 9, false),
            ("", 0, 0, false),
        ] {
            assert_eq!(is_legal(name, bytes, file_bytes), expected, "{name}");
        }
    }
}
