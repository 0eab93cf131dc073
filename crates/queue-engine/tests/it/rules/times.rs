//! Expiry, retention, delays, message ids, what is kept.

use std::time::Duration;

use queue_engine::{DispatchStrategy, QueueConfig};

use crate::transcript::{check, config};

fn plain() -> QueueConfig {
    QueueConfig { retry_delay: Duration::from_secs(10), ..config(DispatchStrategy::RoundRobin) }
}

#[test]
fn a_message_expires_at_its_moment_wherever_it_waits() {
    check(
        plain(),
        "clock               ->
         enqueue 2 ttl=5s    ->
         enqueue 1 ttl=3s    ->
         enqueue 1           ->
         deadline            -> 3000ms
         wait 2999ms         ->
         wait 1ms            -> expired:2
         deadline            -> 2000ms
         attach a 1          -> a0
         wait 2s             -> expired:1
         release a 0         -> expired:0 a3
         ledger              -> in_flight=1 expired=3 bytes=100",
    );
}

#[test]
fn one_that_expires_is_not_delivered_even_before_the_tick() {
    check(
        QueueConfig { dead_letter_expired: true, ..plain() },
        "clock               ->
         attach a 1          ->
         enqueue 1           -> a0
         enqueue 1 ttl=1s    ->
         enqueue 1 ttl=4s    ->
         release a 0         -> tried:0=1 a1
         busy a 1            ->
         wait 2s             -> dead:1=expired/0
         deadline            -> 2000ms
         wait 2s             -> dead:2=expired/0
         wait 8s             -> a0#2
         expired a 0         -> dead:0=expired/1
         ledger              -> dead_lettered=3 redelivered=1",
    );
}

#[test]
fn retention_counts_from_when_it_was_stored_and_can_change() {
    check(
        plain(),
        "enqueue 1           ->
         wait 1h             ->
         enqueue 1           ->
         retention 30m       ->
         clock               -> expired:0
         deadline            -> 1800000ms
         retention 0         ->
         deadline            -> none
         wait 1h             ->
         retention 2h        ->
         deadline            -> 3600000ms
         retention 1h        -> expired:1",
    );
}

#[test]
fn without_a_clock_nothing_expires_and_nothing_falls_due() {
    check(
        plain(),
        "enqueue 1 ttl=1s    ->
         enqueue 1 delay=1s  ->
         wait 365d           ->
         deadline            -> none
         attach a 9          -> a0
         ledger              -> in_flight=1 delayed=1 bytes=200",
    );
}

#[test]
fn delayed_messages_go_in_order_of_their_times() {
    check(
        plain(),
        "clock               ->
         enqueue 1 delay=5s  ->
         enqueue 2 delay=3s  ->
         enqueue 1 delay=2s ttl=1s ->
         enqueue 3           ->
         ledger              -> ready=3 delayed=4 bytes=700
         deadline            -> 1000ms
         attach a 1          -> a4
         wait 1s             -> expired:3
         stall               -> no consumer has credit: 1 messages are unsettled
         wait 4s             -> tried:1=1 tried:2=1 tried:0=1
         ledger              -> ready=5 in_flight=1 expired=1 bytes=600
         accept a 4          -> settled:4 a1
         accept a 1          -> settled:1 a2
         accept a 2          -> settled:2 a0
         accept a 0          -> settled:0 a5",
    );
}

#[test]
fn a_delayed_message_does_not_block_its_key() {
    check(
        config(DispatchStrategy::KeyOrdered),
        "clock                     ->
         attach a 9                ->
         enqueue 1 key=1 delay=1s  ->
         stall                     -> all waiting messages are delayed
         enqueue 2 key=1           -> a1
         wait 1s                   -> tried:0=1
         accept a 1                -> settled:1 a0
         accept a 0                -> settled:0 a2",
    );
}

#[test]
fn an_id_is_stored_once_in_a_window() {
    check(
        QueueConfig { dedup_window: Duration::from_secs(60), ..plain() },
        "enqueue 1 id=7      ->
         wait 59s            ->
         enqueue 1 id=7      -> duplicate
         enqueue 1 id=8      ->
         wait 1s             ->
         enqueue 2 id=7      -> duplicate
         ledger              -> ready=3 bytes=300",
    );
}

#[test]
fn what_was_delayed_and_settled_before_others_comes_back_as_delivered_once() {
    check(
        QueueConfig { keep_settled: Duration::from_secs(60), ..plain() },
        "clock               ->
         enqueue 1           ->
         enqueue 1 delay=1s  ->
         wait 1s             -> tried:1=1
         attach a 1          -> a1
         pause               ->
         accept a 1          -> kept:1
         rewind 0            -> rewound:0+1 tried:1=1
         peek 0              -> 0:Ready/0 1:Ready/1
         resume              -> a0
         accept a 0          -> kept:0 a1#2",
    );
}

#[test]
fn what_was_settled_is_kept_and_comes_back() {
    check(
        QueueConfig { keep_settled: Duration::from_secs(60), ..plain() },
        "clock               ->
         attach a 9          ->
         enqueue 4           -> a0 a1 a2 a3
         accept a 0          -> kept:0
         accept a 2          -> kept:2
         accept a 1          -> kept:1
         peek 0              -> 0:Settled/0 1:Settled/0 2:Settled/0 3:InFlight/0
         wait 30s            ->
         rewind 1            -> rewound:1+2 a1#2 a2#2
         ledger              -> in_flight=3 settled=1 redelivered=2 bytes=300
         accept a 2          -> kept:2
         wait 59s            ->
         rewind 3            ->
         wait 1s             -> forgotten:0 forgotten:2
         rewind 0            ->
         accept a 1          -> kept:1
         keep_settled 0      -> forgotten:1
         accept a 3          -> settled:3
         ledger              -> settled=4 redelivered=2",
    );
}
