//! Each rule of the contract's chapter on queues, as a transcript.

mod explaining;
mod keys;
mod limits;
mod operators;
mod rekeying;
mod steps;
mod times;

use queue_engine::{DispatchStrategy, QueueConfig};

use crate::transcript::{check, config};

const ROUND_ROBIN: DispatchStrategy = DispatchStrategy::RoundRobin;
const LEAST_INFLIGHT: DispatchStrategy = DispatchStrategy::LeastInflight;

#[test]
fn messages_wait_for_a_consumer_and_go_in_order() {
    check(
        config(ROUND_ROBIN),
        "enqueue 3    ->
         ledger       -> ready=3 bytes=300
         attach a 2   -> a0 a1
         enqueue 1    ->
         ledger       -> ready=2 in_flight=2 bytes=400
         accept a 1   -> settled:1 a2
         accept a 0   -> settled:0 a3
         accept a 3   -> settled:3
         accept a 2   -> settled:2
         enqueue 1    -> a4
         expired a 4  -> expired:4
         ledger       -> settled=4 expired=1",
    );
}

#[test]
fn credit_is_the_lesser_of_the_consumers_and_the_queues() {
    check(
        QueueConfig { max_inflight: 2, ..config(ROUND_ROBIN) },
        "attach a 9      ->
         attach b 1      ->
         enqueue 6       -> a0 b1 a2
         max_inflight 3  -> a3
         max_inflight 1  ->
         accept a 0      -> settled:0
         accept b 1      -> settled:1 b4
         accept a 2      -> settled:2
         accept a 3      -> settled:3 a5
         max_inflight 0  ->
         accept a 5      -> settled:5
         enqueue 1       -> a6",
    );
}

#[test]
fn round_robin_goes_around_those_with_credit() {
    check(
        config(ROUND_ROBIN),
        "attach a 3   ->
         attach b 2   ->
         enqueue 4    -> a0 b1 a2 b3
         attach c 9   ->
         enqueue 4    -> a4 c5 c6 c7
         accept b 3   -> settled:3
         accept a 0   -> settled:0
         enqueue 4    -> c8 b9 a10 c11",
    );
}

#[test]
fn least_inflight_evens_out() {
    check(
        config(LEAST_INFLIGHT),
        "attach a 9   ->
         enqueue 3    -> a0 a1 a2
         attach b 9   ->
         enqueue 4    -> b3 b4 b5 a6
         accept b 3   -> settled:3
         accept b 4   -> settled:4
         enqueue 3    -> b7 b8 b9",
    );
}

#[test]
fn strategies_change_on_a_living_queue() {
    check(
        config(ROUND_ROBIN),
        "attach a 9   ->
         attach b 9   ->
         enqueue 2    -> a0 b1
         accept b 1   -> settled:1
         strategy 3   ->
         enqueue 2    -> b2 a3
         strategy 1   ->
         enqueue 3    -> a4 b5 a6",
    );
}

#[test]
fn a_released_message_backs_off_and_doubles() {
    check(
        config(ROUND_ROBIN),
        "attach a 1     ->
         enqueue 2      -> a0
         release a 0    -> tried:0=1 a1
         ledger         -> in_flight=1 delayed=1 bytes=200
         accept a 1     -> settled:1
         wait 799ms     ->
         wait 401ms     -> a0#2
         release a 0    -> tried:0=2
         wait 1599ms    ->
         wait 801ms     -> a0#3
         release a 0    -> tried:0=3
         wait 3199ms    ->
         enqueue 1      -> a2
         wait 1601ms    ->
         accept a 2     -> settled:2 a0#4
         accept a 0     -> settled:0
         ledger         -> settled=3 redelivered=3",
    );
}

#[test]
fn without_a_retry_delay_a_released_message_is_ready_at_once() {
    check(
        QueueConfig { retry_delay: std::time::Duration::ZERO, ..config(ROUND_ROBIN) },
        "attach a 1   ->
         enqueue 2    -> a0
         release a 0  -> tried:0=1 a0#2
         busy a 0     -> tried:0=1 a0#2
         deadline     -> 300000ms",
    );
}

#[test]
fn the_last_attempt_makes_a_dead_letter() {
    check(
        QueueConfig { max_attempts: 2, ..config(ROUND_ROBIN) },
        "attach a 9     ->
         attach b 9     ->
         enqueue 3      -> a0 b1 a2
         release a 0    -> tried:0=1
         wait 300s      -> tried:1=1 tried:2=1 a1#2 b2#2 a0#2
         release a 0    -> dead:0=max_attempts/2
         detach a 1     -> dead:1=max_attempts/2
         wait 300s      -> dead:2=max_attempts/2
         ledger         -> dead_lettered=3 redelivered=3
         dropped 1      ->
         ledger         -> dropped=1 dead_lettered=2 redelivered=3",
    );
}

