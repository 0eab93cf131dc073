//! `weir repair` shows what is damaged, changes nothing until it is told to, and loses no more than it said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use it::{Connect, Options, Random, Segments, Stopped, Weir, weir_command};
use serde_json::{Value, json};

const COUNT: usize = 300;

/// A broker with stored messages over several segments, killed.
fn stored(data_dir: &Path, settings: &[(&str, &str)]) -> Stopped {
    let options = Options::new().data_dir(data_dir).set("log.segment_size", "1MiB");
    let options = settings.iter().fold(options, |options, (key, value)| options.set(key, value));
    let weir = Weir::start(options);
    weir.rest().create_queue("a/#", json!({}));
    let mut random = Random::seeded();
    let payload = |number: usize| {
        let mut payload = format!("{number} ").into_bytes();
        payload.extend(random.bytes(16_000));
        payload
    };
    let payloads: Vec<Vec<u8>> = (0..COUNT).map(payload).collect();
    let mut publisher = weir.connect(&Connect::new("publisher"));
    publisher.publish_all(10, payloads.iter().map(|payload| ("a/b", payload.as_slice())));
    assert_eq!(publisher.publish_retained("state", b"on") & 0x80, 0);
    weir.kill()
}

fn repair(data_dir: &Path, more: &[&str]) -> Output {
    let mut command = weir_command();
    command.arg("repair").arg("--data-dir").arg(data_dir).args(more);
    command.output().expect("the binary starts")
}

fn printed(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*said), (Some(code), ""));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The numbers of all messages that come out.
fn drain(weir: &Weir, count: usize) -> Vec<usize> {
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/a/#", 1), 1);
    let take = |_| {
        let (_, payload, id) = consumer.message();
        consumer.ack(id.expect("QoS 1")).expect("it is connected");
        let digits = payload.split(|byte| *byte == b' ').next().unwrap_or_default();
        String::from_utf8_lossy(digits).parse().expect("a number")
    };
    (0..count).map(take).collect()
}

#[test]
fn a_repair_shows_then_applies_and_loses_one_message_for_a_flipped_byte() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let data_dir = folder.path().join("data");
    let stopped = stored(&data_dir, &[]);
    let said = printed(&repair(&data_dir, &[]), 0);
    assert!(said.contains("nothing is damaged") && said.contains("300 messages"), "{said}");
    let segments = Segments::of(&data_dir);
    let name = segments.oldest().file_name().expect("a name").to_string_lossy().into_owned();
    Segments::flip(segments.oldest(), 500_000);
    let Err(refused) = stopped.try_restart() else { panic!("it serves damaged data") };
    assert!(!refused.status.success());

    let shown = printed(&repair(&data_dir, &[]), 1);
    for word in
        [name.as_str(), "1 record is lost", "does not start", "299 messages", "a/# (", "add --yes"]
    {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let report = printed(&repair(&data_dir, &["--json"]), 1);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["findings"][0]["records"], 1, "{report}");
    assert_eq!(report["repaired"], Value::Null);

    let said = printed(&repair(&data_dir, &["--yes"]), 0);
    assert!(said.contains("repaired; ") && said.contains("repaired-"), "{said}");
    let weir = Weir::start(Options::new().data_dir(&data_dir));
    let came = drain(&weir, COUNT - 1);
    let lost = (0..COUNT).find(|number| !came.contains(number)).expect("one is lost");
    let expected: Vec<usize> = (0..COUNT).filter(|number| *number != lost).collect();
    assert_eq!(came, expected, "in their order");
    weir.rest().until("a/#", "an empty queue", |ledger| ledger.waiting() == 0);
    let mut subscriber = weir.connect(&Connect::new("subscriber"));
    assert_eq!(subscriber.subscribe("state", 1), 1);
    assert_eq!(subscriber.message().1, b"on");
    // And it lasts.
    let weir = weir.terminate().restart();
    weir.rest().until("a/#", "an empty queue", |ledger| ledger.settled == COUNT as u64 - 1);
}

/// Checkpoints lie before most of the messages, so that a flipped byte in an old segment does not refuse the start.
#[test]
fn a_damaged_body_before_the_checkpoint_no_longer_stops_its_queue() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let data_dir = folder.path().join("data");
    let stopped = stored(&data_dir, &[("log.checkpoint_every", "1MiB")]);
    Segments::flip(Segments::of(&data_dir).oldest(), 500_000);
    let shown = printed(&repair(&data_dir, &[]), 1);
    for word in ["a broker starts on this", "those of queues: a/# (1)"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert!(!shown.contains("delivered again"), "{shown}");
    let _ = printed(&repair(&data_dir, &["--apply"]), 0);
    let weir = stopped.restart();
    assert_eq!(drain(&weir, COUNT - 1).len(), COUNT - 1);
    let ledger = weir.rest().until("a/#", "an empty queue", |ledger| ledger.waiting() == 0);
    assert_eq!((ledger.enqueued, ledger.dropped), (COUNT as u64, 1), "{ledger:?}");
}

#[test]
fn a_data_directory_in_use_is_not_repaired() {
    let weir = Weir::start(Options::new());
    let output = repair(weir.data_dir(), &["--yes"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("in use"), "{said}");
    let output = repair(&weir.data_dir().join("nothing"), &[]);
    assert_eq!(output.status.code(), Some(1));
    let output = repair(weir.data_dir(), &["--no-such-flag"]);
    assert_eq!(output.status.code(), Some(2));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it can be made");
    for entry in fs::read_dir(from).expect("it is there") {
        let path = entry.expect("one").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("it can be copied");
        }
    }
}

/// Bytes flipped anywhere in the log and the checkpoints: after a repair the broker starts, and what comes out is what went in,
/// all but what the report calls lost.
#[test]
fn after_any_flipped_bytes_what_comes_out_is_what_went_in() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let original = folder.path().join("original");
    let checkpoints = ("log.checkpoint_every", "2MiB");
    drop(stored(&original, &[checkpoints]));
    let mut random = Random::seeded();
    for round in 0..8 {
        let data_dir = folder.path().join(format!("round-{round}"));
        copy(&original, &data_dir);
        let mut files: Vec<PathBuf> = ["log", "state"]
            .iter()
            .flat_map(|folder| fs::read_dir(data_dir.join(folder)).expect("it is there"))
            .map(|entry| entry.expect("one").path())
            .filter(|path| !path.ends_with("reserve"))
            .collect();
        files.sort();
        for _ in 0..=random.below(3) {
            let path = &files[random.below(files.len() as u64) as usize];
            let bytes = fs::metadata(path).expect("it is there").len();
            Segments::flip(path, random.below(bytes) as usize);
        }
        let report = repair(&data_dir, &["--yes", "--json"]);
        let report: Value = serde_json::from_str(&printed(&report, 0)).expect("JSON");
        let weir = Weir::start(Options::new().data_dir(&data_dir).expect("torn"));
        let waiting = weir.rest().ledger("a/#").map_or(0, |ledger| ledger.waiting());
        assert_eq!(report["state"]["waiting"], waiting, "round {round}: {report}");
        let lost = report["lost"]["records"].as_u64().expect("a number");
        let torn = u64::from(!report["torn_tail"].is_null()) * 10;
        assert!(waiting + lost + torn >= COUNT as u64, "round {round}: {report}");
        let came = if waiting > 0 { drain(&weir, waiting as usize) } else { Vec::new() };
        assert!(came.is_sorted() && came.iter().all(|number| *number < COUNT), "round {round}");
        drop(weir);
        fs::remove_dir_all(&data_dir).expect("it can be removed");
    }
}
