//! Retention, limits, last values.

use stream_engine::StreamConfig;

use super::config;
use crate::transcript::check;

#[test]
fn messages_expire_by_age_or_by_their_own_time() {
    check(
        StreamConfig { retention: std::time::Duration::from_secs(60), ..config() },
        "append 1              ->
         append 1 ttl=5s       ->
         attach a x 1 earliest -> a0 x@0/1
         deadline              -> none
         wait 30s              ->
         clock                 -> expired:1
         append 1              ->
         deadline              -> 30000ms
         wait 30s              -> expired:0
         ledger                -> kept=1 expired=2 bytes=100 readers=1 members=1
         accept a 0            -> a2 x@2/3
         set retention 20s     -> expired:2
         set retention 0s      ->
         append 1              ->
         deadline              -> none
         reader x              -> 2/3 a=1 waiting=0 lag=1 0ms
         wait 7s               ->
         reader x              -> 2/3 a=1 waiting=0 lag=1 7000ms",
    );
}

#[test]
fn the_oldest_go_first_when_there_are_too_many() {
    check(
        StreamConfig { max_messages: Some(3), ..config() },
        "append 4              -> dropped:0
         attach a x 2 earliest -> a1 a2 x@1/3
         append 2              -> dropped:1 dropped:2
         accept a 2            -> a3 x+2
         accept a 1            -> a4 x@3/5
         set max_messages 1    -> dropped:3 dropped:4
         ledger                -> kept=1 dropped=5 bytes=100 readers=1 members=1",
    );
    check(
        StreamConfig { max_bytes: Some(250), ..config() },
        "append 2              ->
         append 1              -> dropped:0
         append 1 size=250     -> dropped:1 dropped:2
         append 1 size=251     -> dropped:3 dropped:4
         attach a x 1 latest   -> x@5/5
         append 1 size=251     -> dropped:5
         append 1              -> a6 x@6/7
         ledger                -> kept=1 dropped=6 bytes=100 readers=1 members=1",
    );
}

/// Whatever has to go at once goes in steps.
#[test]
fn millions_do_not_go_with_one_input() {
    use stdx::{Instant, UnixMillis};
    use stream_engine::{Input, Key, NewMessage, StoredAt, Stream, invariants};
    let changes: [fn(&mut StreamConfig); 3] = [
        |config| config.max_messages = Some(1),
        |config| config.retention = std::time::Duration::from_secs(1),
        |config| config.last_value = true,
    ];
    for (change, left) in changes.into_iter().zip([1, 0, 1]) {
        let mut stream = Stream::new(StreamConfig { keyed: true, ..config() });
        let mut actions = Vec::new();
        let mut handle = |stream: &mut Stream, input| {
            actions.clear();
            stream.handle(Instant::ZERO, input, &mut actions).expect("legal");
            invariants::check(stream).unwrap_or_else(|violation| panic!("{violation}"));
            actions.len()
        };
        for n in 0..150_000 {
            let message = NewMessage::new(StoredAt(n), 1, UnixMillis(1000));
            stream.replay_append(&NewMessage { key: Key(7), ..message });
        }
        handle(&mut stream, Input::Clock(UnixMillis(9000)));
        let mut config = stream.config().clone();
        change(&mut config);
        let mut removed = vec![handle(&mut stream, Input::Reconfigure(Box::new(config)))];
        while stream.next_deadline() == Some(Instant::ZERO) {
            removed.push(handle(&mut stream, Input::Tick));
        }
        assert_eq!(removed.len(), 3, "{removed:?}");
        assert!(removed.iter().all(|count| *count < 66_100), "{removed:?}");
        assert_eq!(
            (stream.ledger().kept, removed.iter().sum::<usize>()),
            (left, 150_000 - left as usize)
        );
    }
}

#[test]
fn what_cannot_stay_is_said_before() {
    use stream_engine::{Full, Stream};
    let stream = |config| Stream::new(config);
    assert_eq!(stream(config()).would_fit(u32::MAX), Ok(()));
    let none = stream(StreamConfig { max_messages: Some(0), ..config() });
    assert_eq!(none.would_fit(1), Err(Full::Messages));
    let small = stream(StreamConfig { max_bytes: Some(100), ..config() });
    assert_eq!(small.would_fit(100), Ok(()));
    assert_eq!(small.would_fit(101), Err(Full::Bytes { max: 100 }));
}

#[test]
fn only_the_newest_of_each_key_stays() {
    check(
        StreamConfig { last_value: true, ..config() },
        "append 4 key=1,2,0,0  ->
         append 1 key=1        -> replaced:0
         peek 0                -> 1 2 3 4
         attach a x 2 earliest -> a1 a2 x@1/3
         append 1 key=2        -> replaced:1
         accept a 1            -> a3 x@2/4
         purge 4 5             -> purged:4
         append 1 key=1        ->
         accept a 2            -> a5 x@3/6
         set last_value off    ->
         append 1 key=1        ->
         peek 0                -> 2 3 5 6 7
         ledger                -> kept=5 replaced=2 purged=1 bytes=500 readers=1 members=1",
    );
    check(
        StreamConfig { keyed: true, ..config() },
        "append 5 key=1,2,1,2,3 ->
         set last_value on      -> replaced:0 replaced:1
         purge 0 9 3            -> purged:4
         peek 0                 -> 2 3",
    );
}
