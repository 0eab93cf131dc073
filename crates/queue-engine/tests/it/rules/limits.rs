//! How many a queue takes.

use queue_engine::{DispatchStrategy, Full, Key, Overflow, Queue, QueueConfig};

use crate::transcript::{check, config};

#[test]
fn the_oldest_that_is_not_in_flight_goes() {
    let limited = QueueConfig {
        max_messages: Some(3),
        overflow: Overflow::DropOldest,
        ..config(DispatchStrategy::RoundRobin)
    };
    check(
        limited.clone(),
        "attach a 2       ->
         enqueue 3        -> a0 a1
         enqueue 1        -> dropped:2
         release a 1      -> tried:1=1 a3
         enqueue 1        -> dropped:1
         ledger           -> ready=1 in_flight=2 dropped=2 bytes=300
         max_messages 1   -> dropped:0 dropped:3 a4
         accept a 0       -> refused: offset 0 is not leased to consumer 97
         enqueue 1        -> dropped:4 a5
         max_messages x   ->
         enqueue 2        -> a6",
    );
    check(
        QueueConfig { dead_letter_dropped: true, ..limited },
        "enqueue 4        -> dead:0=dropped/0
         ledger           -> ready=3 dead_lettered=1 bytes=300",
    );
}

#[test]
fn what_would_not_fit_is_told_before() {
    let queue = |overflow| {
        let limits = QueueConfig {
            max_messages: Some(3),
            max_bytes: Some(1000),
            overflow,
            ..QueueConfig::default()
        };
        Queue::new(limits, 0)
    };
    let rejecting = queue(Overflow::RejectPublish);
    for (size, messages, bytes, fits) in [
        (1000, 0, 0, Ok(())),
        (1001, 0, 0, Err(Full::Bytes { max: 1000 })),
        (500, 2, 500, Ok(())),
        (500, 2, 501, Err(Full::Bytes { max: 1000 })),
        (1, 3, 3, Err(Full::Messages { max: 3 })),
        (1, 0, u64::MAX, Err(Full::Bytes { max: 1000 })),
    ] {
        assert_eq!(rejecting.would_fit(size, Key::NONE, messages, bytes), fits, "{size}");
    }
    let dropping = queue(Overflow::DropOldest);
    assert_eq!(dropping.would_fit(1000, Key::NONE, 9, 9000), Ok(()));
    let too_large = dropping.would_fit(1001, Key::NONE, 0, 0);
    assert_eq!(too_large.unwrap_err().to_string(), "the queue has its 1000 bytes");
}
