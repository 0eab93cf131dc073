//! Order by key, one consumer at a time, last values.

use std::time::Duration;

use queue_engine::{
    Action, ConsumerId, DeadReason, Departure, DispatchStrategy, Input, Key, NewMessage, Offset,
    Outcome, Queue, QueueConfig, invariants,
};
use stdx::{Instant, UnixMillis};

use crate::transcript::{check, config, stored_at};

const KEY_ORDERED: DispatchStrategy = DispatchStrategy::KeyOrdered;
const SINGLE_ACTIVE: DispatchStrategy = DispatchStrategy::SingleActive;

#[test]
fn a_key_is_at_one_consumer_and_others_go_on() {
    check(
        config(KEY_ORDERED),
        "attach a 9               ->
         attach b 9               ->
         enqueue 6 key=1,1,2,1,3,2 -> a0 b2 a4
         stall                    -> the keys of all 3 waiting messages have unsettled ones
         accept a 0               -> settled:0 b1
         accept b 2               -> settled:2 a5
         accept a 4               -> settled:4
         accept b 1               -> settled:1 b3
         accept b 3               -> settled:3
         enqueue 1 key=1          -> b6
         enqueue 1 key=9          -> a7
         ledger                   -> in_flight=3 settled=5 bytes=300",
    );
}

#[test]
fn a_key_keeps_its_order_under_retries() {
    check(
        config(KEY_ORDERED),
        "attach a 9            ->
         enqueue 4 key=1,1,2,1 -> a0 a2
         release a 0           -> tried:0=1
         ledger                -> ready=2 in_flight=1 delayed=1 bytes=400
         attach b 9            ->
         enqueue 1 key=3       -> b4
         accept a 2            -> settled:2
         wait 2s               -> a0#2
         busy a 0              -> tried:0=1 b0#2
         detach b 0            -> tried:0=2
         wait 1s               -> a0#3 a4
         accept a 0            -> settled:0 a1
         reject a 1            -> dead:1=rejected/1 a3
         ledger                -> in_flight=2 settled=2 dead_lettered=1 redelivered=3 bytes=200",
    );
}

#[test]
fn a_key_is_drained_before_it_moves() {
    check(
        QueueConfig { key_inflight: 2, ..config(KEY_ORDERED) },
        "attach a 2            ->
         enqueue 5 key=1       -> a0 a1
         attach b 9            ->
         stall                 -> the keys of all 3 waiting messages have unsettled ones
         accept a 1            -> settled:1 a2
         enqueue 1 key=2       -> b5
         key_inflight 1        ->
         accept a 0            -> settled:0
         accept a 2            -> settled:2 a3
         detach a 3            -> tried:3=1 b3#2
         accept b 3            -> settled:3 b4",
    );
}

#[test]
fn messages_without_a_key_are_of_one_key() {
    check(
        config(DispatchStrategy::RoundRobin),
        "attach a 1        ->
         attach b 1        ->
         enqueue 4 key=1,2 -> a0 b1
         strategy 4        ->
         rekey 0,0,0,0     ->
         enqueue 1 key=5   ->
         accept b 1        -> settled:1 b4
         accept a 0        -> settled:0 a2
         strategy 1        ->
         accept b 4        -> settled:4 b3",
    );
}

#[test]
fn so_many_are_passed_over_and_no_more() {
    check(
        QueueConfig { key_look_ahead: 2, ..config(KEY_ORDERED) },
        "attach a 9              ->
         enqueue 4 key=1         -> a0
         enqueue 1 key=2         ->
         stall                   -> 2 messages of blocked keys were passed over, which is the most: those behind wait
         accept a 0              -> settled:0 a1
         accept a 1              -> settled:1 a2 a4
         ledger                  -> ready=1 in_flight=2 settled=2 bytes=300",
    );
}

#[test]
fn a_message_too_large_for_one_blocks_its_key_until_another_takes_it() {
    check(
        config(KEY_ORDERED),
        "attach a 9          ->
         attach b 1          ->
         enqueue 2 key=1,2   -> a0 b1
         enqueue 1 key=1     ->
         too_large a 0       ->
         stall               -> the keys of all 1 waiting messages have unsettled ones
         accept b 1          -> settled:1 b0
         accept b 0          -> settled:0 a2",
    );
}

#[test]
fn one_consumer_is_active_and_the_next_takes_over() {
    check(
        QueueConfig { ack_timeout: Duration::from_secs(10), ..config(SINGLE_ACTIVE) },
        "attach a 2    ->
         attach b 2    ->
         attach c 2    ->
         enqueue 5     -> a0 a1
         accept a 1    -> settled:1 a2
         detach b      ->
         detach a 0    -> tried:0=1 c0#2 c2
         attach a 9    ->
         wait 10s      -> tried:0=2 tried:2=1 a0#3 a2#2 a3 a4
         accept c 0    -> refused: offset 0 is not leased to consumer 99
         ledger        -> in_flight=4 settled=1 redelivered=3 bytes=400",
    );
}

