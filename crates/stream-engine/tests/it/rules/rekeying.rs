//! Keys of messages that are here when the properties change.

use stdx::{Instant, UnixMillis};
use stream_engine::{Input, NewMessage, Offset, Snapshot, Stream, StreamConfig, invariants};

use crate::transcript::{check, stored_at};
use crate::twin::rekey;

#[test]
fn a_group_waits_for_keys_and_then_keeps_their_order() {
    check(
        StreamConfig::default(),
        "append 5                ->
         attach a g:g 9 earliest -> a0 a1 a2 a3 a4 g:g@0/5
         attach c one 9 earliest -> c0 c1 c2 c3 c4 one@0/5
         release a 1             ->
         release a 3             ->
         set keyed on            ->
         append 2 key=1          -> c5 c6
         accept a 0              -> g:g@1/5
         wait 1m                 ->
         rekey 1,2,1             ->
         rekey 2,1               -> a1#2
         rekey 1                 -> none
         accept a 1              -> a3#2 g:g@2/7
         accept a 2              -> g:g@3/7
         accept a 4              -> a5 g:g+4",
    );
}

#[test]
fn only_the_newest_of_each_new_key_is_kept() {
    check(
        StreamConfig { keyed: true, ..StreamConfig::default() },
        "append 4 key=1,2,3      ->
         set last_value on       -> replaced:0
         set generation 1        ->
         append 1 key=5          ->
         append 1 key=5 of=1     ->
         set max_messages 5      ->
         rekey 5,6,6             ->
         rekey 5                 -> replaced:2 replaced:1 replaced:4
         peek 0                  -> 3 5",
    );
}

#[test]
fn another_change_begins_anew_and_one_back_ends_it() {
    check(
        StreamConfig { keyed: true, ..StreamConfig::default() },
        "append 4 key=1,2        ->
         attach a g:g 9 earliest -> a0 a1 g:g@0/4
         set generation 1        ->
         rekey 1,1               ->
         set generation 2        ->
         rekey 7,8,7             ->
         set generation 3        ->
         set keyed off           -> a2 a3
         rekey 1                 -> none
         set keyed on            ->
         purge 0 3               -> purged:0 purged:1 purged:2
         purge 0 9               -> purged:3
         append 1 key=7 of=3     -> a4",
    );
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let mut stream = Stream::new(StreamConfig::default());
    let handle = |stream: &mut Stream, input| {
        stream.handle(Instant::from_millis(1), input, &mut Vec::new()).expect("legal");
        invariants::check(stream).expect("in order");
    };
    for n in 0..9 {
        let message = NewMessage::new(stored_at(n), 100, UnixMillis(1));
        handle(&mut stream, Input::Append(message));
    }
    let keyed = StreamConfig { keyed: true, ..StreamConfig::default() };
    handle(&mut stream, Input::Reconfigure(Box::new(keyed)));
    for round in [0, 1] {
        let some = rekey(&stream, 300).expect("some need keys");
        handle(&mut stream, some);
        let mut bytes = Vec::new();
        stream.snapshot(|_| Offset(0)).encode(&mut bytes);
        let snapshot = Snapshot::decode(&bytes).expect("legal");
        assert_eq!((bytes[0], &snapshot), (3, &stream.snapshot(|_| Offset(0))));
        stream = Stream::restore(stream.config().clone(), snapshot);
        assert_eq!(stream.rekeying(), 6 - round * 3);
    }
    let rest = rekey(&stream, 900).expect("some need keys");
    handle(&mut stream, rest);
    assert_eq!((stream.rekeying(), rekey(&stream, 900)), (0, None));
    let keys: Vec<u64> = stream.peek(Offset(0)).map(|message| message.key.0).collect();
    assert_eq!(keys, [0, 1, 2, 3, 0, 1, 2, 3, 0]);
}
