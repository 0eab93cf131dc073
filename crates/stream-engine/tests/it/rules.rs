//! Each rule of streams, as a transcript.

mod explaining;
mod groups;
mod lagging;
mod limits;
mod permits;
mod rekeying;

use stream_engine::StreamConfig;

use crate::transcript::check;

fn config() -> StreamConfig {
    StreamConfig::default()
}

#[test]
fn readers_read_on_their_own_and_messages_stay() {
    check(
        config(),
        "append 3              ->
         attach a x 2 earliest -> a0 a1 x@0/2
         attach b y 9 earliest -> b0 b1 b2 y@0/3
         accept a 0            -> a2 x@1/3
         accept a 2            -> x+2
         accept a 1            -> x@3/3
         append 1              -> b3 a3
         accept b 1            -> y+1
         accept b 0            -> y@2/4
         ledger                -> kept=4 bytes=400 readers=2 members=2
         reader x              -> 3/4 a=1 waiting=0 lag=1 0ms
         reader y              -> 2/4 b=2 waiting=0 lag=2 0ms",
    );
}

#[test]
fn a_reader_starts_where_it_says() {
    check(
        config(),
        "append 2              ->
         wait 10s              ->
         append 2              ->
         wait 10s              ->
         append 1              ->
         purge 0 1             -> purged:0
         attach a a 1 earliest -> a1 a@1/2
         attach b b 1 latest   -> b@5/5
         attach c c 1 next     -> c1 c@1/2
         attach d d 1 3        -> d3 d@3/4
         attach e e 1 0        -> e1 e@1/2
         attach f f 1 99       -> f@5/5
         attach g g 1 @10      -> g2 g@2/3
         attach h h 1 @11      -> h4 h@4/5
         attach i i 1 @21      -> i@5/5
         attach j j 1 @0       -> j1 j@1/2
         append 1              -> b5 f5 i5",
    );
}

#[test]
fn next_goes_on_after_what_was_settled() {
    check(
        config(),
        "append 5              ->
         attach a x 3 earliest -> a0 a1 a2 x@0/3
         accept a 0            -> a3 x@1/4
         accept a 2            -> a4 x+2
         detach a 1 3          ->
         reader x              -> 1/5 waiting=3 lag=3 0ms
         append 1              ->
         attach b x 2 next     -> b1#2 b3#2
         accept b 1            -> b4 x@3/5
         accept b 3            -> b5 x@4/6
         ledger                -> kept=6 redelivered=2 bytes=600 readers=1 members=1",
    );
}

#[test]
fn another_start_repositions() {
    check(
        config(),
        "append 4              ->
         attach a x 2 earliest -> a0 a1 x@0/2
         accept a 0            -> a2 x@1/3
         detach a 1 2          ->
         attach a x 2 0        -> a0 a1 x@0/2
         accept a 0            -> a2 x@1/3
         detach a              ->
         attach a x 2 latest   -> x@4/4
         append 1              -> a4
         ledger                -> kept=5 bytes=500 readers=1 members=1",
    );
}

#[test]
fn a_seek_leaves_what_is_in_flight_where_it_is() {
    check(
        config(),
        "append 9              ->
         attach a x 3 earliest -> a0 a1 a2 x@0/3
         seek x 1              -> x@1/1
         accept a 0            -> a3
         accept a 2            -> a4 x+2
         accept a 1            -> a5 x@3/6
         seek x 8              -> x@8/8
         reader x              -> 8/8 a=3 waiting=0 lag=1 0ms
         release a 3           -> a8
         detach a 4 5 8        ->
         reader x              -> 8/9 waiting=1 lag=1 0ms
         attach a x 1 next     -> a8#2
         seek x next           ->
         seek y next           -> unknown reader",
    );
}

/// What a member was given again while its reader was elsewhere stays settled where the reader had settled it.
#[test]
fn a_reader_that_is_put_back_has_settled_what_it_had() {
    check(
        config(),
        "append 7              ->
         attach a x 4 earliest -> a0 a1 a2 a3 x@0/4
         accept a 1            -> a4 x+1
         accept a 2            -> a5 x+2
         detach a              ->
         remember x            ->
         attach a x 2 1        -> a1 a2 x@1/3
         put_back x            -> x@0/6
         reader x              -> 0/6 a=2 waiting=0 lag=5 0ms
         accept a 1            -> a0#2
         accept a 0            -> a3#2 x@3/6
         release a 2           -> a4#2
         wait 9s               ->
         accept a 3            -> a5#2 x@4/6
         accept a 4            -> a6 x@5/7",
    );
}

#[test]
fn a_reader_that_goes_back_to_its_position_says_so() {
    check(
        config(),
        "append 3              ->
         attach a x 2 earliest -> a0 a1 x@0/2
         accept a 0            -> a2 x@1/3
         detach a              ->
         seek x 1              -> x@1/1
         seek x 1              -> x@1/1
         attach a x 1 next     -> a1",
    );
}