#[test]
fn a_single_active_consumer_that_is_busy_hands_over() {
    check(
        config(DispatchStrategy::SingleActive),
        "attach a 2    ->
         attach b 2    ->
         attach c 2    ->
         enqueue 3     -> a0 a1
         busy a 1      ->
         stall         -> the next consumer waits until another one settles its 1 messages
         accept a 0    -> settled:0 b1 b2
         busy b 1      ->
         busy b 2      -> c1 c2
         busy c 2      ->
         accept c 1    -> settled:1
         stall         -> all consumers with credit were too busy and rest
         wait 1s       -> a2",
    );
}

#[test]
fn a_single_active_consumer_with_one_in_flight_keeps_the_order_under_retries() {
    check(
        QueueConfig { max_inflight: 1, retry_delay: Duration::ZERO, ..config(SINGLE_ACTIVE) },
        "attach a 9      ->
         attach b 9      ->
         enqueue 3       -> a0
         release a 0     -> tried:0=1 a0#2
         accept a 0      -> settled:0 a1
         too_large a 1   -> b1
         stall           -> the next consumer waits until another one settles its 1 messages
         accept b 1      -> settled:1 a2",
    );
}

#[test]
fn nothing_overtakes_a_message_in_back_off_where_one_is_in_flight_at_most() {
    check(
        QueueConfig { max_inflight: 1, ..config(SINGLE_ACTIVE) },
        "attach a 9      ->
         enqueue 3       -> a0
         release a 0     -> tried:0=1
         stall           -> the order of the queue is kept: the message at offset 0 waits for its next try
         attach b 9      ->
         enqueue 1       ->
         detach a        ->
         wait 2s         -> b0#2
         accept b 0      -> settled:0 b1
         release b 1     -> tried:1=1
         purge 0 9       -> purged:1 purged:2 purged:3
         enqueue 1       -> b4",
    );
}

/// With more in flight order is not kept anyway: the back-off of a message is time in which others go.
#[test]
fn others_go_while_one_waits_for_its_next_try_where_several_are_in_flight() {
    check(
        QueueConfig { max_inflight: 2, ..config(SINGLE_ACTIVE) },
        "attach a 1      ->
         enqueue 2       -> a0
         release a 0     -> tried:0=1 a1",
    );
}

#[test]
fn whoever_takes_over_waits_until_the_other_has_nothing_left() {
    check(
        QueueConfig { ack_timeout: Duration::from_secs(10), ..config(SINGLE_ACTIVE) },
        "attach a 3    ->
         enqueue 1     -> a0
         wait 5s       ->
         enqueue 3     -> a1 a2
         attach b 9    ->
         wait 5s       -> tried:0=1
         stall         -> the next consumer waits until another one settles its 2 messages
         accept a 1    -> settled:1
         accept a 2    -> settled:2 b0#2 b3",
    );
}

#[test]
fn the_newest_of_a_key_stays_in_its_own_place() {
    check(
        QueueConfig { last_value: true, ..config(DispatchStrategy::RoundRobin) },
        "enqueue 3 key=1,2,3  ->
         enqueue 1 key=1      -> replaced:0
         attach a 1           -> a1
         enqueue 1 key=2      ->
         enqueue 1 key=2      -> replaced:4
         release a 1          -> replaced:1 a2
         accept a 2           -> settled:2 a3
         enqueue 1 key=1      ->
         accept a 3           -> settled:3 a5
         enqueue 2            ->
         ledger               -> ready=3 in_flight=1 settled=2 replaced=3 bytes=400",
    );
}

#[test]
fn an_older_one_does_not_come_back_when_the_newer_one_is_settled() {
    check(
        QueueConfig { last_value: true, ..config(DispatchStrategy::RoundRobin) },
        "attach a 2      ->
         enqueue 2 key=1 -> a0 a1
         accept a 1      -> settled:1
         detach a 0      -> tried:0=1 replaced:0",
    );
}

#[test]
fn last_value_is_switched_on_for_what_is_here() {
    check(
        config(KEY_ORDERED),
        "enqueue 5 key=1,2,1,2,0 ->
         attach a 1       -> a0
         last_value on    -> replaced:1
         accept a 0       -> settled:0 a2
         enqueue 1 key=1  ->
         last_value off   ->
         release a 2      -> tried:2=1 a3",
    );
}

#[test]
fn a_message_without_a_key_is_given_up_where_one_is_wanted() {
    let wanting = QueueConfig { dead_letter_unkeyed: true, ..config(DispatchStrategy::KeyOrdered) };
    check(
        wanting,
        "attach a 9            ->
         enqueue 1 key=none    -> dead:0=unkeyed/0
         enqueue 1 key=7       -> a1
         ledger                -> in_flight=1 dead_lettered=1 bytes=100",
    );
    check(
        config(DispatchStrategy::KeyOrdered),
        "attach a 9            ->
         enqueue 1 key=none    ->
         rekey none            -> a0",
    );
}

