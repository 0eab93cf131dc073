//! A backup is all or nothing, and a restore is what the backup was of.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use log_disk::RESTORING;
use tempfile::tempdir;
use upkeep::{Error, Target, backup_at_rest, check, is_stopped, restore, write_backup};

use crate::harness::{Writing, files, filled, recover};

fn back_up(data_dir: &Path, to: &Path) -> PathBuf {
    let target = Target::create(to).unwrap();
    let path = target.path().to_owned();
    backup_at_rest(data_dir, "1.2.3", target, &mut |_, _| {}).unwrap();
    path
}

#[test]
fn a_restore_is_what_was_backed_up() {
    let (data, other) = (tempdir().unwrap(), tempdir().unwrap());
    let records = filled(data.path());
    let before = files(data.path());
    let path = back_up(data.path(), &other.path().join("b.tar"));
    assert_eq!(files(data.path()), before, "a backup changes nothing");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut seen = (0, 0);
    let manifest = check(&path, &mut |done, total| seen = (done, total)).unwrap();
    assert!(seen.0 > 0 && seen.0 <= seen.1, "{seen:?}");
    assert_eq!(
        (manifest.version.as_str(), manifest.files[0].name.as_str()),
        ("1.2.3", "users.toml")
    );
    let restored = other.path().join("restored");
    assert_eq!(restore(&path, &restored, &mut |_, _| {}).unwrap(), manifest);
    let mode = fs::metadata(&restored).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(fs::read(restored.join("users.toml")).unwrap(), b"# users\n");
    assert!(!restored.join(RESTORING).exists());
    let (recovered, _) = recover(&restored).unwrap();
    let counts = recovered.counts();
    assert_eq!((counts.queues, counts.waiting, counts.retained), (1, 17, 1));
    // The log goes on where the copy ends.
    let mut writing = Writing::start(&restored);
    let next = writing.publish("t", b"more", None);
    assert!(next.position > records.last().unwrap().position);
    writing.stop();
}

#[test]
fn a_running_log_is_backed_up_and_a_stopped_one_is_told_apart() {
    let (data, other) = (tempdir().unwrap(), tempdir().unwrap());
    let mut writing = Writing::start(data.path());
    writing.define();
    for n in 0..9 {
        writing.publish("t", &[n; 700], None);
    }
    assert!(!is_stopped(data.path()).unwrap());
    assert!(!is_stopped(other.path()).unwrap(), "it is no data directory");
    let image = writing.log.image().unwrap();
    writing.publish("t", b"too late", None);
    let mut bytes = Vec::new();
    let written = write_backup(image, data.path(), "1", &mut bytes, &mut |_, _| {}).unwrap();
    assert_eq!(written.bytes, bytes.len() as u64);
    writing.stop();
    assert!(is_stopped(data.path()).unwrap());
    let path = other.path().join("b.tar");
    fs::write(&path, bytes).unwrap();
    restore(&path, &other.path().join("r"), &mut |_, _| {}).unwrap();
    assert_eq!(recover(&other.path().join("r")).unwrap().0.counts().waiting, 9);
}

#[test]
fn any_flipped_bit_and_any_cut_is_noticed_before_anything_is_touched() {
    let (data, other) = (tempdir().unwrap(), tempdir().unwrap());
    filled(data.path());
    let path = back_up(data.path(), &other.path().join("b.tar"));
    let whole = fs::read(&path).unwrap();
    let restored = other.path().join("restored");
    let refuse = |bytes: &[u8], context: &str| {
        fs::write(&path, bytes).unwrap();
        let Err(error) = check(&path, &mut |_, _| {}) else { panic!("{context}") };
        assert!(matches!(error, Error::NotWhole { .. }), "{context}: {error}");
        assert!(restore(&path, &restored, &mut |_, _| {}).is_err(), "{context}");
        assert!(!restored.exists(), "{context}");
    };
    for byte in (0..whole.len()).step_by(37) {
        let mut flipped = whole.clone();
        flipped[byte] ^= 1 << (byte / 37 % 8);
        // The digits of a header's checksum say the same with another fill.
        let in_checksum = (148..156).contains(&(byte % 512));
        fs::write(&path, &flipped).unwrap();
        if in_checksum && check(&path, &mut |_, _| {}).is_ok() {
            continue;
        }
        refuse(&flipped, &format!("byte {byte}"));
    }
    for cut in (0..whole.len()).step_by(1171) {
        refuse(&whole[..cut], &format!("cut at {cut}"));
    }
    refuse(&[&whole[..], b"x"].concat(), "something behind it");
    fs::write(&path, &whole).unwrap();
    restore(&path, &restored, &mut |_, _| {}).unwrap();
}

