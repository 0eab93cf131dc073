//! Where a message stands, and what keeps it there.

use std::time::Duration;

use queue_engine::{DispatchStrategy, QueueConfig};

use crate::transcript::{check, config};

const KEY_ORDERED: DispatchStrategy = DispatchStrategy::KeyOrdered;
const ROUND_ROBIN: DispatchStrategy = DispatchStrategy::RoundRobin;
const SINGLE_ACTIVE: DispatchStrategy = DispatchStrategy::SingleActive;

#[test]
fn what_holds_the_whole_queue_holds_each_ready_message() {
    check(
        config(ROUND_ROBIN),
        "why 0        -> it has not come yet
         enqueue 3    ->
         why 0        -> ready: no consumer is attached
         why 3        -> it has not come yet
         pause        ->
         attach a 1   ->
         why 1        -> ready: the queue is paused
         resume       -> a0
         why 0        -> in flight at a since 0ms until 300000ms
         why 1        -> ready: no consumer has credit: 1 messages are unsettled
         busy a 0     ->
         why 0        -> ready: all consumers with credit were too busy and rest
         wait 2s      -> a0
         accept a 0   -> settled:0 a1
         why 0        -> it is not here any more
         release a 1  -> tried:1=1 a2
         why 1        -> delayed: it was released and is tried again in some time
         accept a 2   -> settled:2
         wait 2s      -> a1#2
         why 1        -> in flight at a since 0ms until 300000ms",
    );
}

#[test]
fn a_delayed_message_says_until_when() {
    check(
        QueueConfig { keep_settled: Duration::from_secs(60), ..config(ROUND_ROBIN) },
        "clock               ->
         enqueue 1 delay=5s  ->
         why 0               -> delayed: its publisher holds it back
         wait 5s             -> tried:0=1
         why 0               -> ready: no consumer is attached
         attach a 1          -> a0
         accept a 0          -> kept:0
         why 0               -> it was settled and is kept",
    );
}

#[test]
fn a_message_whose_key_is_busy_names_the_one_that_holds_it() {
    check(
        config(KEY_ORDERED),
        "attach a 9               ->
         attach b 9               ->
         enqueue 5 key=1,1,1,2,2  -> a0 b3
         why 1                    -> ready: the message at offset 0, of the same key, is unsettled at a
         why 2                    -> ready: the message at offset 1, of the same key, goes before it
         why 4                    -> ready: the message at offset 3, of the same key, is unsettled at b
         release a 0              -> tried:0=1
         why 1                    -> ready: the message at offset 0, of the same key, waits for its next try
         why 0                    -> delayed: it was released and is tried again in some time",
    );
}

#[test]
fn a_key_may_wait_for_the_credit_of_the_consumer_that_has_it() {
    check(
        QueueConfig { key_inflight: 2, ..config(KEY_ORDERED) },
        "attach a 1               ->
         enqueue 2 key=1          -> a0
         attach b 9               ->
         enqueue 1 key=2          -> b2
         why 1                    -> ready: the consumer that has its key has no credit: the message at offset 0, of the same key, is unsettled at a",
    );
}

#[test]
fn behind_many_blocked_keys_free_ones_wait_too() {
    check(
        QueueConfig { key_look_ahead: 2, ..config(KEY_ORDERED) },
        "attach a 9               ->
         enqueue 4 key=1,1,1,1    -> a0
         enqueue 1 key=2          ->
         why 4                    -> ready: 2 messages of blocked keys were passed over, which is the most: those behind wait
         why 3                    -> ready: 2 messages of blocked keys were passed over, which is the most: those behind wait
         why 2                    -> ready: the message at offset 1, of the same key, goes before it",
    );
}

#[test]
fn a_message_may_be_too_large_for_those_with_credit() {
    check(
        config(ROUND_ROBIN),
        "attach a 1          ->
         attach b 1          ->
         enqueue 2           -> a0 b1
         too_large a 0       ->
         why 0               -> ready: those with credit cannot take it: it is too large for 1 of 2 consumers
         accept b 1          -> settled:1 b0",
    );
}

#[test]
fn who_let_a_lease_run_out_does_not_get_it_again_while_there_is_another() {
    check(
        QueueConfig { ack_timeout: Duration::from_secs(30), ..config(ROUND_ROBIN) },
        "attach a 1     ->
         enqueue 1      -> a0
         wait 20s       ->
         attach b 1     ->
         enqueue 1      -> b1
         wait 11s       -> tried:0=1
         why 0          -> ready: those with credit cannot take it: it was not settled in time by 1 of 2 consumers",
    );
}

#[test]
fn a_single_active_consumer_says_what_it_waits_for() {
    check(
        QueueConfig { max_inflight: 1, ..config(SINGLE_ACTIVE) },
        "attach a 1     ->
         attach b 1     ->
         enqueue 3      -> a0
         why 1          -> ready: the consumer whose turn it is has no credit: 1 messages are unsettled
         why 2          -> ready: the message at offset 1 goes before it
         release a 0    -> tried:0=1
         why 1          -> ready: the order of the queue is kept: the message at offset 0 waits for its next try",
    );
}

#[test]
fn while_keys_are_made_anew_nothing_goes() {
    check(
        config(KEY_ORDERED),
        "attach a 1       ->
         enqueue 2 key=1  -> a0
         generation 1     ->
         why 1            -> ready: the keys of 2 waiting messages are still to be made anew, by properties that have changed",
    );
}
