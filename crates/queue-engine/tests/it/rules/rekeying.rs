//! Keys of messages that wait when the properties change.

use std::time::Duration;

use queue_engine::{DispatchStrategy, Input, Offset, Queue, QueueConfig, Snapshot, invariants};
use stdx::Instant;

use crate::transcript::{check, config};

const PLAIN: DispatchStrategy = DispatchStrategy::RoundRobin;
const KEY_ORDERED: DispatchStrategy = DispatchStrategy::KeyOrdered;

#[test]
fn what_waits_gets_keys_before_anything_goes_by_them() {
    check(
        config(PLAIN),
        "attach a 1           ->
         enqueue 6            -> a0
         strategy 4           ->
         enqueue 1 key=1      ->
         stall                -> the keys of 6 waiting messages are still to be made anew, by properties that have changed
         accept a 0           -> settled:0
         attach b 9           ->
         rekey 1,2            ->
         stall                -> the keys of 3 waiting messages are still to be made anew, by properties that have changed
         rekey 1,2            ->
         rekey 3              -> a1 b2 b5
         rekey 9              -> none
         accept b 2           -> settled:2 b4
         accept a 1           -> settled:1 a3
         accept a 3           -> settled:3 a6",
    );
}

#[test]
fn a_key_waits_for_all_that_is_in_flight_of_it_wherever_that_is() {
    check(
        config(PLAIN),
        "attach a 1           ->
         attach b 1           ->
         enqueue 4            -> a0 b1
         strategy 4           ->
         rekey 1,1,1,1        ->
         attach c 9           ->
         accept a 0           -> settled:0
         accept b 1           -> settled:1 c2
         accept c 2           -> settled:2 a3",
    );
}

#[test]
fn those_that_were_tried_or_passed_over_line_up() {
    check(
        QueueConfig { retry_delay: Duration::from_secs(9), ..config(KEY_ORDERED) },
        "attach a 9           ->
         enqueue 5 key=1,1,2  -> a0 a2
         release a 2          -> tried:2=1
         generation 1         ->
         accept a 0           -> settled:0
         rekey 5,5,5,5        -> a1
         accept a 1           -> settled:1 a2#2
         accept a 2           -> settled:2 a3
         accept a 3           -> settled:3 a4",
    );
}

#[test]
fn one_that_was_ahead_of_its_key_goes_behind_the_older_ones_when_it_comes_back() {
    check(
        config(KEY_ORDERED),
        "attach a 2           ->
         enqueue 4 key=1,1,2  -> a0 a2
         generation 1         ->
         rekey 5,5,5,5        ->
         accept a 0           -> settled:0
         release a 2          -> tried:2=1 a1
         accept a 1           -> settled:1 a2#2
         release a 2          -> tried:2=2
         wait 3s              -> a2#3
         accept a 2           -> settled:2 a3",
    );
}

#[test]
fn the_newest_of_each_new_key_stays() {
    check(
        config(PLAIN),
        "attach a 1           ->
         enqueue 5            -> a0
         last_value on        ->
         enqueue 1 key=2      ->
         rekey 1,2,1,2        ->
         rekey 3              -> replaced:1 replaced:3
         release a 0          -> replaced:0 a2
         ledger               -> ready=2 in_flight=1 replaced=3 bytes=300",
    );
}

#[test]
fn one_without_a_key_is_given_up_where_one_is_wanted() {
    check(
        QueueConfig { dead_letter_unkeyed: true, ..config(PLAIN) },
        "attach a 1           ->
         enqueue 4            -> a0
         strategy 4           ->
         rekey none,1         ->
         rekey none,none      -> dead:2=unkeyed/0 dead:3=unkeyed/0
         accept a 0           -> settled:0 a1",
    );
}

