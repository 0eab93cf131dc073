//! Consumer groups.

use stream_engine::StreamConfig;

use super::config;
use crate::transcript::check;

#[test]
fn members_of_a_group_share_the_messages() {
    check(
        config(),
        "append 4                ->
         attach a g:y 2 earliest -> a0 a1 g:y@0/2
         attach b g:y 1 latest   -> b2
         attach c y 9 earliest   -> c0 c1 c2 c3 y@0/4
         accept a 1              -> a3 g:y+1
         accept b 2              -> g:y+2
         accept a 0              -> g:y@3/4
         append 3                -> c4 b4 c5 a5 c6
         reader g:y              -> 3/6 a=2 b=1 waiting=0 lag=4 0ms
         ledger                  -> kept=7 bytes=700 readers=2 members=3",
    );
}

#[test]
fn what_a_member_had_goes_to_the_others() {
    check(
        config(),
        "append 4                ->
         attach a g:y 2 earliest -> a0 a1 g:y@0/2
         attach b g:y 2 earliest -> b2 b3
         accept b 3              -> g:y+3
         detach a 1              -> b0
         accept b 0              -> b1#2 g:y@1/4
         busy b 2                ->
         append 1                ->
         attach a g:y 9 next     -> a2 a4
         wait 1s                 ->
         detach a                -> b2
         detach b 2              ->
         reader g:y              -> 1/5 waiting=3 lag=3 0ms
         attach c g:y 9 latest   -> c1#2 c2#2 c4
         seek g:y latest         -> g:y@5/5",
    );
}

#[test]
fn a_released_message_goes_to_any_member_after_a_while() {
    check(
        config(),
        "append 3                ->
         attach a g:y 1 earliest -> a0 g:y@0/1
         attach b g:y 1 next     -> b1
         release a 0             -> a2
         accept b 1              -> g:y+1
         wait 1s                 -> b0#2
         accept b 0              -> g:y@2/3",
    );
}

#[test]
fn what_is_too_large_for_one_member_goes_to_another() {
    check(
        config(),
        "append 2                ->
         attach a g:y 9 earliest -> a0 a1 g:y@0/2
         attach b g:y 9 next     ->
         too_large a 0           -> b0
         too_large b 0           -> g:y@1/2?1
         attach c g:y 1 next     ->
         append 1                -> c2
         too_large a 1           -> b1
         too_large b 1           ->
         reader g:y              -> 1/3?1 a=0 b=0 c=1 waiting=1 lag=2 0ms
         detach c                -> a2 g:y@2/3?2",
    );
}

#[test]
fn a_group_keeps_the_order_of_keys() {
    check(
        StreamConfig { keyed: true, ..config() },
        "append 6 key=1,1,2,1,3,0 ->
         attach a g:y 2 earliest  -> a0 a2 g:y@0/3
         attach b g:y 9 next      -> b4 b5
         append 1 key=2           ->
         reader g:y               -> 0/7 a=2 b=2 waiting=3 lag=7 0ms
         accept a 0               -> a1 g:y@1/7
         accept a 2               -> b6 g:y+2
         release a 1              ->
         accept b 6               -> g:y+6
         append 1 key=1           ->
         wait 1s                  -> a1#2
         accept a 1               -> b3 g:y@3/8
         accept b 3               -> a7 g:y@4/8
         accept b 4               -> g:y@5/8
         accept b 5               -> g:y@7/8",
    );
}

#[test]
fn keys_of_a_group_come_and_go_with_the_properties() {
    check(
        StreamConfig { keyed: true, ..config() },
        "append 4 key=1           ->
         attach a g:y 9 earliest  -> a0 g:y@0/4
         purge 1 2                -> purged:1
         accept a 0               -> a2 g:y@2/4
         set keyed off            -> a3
         set keyed on             ->
         append 1 key=1           ->
         rekey 1,1,1              ->
         accept a 2               -> g:y@3/5
         accept a 3               -> a4 g:y@4/5",
    );
}
