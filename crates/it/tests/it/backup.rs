//! A backup has all that was acknowledged before it began, and costs the broker nothing but the reading.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use it::{
    Client, Connect, DEADLINE, Event, Mount, Options, Random, Version, Weir, until, weir_command,
};
use serde_json::{Value, json};

const PUBLISHERS: usize = 3;
const WINDOW: usize = 20;

/// Runs a command without a broker of this test's.
fn weir(arguments: &[&str]) -> Output {
    weir_command().args(arguments).output().expect("the binary starts")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of this test's is text")
}

fn succeed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command said that failed with that code.
fn fail(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// Takes so many messages out of a queue.
fn drain(weir: &Weir, queue: &str, count: u64) -> Vec<String> {
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe(&format!("$q/{queue}"), 1), 1);
    let take = |_| {
        let (_, payload, id) = consumer.message();
        consumer.ack(id.expect("QoS 1")).expect("it is connected");
        String::from_utf8_lossy(payload.split(|byte| *byte == b' ').next().unwrap_or_default())
            .into_owned()
    };
    let taken = (0..count).map(take).collect();
    // A connection that ends with something unread may take acknowledgements with it.
    consumer.ping().expect("it is connected");
    while consumer.next(DEADLINE).expect("an answer") != Event::Pong {}
    taken
}

/// Publishes until it is told to stop, and notes what was acknowledged.
fn publish(mut client: Client, number: usize, stop: &AtomicBool, acknowledged: &[AtomicUsize]) {
    let topic = format!("load/{number}");
    let filler = Random::seeded().bytes(500);
    let (mut sent, mut done) = (0, 0);
    while !stop.load(Ordering::SeqCst) || done < sent {
        while sent - done < WINDOW && !stop.load(Ordering::SeqCst) {
            let mut payload = format!("{number}-{sent} ").into_bytes();
            payload.extend_from_slice(&filler);
            client.publish(&topic, &payload).expect("it is connected");
            sent += 1;
        }
        // They are acknowledged in their order.
        match client.next(DEADLINE) {
            Some(Event::Acked { code: 0, .. }) => done += 1,
            other => panic!("wanted PUBACK, got {other:?}"),
        }
        acknowledged[number].store(done, Ordering::SeqCst);
    }
}

#[test]
fn what_was_acknowledged_before_is_in_a_backup_under_load() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let backup = folder.path().join("backup.tar");
    let options =
        Options::new().set("log.segment_size", "1MiB").set("log.checkpoint_every", "3MiB");
    let weir_ = Weir::start(options);
    weir_.rest().create_queue("load/+", json!({}));
    let (stop, acknowledged) =
        (Arc::new(AtomicBool::new(false)), Arc::new([const { AtomicUsize::new(0) }; PUBLISHERS]));
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|number| {
            let client = weir_.connect(&Connect::new(&format!("publisher-{number}")));
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            thread::spawn(move || publish(client, number, &stop, &*acknowledged))
        })
        .collect();
    let counts = || acknowledged.each_ref().map(|count| count.load(Ordering::SeqCst));
    until("some load", || counts().iter().all(|count| *count > 2500).then_some(()));
    // Some of it is settled, so that there are checkpoints with something to say.
    let settled: HashSet<String> = drain(&weir_, "load/+", 500).into_iter().collect();
    weir_.rest().until("load/+", "settlements", |ledger| ledger.settled == 500);

    let before = counts();
    let said = weir_.command(&["backup", text(&backup), "--json"], "");
    let after = counts();
    stop.store(true, Ordering::SeqCst);
    publishers.into_iter().for_each(|publisher| publisher.join().expect("it published"));
    drop(weir_.kill());
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert!(said["manifest"]["files"].as_array().expect("files").len() > 3, "{said}");
    assert!(before.iter().sum::<usize>() < after.iter().sum(), "it went on meanwhile");

    let restored = folder.path().join("restored");
    let said = succeed(&weir(&["restore", text(&backup), "--data-dir", text(&restored)]));
    assert!(said.contains("a broker can start on it"), "{said}");
    let weir = Weir::start(Options::new().data_dir(&restored));
    let ledger = weir.rest().ledger("load/+").expect("the queue is there");
    // What went out was not settled by the consumer, but a moment later.
    assert!(ledger.settled <= 500, "{ledger:?}");
    let came: HashSet<String> = drain(&weir, "load/+", ledger.waiting()).into_iter().collect();
    for (number, before) in before.into_iter().enumerate() {
        let all = (0..before).map(|n| format!("{number}-{n}"));
        let lost: Vec<String> =
            all.filter(|one| !came.contains(one) && !settled.contains(one)).take(5).collect();
        assert!(lost.is_empty(), "acknowledged before and lost: {lost:?}");
    }
    weir.rest().until("load/+", "an empty queue", |ledger| ledger.waiting() == 0);
}