#[test]
fn a_directory_that_is_not_empty_is_left_alone() {
    let (data, other) = (tempdir().unwrap(), tempdir().unwrap());
    filled(data.path());
    let path = back_up(data.path(), &other.path().join("b.tar"));
    let before = files(data.path());
    let error = restore(&path, data.path(), &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("is not empty"), "{error}");
    assert_eq!(files(data.path()), before);
    let empty = tempdir().unwrap();
    restore(&path, empty.path(), &mut |_, _| {}).unwrap();
}

#[test]
fn damage_is_not_backed_up() {
    let (data, other) = (tempdir().unwrap(), tempdir().unwrap());
    let records = filled(data.path());
    let segment = data.path().join("log/00000001.wlog");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[records[2].position.offset() as usize + 90] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let target = Target::create(&other.path().join("b.tar")).unwrap();
    let error = backup_at_rest(data.path(), "1", target, &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("damaged data file"), "{error}");
    assert_eq!(files(other.path()).len(), 0, "nothing is left of it");
}

#[test]
fn a_target_gets_its_name_when_it_is_whole_and_takes_nobody_elses() {
    let (data, other) = (tempdir().unwrap(), tempdir().unwrap());
    filled(data.path());
    let named = back_up(data.path(), other.path());
    let name = named.file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("weir-backup-2") && name.ends_with("Z.tar") && name.len() == 32,
        "{name}"
    );
    let error = Target::create(&named).unwrap_err();
    assert!(error.to_string().contains("is there already"), "{error}");
    let path = other.path().join("b.tar");
    let mut target = Target::create(&path).unwrap();
    target.write_all(b"half").unwrap();
    assert!(!path.exists() && target.part().exists());
    drop(target);
    assert_eq!(files(other.path()).len(), 1);
}

/// Takes so many bytes and no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_a_backup_and_not_the_log() {
    let data = tempdir().unwrap();
    let mut writing = Writing::start(data.path());
    writing.define();
    for room in [0, 100, 1000, 3000] {
        writing.publish("t", &[7; 700], None);
        let image = writing.log.image().unwrap();
        let error = write_backup(image, data.path(), "1", &mut Full(room), &mut |_, _| {});
        assert!(matches!(error, Err(Error::Output(_))), "{room}");
    }
    writing.publish("t", b"it goes on", None);
    writing.stop();
}

/// Files that are nearly backups: each is refused, or is the same; none is unpacked in part.
#[test]
fn what_is_nearly_a_backup_is_refused() {
    let (data, other) = (tempdir().unwrap(), tempdir().unwrap());
    filled(data.path());
    let path = back_up(data.path(), &other.path().join("b.tar"));
    let manifest = check(&path, &mut |_, _| {}).unwrap();
    let whole = fs::read(&path).unwrap();
    let restored = other.path().join("restored");
    let mut state = 1_u64;
    let mut below = |bound: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    for round in 0..300 {
        let mut blocks: Vec<Vec<u8>> = whole.chunks(512).map(<[u8]>::to_vec).collect();
        for _ in 0..1 + below(2) {
            let (one, another) = (below(blocks.len()), below(blocks.len()));
            match below(6) {
                0 => blocks.swap(one, another),
                1 => drop(blocks.remove(one)),
                2 => blocks.insert(one, vec![0; 512]),
                3 => blocks[one] = blocks[another].clone(),
                4 => blocks[one][below(512)] = below(256) as u8,
                _ => blocks.insert(one, blocks[another].clone()),
            }
        }
        let bytes = blocks.concat();
        fs::write(&path, &bytes).unwrap();
        match check(&path, &mut |_, _| {}) {
            Ok(read) => assert_eq!(read, manifest, "round {round}"),
            Err(Error::NotWhole { .. }) => {
                assert!(restore(&path, &restored, &mut |_, _| {}).is_err(), "round {round}");
                assert!(!restored.exists(), "round {round}");
            }
            Err(error) => panic!("round {round}: {error}"),
        }
    }
}