#[test]
fn a_released_message_comes_again_before_what_is_new() {
    check(
        config(),
        "append 4              ->
         attach a x 1 earliest -> a0 x@0/1
         release a 0           ->
         reader x              -> 0/1 a=0 waiting=1 lag=4 0ms
         deadline              -> 1000ms
         wait 999ms            ->
         wait 1ms              -> a0#2
         release a 0           ->
         deadline              -> 2000ms
         wait 2s               -> a0#3
         accept a 0            -> a1 x@1/2
         detach a              ->
         attach a x 2 next     -> a1 a2
         release a 1           ->
         accept a 2            -> a3 x+2
         wait 1s               -> a1#2
         accept a 1            -> x@3/4
         ledger                -> kept=4 redelivered=3 bytes=400 readers=1 members=1",
    );
}

/// What comes between the end of a back-off and the tick that was asked for.
#[test]
fn a_back_off_ends_with_whatever_comes_when_it_is_over() {
    check(
        config(),
        "append 3              ->
         attach a g:y 2 earliest -> a0 a1 g:y@0/2
         release a 1           -> a2
         later 1s              ->
         accept a 0            -> a1#2 g:y@1/3
         busy a 2              ->
         later 1s              ->
         append 1              -> a2",
    );
}

#[test]
fn a_busy_member_rests_and_no_attempt_counts() {
    check(
        config(),
        "append 2              ->
         attach a x 1 earliest -> a0 x@0/1
         busy a 0              ->
         deadline              -> 1000ms
         append 1              ->
         wait 1s               -> a0
         accept a 0            -> a1 x@1/2",
    );
}

#[test]
fn what_is_rejected_or_too_large_is_passed_by_and_counted() {
    check(
        config(),
        "append 5              ->
         attach a x 1 earliest -> a0 x@0/1
         attach b y 1 earliest -> b0 y@0/1
         reject a 0            -> a1 x@1/2!1
         too_large a 1         -> a2 x@2/3!1?1
         gone a 2              -> a3 x@3/4!1?2
         accept b 0            -> b1 y@1/2
         ledger                -> kept=5 bytes=500 readers=2 members=2",
    );
}

#[test]
fn what_has_left_is_passed_by() {
    check(
        config(),
        "append 6              ->
         attach a x 2 earliest -> a0 a1 x@0/2
         release a 1           ->
         purge 0 4             -> purged:0 purged:1 purged:2 purged:3
         reader x              -> 0/2 a=1 waiting=1 lag=2 0ms
         accept a 0            -> a4 x@1/5
         wait 1s               -> a5 x@4/6
         detach a 4            ->
         purge 4 6             -> purged:4 purged:5
         attach a x 2 next     -> x@6/6
         append 1              -> a6",
    );
}

#[test]
fn what_is_not_legal_changes_nothing() {
    check(
        config(),
        "append 2              ->
         attach a x 0 earliest -> no credit
         reader x              -> unknown
         attach a x 1 earliest -> a0 x@0/1
         attach a y 1 earliest -> attached already
         attach b x 1 earliest -> busy
         forget x              -> busy
         forget y              -> unknown reader
         accept a 1            -> not in flight
         accept b 0            -> unknown member
         detach b              -> unknown member
         detach a              ->
         accept a 0            -> unknown member
         forget x              -> forgot:x
         ledger                -> kept=2 bytes=200",
    );
    check(
        StreamConfig { readers_max: 1, ..config() },
        "attach a x 1 latest   -> x@0/0
         attach b y 1 latest   -> too many readers
         detach a              ->
         forget x              -> forgot:x
         attach b y 1 latest   -> y@0/0",
    );
}

#[test]
fn a_paused_stream_stores_and_does_not_deliver() {
    check(
        config(),
        "attach a x 1 latest   -> x@0/0
         pause                 ->
         append 2              ->
         attach b y 9 earliest -> y@0/0
         resume                -> b0 b1 a0",
    );
}

#[test]
fn a_reader_is_only_so_far_ahead_of_its_oldest_unsettled_message() {
    check(
        StreamConfig { look_ahead: 3, ..config() },
        "append 9              ->
         attach a x 2 earliest -> a0 a1 x@0/2
         accept a 1            -> a2 x+1
         accept a 2            -> x+2
         reader x              -> 0/3 a=1 waiting=0 lag=7 0ms
         accept a 0            -> a3 a4 x@3/5",
    );
}

#[test]
fn a_position_is_kept_for_a_while() {
    check(
        StreamConfig { keep_positions: std::time::Duration::from_secs(60), ..config() },
        "attach a x 1 latest   -> x@0/0
         detach a              ->
         deadline              -> none
         wait 50s              ->
         clock                 ->
         attach b y 1 latest   -> y@0/0
         wait 30s              ->
         detach b              ->
         deadline              -> 30000ms
         wait 20s              ->
         attach b y 1 next     ->
         wait 10s              -> forgot:x
         wait 100s             ->
         ledger                -> readers=1 members=1
         detach b              ->
         set keep_positions 0s ->
         deadline              -> none",
    );
}