#[test]
fn without_a_limit_attempts_go_on() {
    let config = QueueConfig {
        max_attempts: 0,
        retry_delay: std::time::Duration::ZERO,
        ..config(ROUND_ROBIN)
    };
    let mut transcript = "attach a 1 ->\nenqueue 1 -> a0\n".to_owned();
    for attempt in 1..100 {
        transcript += &format!("release a 0 -> tried:0={attempt} a0#{}\n", attempt + 1);
    }
    transcript += "max_attempts 5 ->\nrelease a 0 -> dead:0=max_attempts/100\n";
    check(config, &transcript);
}

#[test]
fn a_rejected_message_is_dead_now() {
    check(
        config(ROUND_ROBIN),
        "attach a 1   ->
         enqueue 2    -> a0
         reject a 0   -> dead:0=rejected/1 a1
         reject a 1   -> dead:1=rejected/1
         ledger       -> dead_lettered=2
         dropped 2    -> refused: offset 2 is no dead letter of this queue",
    );
}

#[test]
fn a_busy_consumer_rests_and_another_gets_the_message_at_once() {
    check(
        config(ROUND_ROBIN),
        "attach a 9   ->
         attach b 2   ->
         enqueue 3    -> a0 b1 a2
         busy a 0     -> b0
         enqueue 1    ->
         ledger       -> ready=1 in_flight=3 bytes=400
         deadline     -> 1000ms
         accept a 2   -> settled:2
         wait 999ms   ->
         wait 1ms     -> a3
         busy a 3     ->
         wait 1s      -> a3",
    );
}

#[test]
fn a_rest_is_not_cut_short_by_another() {
    check(
        config(ROUND_ROBIN),
        "attach a 9          ->
         enqueue 2           -> a0 a1
         busy a 0            ->
         retry_delay 100ms   ->
         busy a 1            ->
         deadline            -> 1000ms
         wait 999ms          ->
         wait 1ms            -> a0 a1",
    );
}

#[test]
fn a_lease_that_runs_out_goes_to_another() {
    check(
        QueueConfig { ack_timeout: std::time::Duration::from_secs(10), ..config(ROUND_ROBIN) },
        "attach a 9    ->
         enqueue 2     -> a0 a1
         wait 4s       ->
         enqueue 1     -> a2
         attach b 2    ->
         deadline      -> 6000ms
         wait 5999ms   ->
         wait 1ms      -> tried:0=1 tried:1=1 b0#2 b1#2
         accept a 0    -> refused: offset 0 is not leased to consumer 97
         wait 4s       -> tried:2=1
         ledger        -> ready=1 in_flight=2 redelivered=2 bytes=300
         enqueue 1     -> a3
         accept b 0    -> settled:0 b2#2
         detach b 1    -> tried:1=2 tried:2=1 a1#3 a2#2
         wait 10s      -> tried:3=1 tried:1=3 tried:2=2 a1#4 a2#3 a3#2
         ack_timeout 0 ->
         deadline      -> none",
    );
}

#[test]
fn an_answer_to_a_delivery_that_ran_out_does_not_put_back_the_one_after_it() {
    check(
        QueueConfig { ack_timeout: std::time::Duration::from_secs(10), ..config(ROUND_ROBIN) },
        "attach a 9         ->
         enqueue 5          -> a0 a1 a2 a3 a4
         wait 10s           -> tried:0=1 tried:1=1 tried:2=1 tried:3=1 tried:4=1 a0#2 a1#2 a2#2 a3#2 a4#2
         late 1 release a 0 -> refused: offset 0 is not leased to consumer 97
         late 1 busy a 1    -> refused: offset 1 is not leased to consumer 97
         late 1 accept a 2  -> settled:2
         late 1 reject a 3  -> dead:3=rejected/2
         release a 4        -> tried:4=2
         accept a 0         -> settled:0
         ledger             -> in_flight=1 delayed=1 settled=2 dead_lettered=1 redelivered=5 bytes=200",
    );
}

