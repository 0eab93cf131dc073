//! How far readers are behind, and when what they have not settled is lost.

use std::time::Duration;

use stdx::{Instant, UnixMillis};
use stream_engine::{
    Action, Input, MemberId, NewMessage, Offset, Outcome, ReaderName, Start, StoredAt, Stream,
    StreamConfig,
};

use super::config;
use crate::transcript::check;

#[test]
fn readers_that_are_away_count_and_each_number_is_the_greatest_of_any() {
    check(
        config(),
        "behind                -> messages=0 bytes=0 oldest=none readers=0
         attach a x 1 latest   -> x@0/0
         detach a              ->
         behind                -> messages=0 bytes=0 oldest=none readers=0
         append 1 size=7       ->
         behind                -> messages=1 bytes=7 oldest=0 readers=1
         attach b y 9 latest   -> y@1/1
         append 1 size=900     -> b1
         append 2 size=10      -> b2 b3
         behind                -> messages=4 bytes=927 oldest=0 readers=2
         accept b 2            -> y+2
         accept b 3            -> y+3
         attach a x 9 next     -> a0 a1 a2 a3
         accept a 1            -> x+1
         accept a 2            -> x+2
         detach a              ->
         behind                -> messages=2 bytes=900 oldest=0 readers=2
         accept b 1            -> y@4/4
         behind                -> messages=2 bytes=17 oldest=0 readers=1
         purge 0 4             -> purged:0 purged:1 purged:2 purged:3
         behind                -> messages=0 bytes=0 oldest=none readers=0",
    );
}

/// The first messages of a stream say little of its pace; what a full one has dropped is gone, and what is here says much.
#[test]
fn a_young_stream_is_taken_to_have_stood_for_a_minute() {
    check(
        StreamConfig { retention: Duration::ZERO, max_messages: Some(20), ..config() },
        "attach a x 1 latest   -> x@0/0
         detach a              ->
         append 10             ->
         losses                -> messages=66000ms
         wait 30s              ->
         losses                -> messages=66000ms
         wait 60s              ->
         losses                -> messages=99000ms
         append 10             ->
         append 1              -> dropped:0
         losses                -> messages=4500ms
         append 19             -> dropped:1 dropped:2 dropped:3 dropped:4 dropped:5 dropped:6 dropped:7 dropped:8 dropped:9 dropped:10 dropped:11 dropped:12 dropped:13 dropped:14 dropped:15 dropped:16 dropped:17 dropped:18 dropped:19
         losses                -> messages=50ms",
    );
}

#[test]
fn what_is_not_settled_is_lost_by_age_or_by_what_comes() {
    check(
        StreamConfig {
            retention: Duration::from_secs(86_400),
            max_messages: Some(100),
            max_bytes: Some(30_000),
            ..config()
        },
        "attach a x 1 latest   -> x@0/0
         losses                ->
         detach a              ->
         append 10             ->
         wait 100s             ->
         losses                -> age=86300000ms messages=910000ms bytes=2900100ms
         append 80             ->
         losses                -> age=86300000ms messages=12222ms bytes=233344ms
         set max_messages none ->
         losses                -> age=86300000ms bytes=233344ms
         wait 500s             ->
         losses                -> age=85800000ms bytes=1400066ms
         wait 1s               ->
         losses                -> age=85799000ms bytes=1575075ms
         wait 600s             ->
         losses                -> age=85199000ms
         set retention 0s      ->
         losses                ->
         set max_bytes 9000    ->
         append 1              -> dropped:0
         losses                -> bytes=6000ms
         attach a x 1 latest   -> x@91/91
         losses                ->",
    );
}

/// One that has settled much behind an old message is less behind than one that has a younger one and nothing behind it.
#[test]
fn of_hundreds_of_readers_the_greatest_lag_is_found() {
    let mut stream = Stream::new(StreamConfig { max_inflight: 400, ..config() });
    let mut handle = |input| {
        let mut actions = Vec::new();
        stream.handle(Instant::ZERO, input, &mut actions).expect("it fits");
        actions
    };
    for n in 0..300_u32 {
        let size = if n == 299 { 100_000 } else { 1 + n };
        handle(Input::Append(NewMessage::new(StoredAt(n.into()), size, UnixMillis(0))));
    }
    for n in 0..300_u64 {
        let (member, reader) = (MemberId(n), ReaderName::client(&format!("reader {n}")));
        let start = Start::Offset(Offset(n / 2));
        let given = handle(Input::Attach { member, reader, start, window: 400 });
        for action in given {
            let Action::Deliver { offset, .. } = action else { continue };
            // The last ones leave most of what they were given, the first ones nearly nothing.
            if offset.0 > n / 2 && (offset.0 * 7 + n) % 300 > n {
                handle(Input::Settle { member, offset, outcome: Outcome::Accept });
            }
        }
    }
    let names: Vec<&ReaderName> = stream.reader_names().collect();
    let states = stream.readers_of(&names);
    let most = |number: fn(&stream_engine::ReaderState) -> u64| states.iter().map(number).max();
    let behind = stream.behind();
    assert_eq!(Some(behind.messages), most(|state| state.lag));
    assert_eq!(Some(behind.bytes), most(|state| state.lag_bytes));
    assert_eq!((behind.readers, behind.oldest), (300, Some(Offset(0))));
    let first = stream.reader(&ReaderName::client("reader 0")).expect("it is known");
    assert!(first.lag < behind.messages, "it is not the one that has the oldest");
}
