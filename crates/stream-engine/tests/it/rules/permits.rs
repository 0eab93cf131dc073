//! Deliveries that the log is told of before they are made.

use stream_engine::StreamConfig;

use super::config;
use crate::transcript::check;

#[test]
fn nothing_is_delivered_for_the_first_time_without_a_permit() {
    check(
        config(),
        "asks                  ->
         append 4              ->
         attach a x 2 earliest -> x@0/0
         outlook x             -> 0 withheld
         permit x 1            -> a0
         outlook x             -> 1 withheld
         permit x 9            -> a1
         outlook x             -> 2 full
         accept a 0            -> a2 x@1/3
         permit x 3            ->
         accept a 1            -> x@2/3
         outlook x             -> 3 withheld
         permit x 4            -> a3
         accept a 2            -> x@3/4
         accept a 3            -> x@4/4
         outlook x             -> 4 hungry
         append 1              ->
         outlook x             -> 4 withheld
         permit x 9            -> a4
         detach a              ->
         outlook x             -> 5 away",
    );
}

#[test]
fn what_was_given_before_needs_none() {
    check(
        config(),
        "append 3              ->
         attach a x 9 earliest -> a0 a1 a2 x@0/3
         asks                  ->
         release a 0           ->
         detach a 1            ->
         append 1              ->
         attach a x 9 next     -> a1#2 a2
         outlook x             -> 3 withheld
         wait 1s               -> a0#2",
    );
}

#[test]
fn a_reader_that_goes_elsewhere_has_none() {
    check(
        config(),
        "asks                  ->
         append 6              ->
         attach a x 2 earliest -> x@0/0
         permit x 6            -> a0 a1
         remember x            ->
         seek x 4              -> x@4/4
         accept a 0            ->
         outlook x             -> 4 withheld
         put_back x            -> a0#2 x@0/2
         accept a 0            -> x@1/2
         outlook x             -> 2 withheld
         seek x 0              -> x@0/0
         permit x 1            -> a0",
    );
}

/// What waits behind its key goes when the key is free, and nobody is asked then.
#[test]
fn a_group_passes_nothing_over_without_a_permit() {
    check(
        StreamConfig { keyed: true, ..config() },
        "asks                     ->
         append 4 key=1,1,2,1     ->
         attach a g:y 9 earliest  -> g:y@0/0
         permit g:y 2             -> a0
         outlook g:y              -> 2 withheld
         accept a 0               -> a1 g:y@1/2
         permit g:y 9             -> a2
         outlook g:y              -> 4 hungry
         accept a 1               -> a3 g:y@2/4",
    );
}

/// It asks for one though what it was to be given has gone, or it would not notice what comes then.
#[test]
fn one_that_waits_for_a_permit_gets_what_comes_with_it() {
    check(
        config(),
        "asks                  ->
         append 1              ->
         attach a x 9 earliest -> x@0/0
         purge 0 1             -> purged:0
         append 1              ->
         outlook x             -> 0 withheld
         permit x 9            -> a1 x@1/2",
    );
}
