//! Files that were damaged while the broker was down.

use it::{Connect, Mount, Options, Random, Segments, Stopped, Weir};
use serde_json::json;

/// A broker with `count` stored messages of `size` bytes, killed.
fn stored(count: usize, size: usize) -> Stopped {
    let weir = Weir::start(Options::new().set("log.segment_size", "1MiB"));
    weir.rest().create_queue("a/#", json!({}));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    let mut random = Random::seeded();
    for number in 0..count {
        let mut payload = format!("{number} ").into_bytes();
        payload.extend(random.bytes(size));
        assert_eq!(publisher.publish_acked("a/b", &payload), 0);
    }
    weir.kill()
}

/// The numbers of all messages that come out.
fn drain(weir: &Weir, count: usize) -> Vec<usize> {
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/a/#", 1), 1);
    let number = |payload: &[u8]| {
        let digits = payload.split(|byte| *byte == b' ').next().expect("split gives one part");
        String::from_utf8_lossy(digits).parse().expect("a number")
    };
    let take = |_| {
        let (_, payload, id) = consumer.message();
        consumer.ack(id.expect("QoS 1")).expect("it is connected");
        number(&payload)
    };
    (0..count).map(take).collect()
}

/// The last record is half there, as after a power cut in the middle of a write.
#[test]
fn a_torn_tail_is_cut_and_said() {
    let stopped = stored(100, 200);
    let segments = Segments::of(&stopped.data_dir());
    let (_, before) = segments.end();
    let weir = stopped.restart();
    let mut publisher = weir.connect(&Connect::new("publisher"));
    assert_eq!(publisher.publish_acked("a/b", &[b'x'; 4_000]), 0);
    let stopped = weir.kill();
    let segments = Segments::of(&stopped.data_dir());
    let (path, after) = segments.end();
    assert!(after > before + 4_000, "the message lies behind the others: {before} {after}");
    Segments::unwrite(path, after - 2_000, after);
    let weir = stopped.expect("torn").restart();
    assert_eq!(drain(&weir, 100), (0..100).collect::<Vec<_>>());
    let ledger = weir.rest().until("a/#", "all settled", |ledger| ledger.settled == 100);
    assert_eq!(ledger.waiting(), 0, "{ledger:?}");
    weir.wait_for_line(&["torn", &path.file_name().expect("a name").to_string_lossy()]);
}

#[test]
fn a_flipped_byte_in_an_old_segment_refuses_the_start() {
    let stopped = stored(300, 16_000);
    let segments = Segments::of(&stopped.data_dir());
    assert!(segments.count() >= 4, "{} segments", segments.count());
    let name = segments.oldest().file_name().expect("a name").to_string_lossy().into_owned();
    Segments::flip(segments.oldest(), 500_000);
    let Err(refused) = stopped.try_restart() else { panic!("it serves damaged data") };
    assert!(!refused.status.success());
    let says = |line: &&String| ["damaged", &name, "offset"].iter().all(|part| line.contains(part));
    assert!(refused.lines.iter().any(|line| says(&line)), "{:#?}", refused.lines);
}

#[test]
fn a_read_only_data_directory_refuses_the_start_and_is_named() {
    let Some(mount) = Mount::tmpfs("64m") else { return };
    mount.make_read_only();
    let Err(refused) = Weir::try_start(Options::new().data_dir(mount.path())) else {
        panic!("it serves from a directory that it cannot write")
    };
    assert!(!refused.status.success());
    let path = mount.path().display().to_string();
    assert!(refused.lines.iter().any(|line| line.contains(&path)), "{:#?}", refused.lines);
}