#[test]
fn another_change_begins_anew_and_one_back_ends_it() {
    check(
        config(KEY_ORDERED),
        "enqueue 4 key=1,2    ->
         attach a 1           -> a0
         generation 1         ->
         rekey 1,1            ->
         generation 2         ->
         rekey 7,8,7,8        ->
         generation 3         ->
         rekey 1              ->
         strategy 1           ->
         rekey 1              -> none
         accept a 0           -> settled:0 a1
         accept a 1           -> settled:1 a2",
    );
}

#[test]
fn one_that_comes_with_a_key_of_other_days_gets_a_new_one() {
    check(
        QueueConfig { key_generation: 1, ..config(KEY_ORDERED) },
        "attach a 9           ->
         enqueue 1 key=1 of=1 -> a0
         enqueue 2 key=1      ->
         enqueue 1 key=2 of=1 ->
         rekey 5              ->
         rekey 1              -> a1 a3
         accept a 0           -> settled:0 a2",
    );
}

#[test]
fn all_else_goes_on_meanwhile_and_what_leaves_needs_no_key() {
    check(
        QueueConfig { retry_delay: Duration::ZERO, ..config(PLAIN) },
        "clock                ->
         attach a 1           ->
         enqueue 3            -> a0
         enqueue 1 ttl=5s     ->
         enqueue 1 delay=1s   ->
         strategy 4           ->
         release a 0          -> tried:0=1
         rekey 7              ->
         enqueue 1 key=7      ->
         purge 1 2            -> purged:1
         pause                ->
         redriven 2           -> settled:2
         wait 1s              -> tried:4=1
         resume               ->
         wait 4s              -> expired:3
         purge 4 5            -> purged:4 a0#2
         accept a 0           -> settled:0 a5",
    );
}

#[test]
fn what_is_kept_gets_a_key_for_when_it_comes_back() {
    check(
        QueueConfig { keep_settled: Duration::from_secs(60), ..config(PLAIN) },
        "clock                ->
         attach a 1           ->
         enqueue 2            -> a0
         accept a 0           -> kept:0 a1
         accept a 1           -> kept:1
         strategy 4           ->
         rekey 3              ->
         rewind 0             -> rewound:0+2
         rekey 3              -> a0#2",
    );
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let mut queue = Queue::new(config(PLAIN), 1);
    let now = Instant::from_millis(1);
    let handle = |queue: &mut Queue, input| {
        let mut actions = Vec::new();
        queue.handle(now, input, &mut actions).expect("legal");
        invariants::check(queue).expect("in order");
    };
    for n in 0..9 {
        let message = queue_engine::NewMessage::new(
            crate::transcript::stored_at(n),
            100,
            stdx::UnixMillis(1),
        );
        handle(&mut queue, Input::Enqueue(message));
    }
    handle(&mut queue, Input::Reconfigure(Box::new(config(KEY_ORDERED))));
    for round in [0, 1] {
        let rekey = crate::twin::rekey(&queue, 300).expect("some need keys");
        let Input::Rekey { made, .. } = &rekey else { panic!("{rekey:?}") };
        assert_eq!(made.first().map(|made| made.offset.0), Some(round * 3));
        handle(&mut queue, rekey);
        let mut bytes = Vec::new();
        queue.snapshot(Offset(0)).encode(&mut bytes);
        let snapshot = Snapshot::decode(&bytes).expect("legal");
        assert_eq!((bytes[0], &snapshot), (4, &queue.snapshot(Offset(0))));
        queue = Queue::restore(queue.config().clone(), 1, snapshot);
        assert_eq!(queue.rekeying(), 6 - round * 3);
    }
    let last = crate::twin::rekey(&queue, 900).expect("some need keys");
    handle(&mut queue, last);
    assert_eq!((queue.rekeying(), crate::twin::rekey(&queue, 900)), (0, None));
    let keys: Vec<u64> = queue.peek(Offset(0)).map(|message| message.key.0).collect();
    assert_eq!(keys, [0, 1, 2, 3, 0, 1, 2, 3, 0]);
}