#[test]
fn what_a_gone_consumer_had_goes_at_once_and_before_fresh_ones() {
    check(
        config(ROUND_ROBIN),
        "attach a 4    ->
         enqueue 7     -> a0 a1 a2 a3
         accept a 1    -> settled:1 a4
         attach b 2    -> b5 b6
         detach a 4 0  -> tried:0=1 tried:4=1
         ledger        -> ready=4 in_flight=2 settled=1 bytes=600
         enqueue 1     ->
         attach c 9    -> c0#2 c2 c3 c4#2 c7
         detach b      -> c5 c6
         ledger        -> in_flight=7 settled=1 redelivered=2 bytes=700",
    );
}

#[test]
fn a_paused_queue_stores_and_does_not_deliver() {
    check(
        QueueConfig { paused: true, ..config(ROUND_ROBIN) },
        "attach a 1   ->
         enqueue 2    ->
         resume       -> a0
         pause        ->
         accept a 0   -> settled:0
         ledger       -> ready=1 settled=1 bytes=100
         attach b 1   ->
         detach a     ->
         resume       -> b1
         pause        ->
         attach c 1   ->
         wait 300s    -> tried:1=1
         resume       -> c1#2",
    );
}

#[test]
fn what_is_too_large_for_one_goes_to_another() {
    check(
        config(ROUND_ROBIN),
        "attach a 9     ->
         attach b 1     ->
         attach c 1     ->
         enqueue 3      -> a0 b1 c2
         too_large a 0  ->
         enqueue 1      -> a3
         ledger         -> ready=1 in_flight=3 bytes=400
         accept c 2     -> settled:2 c0
         too_large c 0  ->
         accept b 1     -> settled:1 b0
         enqueue 2      -> a4 c5
         too_large b 0  -> dead:0=too_large/0
         ledger         -> in_flight=3 settled=2 dead_lettered=1 bytes=300",
    );
}

#[test]
fn too_large_for_all_that_are_left_is_dead_but_nobody_left_is_no_verdict() {
    check(
        config(ROUND_ROBIN),
        "attach a 9     ->
         attach b 1     ->
         enqueue 2      -> a0 b1
         too_large a 0  ->
         detach b       -> dead:0=too_large/0 a1
         too_large a 1  -> dead:1=too_large/0
         enqueue 1      -> a2
         attach b 1     ->
         enqueue 2      -> a3 b4
         too_large a 2  ->
         detach a       ->
         detach b       ->
         ledger         -> ready=3 dead_lettered=2 bytes=300
         attach a 9     -> a2 a3 a4",
    );
}

#[test]
fn a_bar_holds_while_the_message_is_away_and_over_a_pause() {
    check(
        config(ROUND_ROBIN),
        "attach a 9     ->
         attach b 1     ->
         enqueue 1      -> a0
         too_large a 0  -> b0
         release b 0    -> tried:0=1
         enqueue 2      -> a1 b2
         pause          ->
         wait 2s        ->
         accept b 2     -> settled:2
         resume         -> b0#2
         release b 0    -> tried:0=2
         enqueue 2      -> a3 b4
         wait 3s        ->
         attach c 9     -> c0#3
         too_large c 0  -> tried:0=2
         detach b       -> dead:0=too_large/2 a4",
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    check(
        config(ROUND_ROBIN),
        "detach a       -> refused: consumer 97 is not attached
         accept a 0     -> refused: consumer 97 is not attached
         attach a 0     -> refused: consumer 97 takes no messages: its max_inflight is 0
         attach a 1     ->
         attach a 1     -> refused: consumer 97 is attached already
         attach b 1     ->
         accept a 0     -> refused: offset 0 is not leased to consumer 97
         enqueue 1      -> a0
         accept b 0     -> refused: offset 0 is not leased to consumer 98
         too_large b 0  -> refused: offset 0 is not leased to consumer 98
         accept a 0     -> settled:0
         accept a 0     -> refused: offset 0 is not leased to consumer 97
         dropped 0      -> refused: offset 0 is no dead letter of this queue
         detach a 0 7   ->",
    );
}

#[test]
fn time_that_runs_back_stands_still() {
    use queue_engine::{ConsumerId, Input, NewMessage, Queue, StoredAt};
    use stdx::{Instant, UnixMillis};

    let mut queue = Queue::new(config(ROUND_ROBIN), 1);
    let mut actions = Vec::new();
    let attach = Input::Attach { consumer: ConsumerId(1), max_inflight: 9 };
    queue.handle(Instant::from_millis(5000), attach, &mut actions).unwrap();
    let enqueue = Input::Enqueue(NewMessage::new(StoredAt(1), 1, UnixMillis(0)));
    queue.handle(Instant::from_millis(4000), enqueue, &mut actions).unwrap();
    assert_eq!(queue.next_deadline(), Some(Instant::from_millis(305_000)));
}