#[test]
fn all_kinds_of_state_come_back_with_a_backup_of_a_stopped_broker() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let weir_ = Weir::start(Options::new());
    let rest = weir_.rest();
    rest.create_queue("jobs/#", json!({"max_attempts": 7}));
    let said = weir_.command(&["users", "add", "ada", "--password-stdin"], "a long password\n");
    assert!(said.contains("ada"), "{said}");
    let ada = |client_id: &str| Connect::new(client_id).user("ada", "a long password");
    let sleeper = || Connect { clean: false, ..ada("sleeper").version(Version::V311) };
    let mut client = weir_.connect(&sleeper());
    assert_eq!(client.subscribe("jobs/+", 1), 1);
    client.disconnect();
    let mut publisher = weir_.connect(&ada("publisher"));
    assert_eq!(publisher.publish_acked("jobs/a", b"one"), 0);
    assert_eq!(publisher.publish_retained("state/a", b"kept") & 0x80, 0);
    let stopped = weir_.terminate();
    let data_dir = stopped.data_dir();

    let backup = folder.path().join("backup.tar");
    let said = succeed(&weir(&["backup", text(&backup), "--data-dir", text(&data_dir)]));
    assert!(said.contains("files of a stopped broker"), "{said}");
    let said = succeed(&weir(&["restore", "--check", text(&backup)]));
    assert!(said.contains("backup.tar: whole"), "{said}");
    let said = fail(&weir(&["backup", text(&backup), "--data-dir", text(&data_dir)]), 1);
    assert!(said.contains("is there already"), "{said}");

    let restored = folder.path().join("restored");
    succeed(&weir(&["restore", text(&backup), "--data-dir", text(&restored)]));
    assert!(!restored.join("admin.token").exists());
    let weir = Weir::start(Options::new().data_dir(&restored));
    let view = weir.rest().get("/queues/jobs%2F%23").body;
    assert_eq!((&view["max_attempts"], &view["stats"]["ready"]), (&json!(7), &json!(1)), "{view}");
    let mut client = weir.connect(&sleeper());
    assert_eq!(client.message().1, b"one");
    let mut subscriber = weir.connect(&ada("subscriber"));
    assert_eq!(subscriber.subscribe("state/#", 1), 1);
    assert_eq!(subscriber.message().1, b"kept");
}

/// A broker with messages of more than what lies between it and whoever takes a backup slowly.
fn loaded(options: Options) -> Weir {
    let weir = Weir::start(options.set("log.segment_size", "4MiB"));
    weir.rest().create_queue("big", json!({}));
    let payloads: Vec<Vec<u8>> = (0..400)
        .map(|number| {
            let mut payload = format!("{number} ").into_bytes();
            payload.extend(Random::seeded().bytes(60_000));
            payload
        })
        .collect();
    let mut publisher = weir.connect(&Connect::new("publisher"));
    publisher.publish_all(50, payloads.iter().map(|payload| ("big", payload.as_slice())));
    weir
}

/// Asks for a backup and takes only its beginning.
fn begin_backup(weir: &Weir) -> TcpStream {
    let (_, authorization) = weir.rest().address_and_authorization();
    let mut stream = TcpStream::connect(weir.http).expect("it listens");
    let request = format!(
        "GET /api/v1/backup HTTP/1.1\r\nhost: weir\r\nauthorization: {authorization}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut beginning = [0; 1024];
    stream.read_exact(&mut beginning).expect("it answers");
    assert!(beginning.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&beginning));
    stream
}

#[test]
fn a_kill_in_the_middle_of_a_backup_costs_nothing() {
    let weir = loaded(Options::new());
    let stream = begin_backup(&weir);
    // One at a time.
    assert_eq!(weir.rest().get("/backup").status, 409);
    let weir = weir.kill().restart();
    drop(stream);
    let expected: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    assert_eq!(drain(&weir, "big", 400), expected);
}

