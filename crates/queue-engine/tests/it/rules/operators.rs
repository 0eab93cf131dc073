//! Purge, seek, redrive, and the reason why nothing moves.

use queue_engine::{DispatchStrategy, QueueConfig};

use crate::transcript::{check, config};

#[test]
fn what_is_purged_is_gone_but_for_what_is_in_flight() {
    check(
        config(DispatchStrategy::KeyOrdered),
        "clock                   ->
         attach a 2              ->
         enqueue 6 key=1,1,2,3,1,3 -> a0 a2
         enqueue 1 delay=1h      ->
         release a 2             -> tried:2=1 a3
         purge 0 9 1             -> purged:1 purged:4
         purge 2 6               -> purged:2 purged:5
         purge 0 99              -> purged:6
         ledger                  -> in_flight=2 purged=5 bytes=200
         deadline                -> 300000ms
         detach a                ->
         peek 0                  -> 0:Ready/0 3:Ready/0",
    );
}

#[test]
fn what_is_redriven_counts_as_settled() {
    check(
        config(DispatchStrategy::RoundRobin),
        "enqueue 3     ->
         attach a 1    -> a0
         redriven 0    -> refused: offset 0 does not wait in this queue
         redriven 2    -> settled:2
         redriven 2    -> refused: offset 2 does not wait in this queue
         ledger        -> ready=1 in_flight=1 settled=1 bytes=200",
    );
}

#[test]
fn the_reason_why_nothing_moves_is_found() {
    check(
        QueueConfig { paused: true, ..config(DispatchStrategy::RoundRobin) },
        "stall         -> none
         enqueue 2     ->
         stall         -> the queue is paused
         resume        ->
         stall         -> no consumer is attached
         attach a 1    -> a0
         stall         -> no consumer has credit: 1 messages are unsettled
         busy a 0      ->
         stall         -> all consumers with credit were too busy and rest
         attach b 9    -> b0 b1
         stall         -> none
         wait 1s       ->
         too_large b 1 -> a1
         too_large b 0 ->
         accept a 1    -> settled:1 a0
         enqueue 1     -> b2
         release b 2   -> tried:2=1
         stall         -> all waiting messages are delayed",
    );
}

#[test]
fn a_message_that_nobody_with_credit_takes_is_said_to_wait_for_another() {
    check(
        config(DispatchStrategy::RoundRobin),
        "attach a 9    ->
         attach b 1    ->
         enqueue 2     -> a0 b1
         too_large a 0 ->
         stall         -> 1 messages wait for another consumer: those with credit cannot take them
         accept b 1    -> settled:1 b0",
    );
}
