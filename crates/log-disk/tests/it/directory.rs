//! Directories that cannot be used, and disks that are full.

use std::fs;
use std::path::Path;

use log_api::{AppendBatch, AppendError, Log, LogEvent, LogState, RecordKind, ShardSet};
use log_disk::at_rest::AtRest;
use log_disk::{Config, OpenError};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use tempfile::TempDir;

use crate::harness::{ME, batch, bodies, config, directory, replay, segments, start};

/// A small disk in memory, where the user may mount one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(bytes: &str) -> Option<Self> {
        let directory = directory();
        let options = std::ffi::CString::new(format!("size={bytes}")).unwrap();
        let mounted = mount(
            "tmpfs",
            directory.path(),
            "tmpfs",
            MountFlags::empty(),
            Some(options.as_c_str()),
        );
        mounted.ok().map(|()| Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}

#[test]
fn a_directory_serves_one_log_at_a_time() {
    let directory = directory();
    let log = start(config(directory.path()));
    let error = replay(config(directory.path())).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, OpenError::Locked { path } if *path == directory.path().join("lock")),
        "{error}"
    );
    assert!(error.to_string().contains("in use"), "{error}");
    log.shutdown();
    replay(config(directory.path())).unwrap();
}

#[test]
fn a_directory_that_cannot_be_used_is_named_with_the_next_step() {
    let directory = directory();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let mut cases = vec![(file.clone(), file.clone()), (file.join("below"), file.join("below"))];
    let disk = SmallDisk::mount("1m");
    if let Some(disk) = &disk {
        fs::create_dir_all(disk.path().join("used/log")).unwrap();
        fs::create_dir_all(disk.path().join("used/state")).unwrap();
        mount_remount(disk.path(), MountFlags::RDONLY, c"").unwrap();
        cases.push((disk.path().join("new"), disk.path().join("new")));
        cases.push((disk.path().join("used"), disk.path().join("used/lock")));
    }
    for (directory, named) in cases {
        let error = replay(config(&directory)).map(|_| ()).unwrap_err();
        assert!(matches!(&error, OpenError::Directory { path, .. } if *path == named), "{error}");
        assert!(
            error.to_string().contains("make it a directory that this user can write"),
            "{error}"
        );
    }
}

#[test]
fn values_out_of_bounds_are_refused() {
    let directory = directory();
    let good = config(directory.path());
    let bad = [
        Config { shards: 0, ..good.clone() },
        Config { shards: 65, ..good.clone() },
        Config { segment_bytes: 4095, ..good.clone() },
        Config { reserve_bytes: 4095, ..good },
    ];
    for config in bad {
        assert!(matches!(log_disk::open(config), Err(OpenError::Config { .. })));
    }
}

/// The same on an injected full disk stands among the crate's own tests, for those who may not mount one.
#[test]
fn a_full_disk_refuses_messages_takes_settlements_and_recovers_when_they_free_room() {
    let Some(disk) = SmallDisk::mount("8m") else { return };
    let config =
        Config { segment_bytes: 1 << 20, reserve_bytes: 256 << 10, ..Config::new(disk.path(), 1) };
    let log = start(config.clone());
    let mut stored = Vec::new();
    loop {
        log.log.append(ME, batch(&bodies(4, 16 << 10)));
        let done = log.recorder.wait(ME, |events| {
            events.iter().find_map(|event| match event {
                LogEvent::Committed(records) => Some(Ok(records.clone())),
                LogEvent::Failed { records, error } => Some(Err((records.len(), error.clone()))),
                _ => None,
            })
        });
        match done {
            Ok(records) => stored.extend(records),
            Err(failed) => {
                assert_eq!(failed, (4, AppendError::Full));
                break;
            }
        }
        log.recorder.take();
    }
    assert!(stored.len() >= 4 * 16 * 5, "{} records fit", stored.len());
    assert_eq!(log.log.state(), LogState::Full);
    log.recorder.state(ME, |state| *state == LogState::Full);
    log.log.heard_full(ME);

    // Settlements go into the reserve, and free room.
    for _ in 0..20 {
        let mut settle = AppendBatch::new();
        settle.push(RecordKind::Settle, 0, 0, ShardSet::single(ME), 7, |out| {
            out.resize(out.len() + 5000, 7)
        });
        log.log.append(ME, settle);
    }
    assert_eq!(log.recorder.committed(ME, 20).len(), 20);
    let (kept, settled) = stored.split_at(3);
    for record in settled {
        log.log.release(ME, &[(record.position.segment(), 1)]);
    }
    for nth in 0..2 {
        let (id, _) = log.recorder.checkpoint_requested(ME, nth);
        log.log.checkpoint_part(ME, id, Box::new(|| b"settled".to_vec().into()));
    }
    log.recorder.state(ME, |state| *state == LogState::Writable);
    assert!(segments(disk.path()).len() < 5);
    log.recorder.take();
    log.log.append(ME, batch(&bodies(8, 16 << 10)));
    assert_eq!(log.recorder.committed(ME, 8).len(), 8);
    log.log.read(ME, 1, kept.iter().map(|record| record.position).collect());
    let read = log.recorder.read(ME, 1);
    assert!(read.iter().zip(kept).all(|(read, kept)| *read == Ok(kept.body.clone())));
    log.shutdown();
    let log = start(config);
    assert_eq!(log.log.stats().live_references, 3 + 8);
    log.shutdown();
}

#[test]
fn a_restore_that_was_not_finished_is_no_data_directory() {
    let directory = directory();
    start(config(directory.path())).shutdown();
    let mark = directory.path().join(log_disk::RESTORING);
    std::fs::write(&mark, b"").unwrap();
    let error = replay(config(directory.path())).map(|_| ()).unwrap_err();
    assert!(matches!(&error, OpenError::Unfinished { path } if *path == mark), "{error}");
    let error = AtRest::open(directory.path()).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Unfinished { .. }), "{error}");
    std::fs::remove_file(&mark).unwrap();
    start(config(directory.path())).shutdown();
}