#[test]
fn whoever_goes_away_ends_a_backup_and_the_next_one_begins() {
    let weir = loaded(Options::new());
    drop(begin_backup(&weir));
    let folder = tempfile::tempdir().expect("a temporary directory");
    let said = until("the end of the first backup", || {
        let output = weir.try_command(&["backup", text(folder.path())], "");
        (output.status.code() == Some(0)).then(|| succeed(&output))
    });
    assert!(said.contains("weir-backup-") && said.contains("of a running broker"), "{said}");
    let names: Vec<PathBuf> = fs::read_dir(folder.path())
        .expect("it is there")
        .map(|entry| entry.expect("one").path())
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    succeed(&self::weir(&["restore", "--check", text(&names[0])]));
}

#[test]
fn a_full_disk_ends_a_backup_and_the_broker_goes_on() {
    let Some(mount) = Mount::tmpfs("8m") else { return };
    let weir = loaded(Options::new());
    let backup = mount.path().join("backup.tar");
    let said = fail(&weir.try_command(&["backup", text(&backup)], ""), 1);
    assert!(said.contains("backup.tar.part") && said.contains("space"), "{said}");
    assert_eq!(
        fs::read_dir(mount.path()).expect("it is there").count(),
        0,
        "nothing is left of it"
    );
    let mut publisher = weir.connect(&Connect::new("goes-on"));
    assert_eq!(publisher.publish_acked("big", b"400 "), 0);

    // A restore looks for room before it writes.
    let folder = tempfile::tempdir().expect("a temporary directory");
    let backup = folder.path().join("backup.tar");
    until("the end of the first backup", || {
        let output = weir.try_command(&["backup", text(&backup)], "");
        (output.status.code() == Some(0)).then_some(())
    });
    let restored = mount.path().join("restored");
    let said = fail(&self::weir(&["restore", text(&backup), "--data-dir", text(&restored)]), 1);
    assert!(said.contains("has room for"), "{said}");
    assert_eq!(fs::read_dir(&restored).expect("it is there").count(), 0, "nothing is left of it");
}

/// A restore that is killed leaves its mark, and no broker takes the beginning of a backup for a data directory.
#[test]
fn nothing_starts_on_a_restore_that_was_not_finished() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let weir_ = Weir::start(Options::new());
    let backup = folder.path().join("backup.tar");
    let _ = weir_.command(&["backup", text(&backup)], "");
    let restored = folder.path().join("restored");
    succeed(&weir(&["restore", text(&backup), "--data-dir", text(&restored)]));
    let mark = restored.join("restoring");
    fs::write(&mark, b"").expect("it can be written");
    let Err(refused) = Weir::try_start(Options::new().data_dir(&restored)) else {
        panic!("it serves what was not restored")
    };
    let says = |line: &String| line.contains("was not finished") && line.contains(text(&mark));
    assert!(refused.lines.iter().any(says), "{:#?}", refused.lines);
    let said = fail(&weir(&["repair", "--data-dir", text(&restored)]), 1);
    assert!(said.contains("was not finished"), "{said}");
    fs::remove_file(&mark).expect("it can be removed");
    drop(Weir::start(Options::new().data_dir(&restored)));
}

#[test]
fn a_restore_refuses_damage_and_a_directory_that_is_not_empty() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let weir_ = Weir::start(Options::new());
    weir_.rest().create_queue("a", json!({}));
    let backup = folder.path().join("backup.tar");
    let _ = weir_.command(&["backup", text(&backup)], "");
    let data_dir = weir_.data_dir().to_owned();
    let said = fail(&weir(&["restore", text(&backup), "--data-dir", text(&data_dir)]), 1);
    assert!(said.contains("is not empty"), "{said}");

    let mut bytes = fs::read(&backup).expect("it is there");
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    fs::write(&backup, &bytes).expect("it can be written");
    let restored = folder.path().join("restored");
    for arguments in [
        ["restore", text(&backup), "--data-dir", text(&restored)].as_slice(),
        &["restore", "--check", text(&backup)],
    ] {
        let said = fail(&weir(arguments), 1);
        assert!(said.contains("is no whole backup"), "{said}");
    }
    assert!(!restored.exists());
    let said = fail(&weir(&["restore"]), 2);
    assert!(said.contains("BACKUP"), "{said}");
}