#[test]
fn a_message_without_a_key_whose_death_the_log_does_not_have_is_given_up_after_a_restart() {
    let wanting = QueueConfig { dead_letter_unkeyed: true, ..config(DispatchStrategy::KeyOrdered) };
    let mut queue = Queue::new(wanting, 7);
    for offset in 0..3 {
        let message = NewMessage::new(stored_at(offset), 100, UnixMillis(1_800_000_000_000));
        queue.replay_enqueue(&NewMessage { is_unkeyed: offset < 2, ..message });
    }
    queue.replay_left(Offset(0), Departure::DeadLettered);
    let mut actions = Vec::new();
    queue.handle(Instant::from_millis(1), Input::Tick, &mut actions).expect("legal");
    let given_up = Action::DeadLetter {
        offset: Offset(1),
        at: stored_at(1),
        reason: DeadReason::Unkeyed,
        attempts: 0,
    };
    assert_eq!(actions, [given_up]);
    assert_eq!((queue.ledger().ready, queue.ledger().dead_lettered), (1, 2));
}

/// Offsets that a queue delivers with an input, each accepted before the next one.
fn drained(queue: &mut Queue, now: Instant, input: Input) -> Vec<u64> {
    let (mut came, mut actions) = (Vec::new(), Vec::new());
    queue.handle(now, input, &mut actions).expect("legal");
    while let Some(action) = actions.pop() {
        let Action::Deliver { consumer, offset, .. } = action else { continue };
        came.push(offset.0);
        let accept = Input::Settle { consumer, offset, attempt: 1, outcome: Outcome::Accept };
        queue.handle(now, accept, &mut actions).expect("legal");
    }
    came
}

/// After a restart offset 0 is ready, which was in flight, and 1 and 2 wait until a time that the clock shows then; all have a key.
fn restarted(config: QueueConfig, shows: UnixMillis) -> Queue {
    let mut queue = Queue::new(config, 1);
    for offset in 0..4 {
        let message = NewMessage::new(stored_at(offset), 100, UnixMillis(1));
        queue.replay_enqueue(&NewMessage { key: Key(7), ..message });
    }
    queue.replay_dispatched(Offset(3));
    for offset in [2, 1] {
        queue.replay_attempts(Offset(offset), 1, Some(UnixMillis(1_000)));
    }
    queue.end_replay();
    for input in [Input::Clock(shows), Input::Tick] {
        queue.handle(Instant::from_millis(1), input, &mut Vec::new()).expect("legal");
        invariants::check(&queue).expect("in order");
    }
    queue
}

#[test]
fn what_was_tried_before_a_restart_is_in_order_when_the_queue_begins_to_go_by_keys() {
    let now = Instant::from_millis(1);
    for shows in [500, 1_000].map(UnixMillis) {
        let mut queue = restarted(QueueConfig::default(), shows);
        let attach = Input::Attach { consumer: ConsumerId(1), max_inflight: 1 };
        let mut came = Vec::new();
        for input in [Input::Reconfigure(Box::new(config(KEY_ORDERED))), attach] {
            came.extend(drained(&mut queue, now, input));
        }
        let rekey = crate::twin::rekey(&queue, 9_000).expect("some need keys");
        came.extend(drained(&mut queue, now, rekey));
        assert_eq!(came, [0, 1, 2, 3], "at {shows:?}");
    }
}

#[test]
fn after_a_restart_nothing_waits_that_comes_behind_a_ready_one_of_its_key() {
    // Keys by offset: 0 was in flight when the keys were made anew, as 2 was, which was released; 1 and 3 were released.
    let keys = [7, 8, 7, 8, 8];
    for (key_inflight, first, then) in
        [(1, &[0, 2][..], &[1, 3, 4][..]), (2, &[0][..], &[1, 2, 3, 4][..])]
    {
        let config = QueueConfig { key_inflight, ..config(KEY_ORDERED) };
        let mut queue = Queue::new(config, 1);
        for (offset, key) in (0..).zip(keys) {
            let message = NewMessage::new(stored_at(offset), 100, UnixMillis(1));
            queue.replay_enqueue(&NewMessage { key: Key(key), ..message });
        }
        queue.replay_dispatched(Offset(4));
        for offset in [3, 2, 1] {
            queue.replay_attempts(Offset(offset), 1, Some(UnixMillis(1_000)));
        }
        queue.end_replay();
        invariants::check(&queue).expect("in order");
        let now = Instant::from_millis(1);
        let attach = Input::Attach { consumer: ConsumerId(1), max_inflight: 1 };
        for input in [Input::Pause, attach, Input::Clock(UnixMillis(500))] {
            queue.handle(now, input, &mut Vec::new()).expect("legal");
        }
        let came = drained(&mut queue, now, Input::Resume);
        assert_eq!(came, first, "at once, with {key_inflight} of a key in flight");
        let later = Instant::from_millis(501);
        assert_eq!(drained(&mut queue, later, Input::Tick), then, "then, with {key_inflight}");
    }
}
