//! How a message stands to a reader, and what it waits for.

use std::time::Duration;

use stream_engine::StreamConfig;

use crate::transcript::check;

#[test]
fn a_reader_has_settled_a_message_or_has_it_or_is_not_there_yet() {
    check(
        StreamConfig::default(),
        "append 4               ->
         why x 0                -> x is not known
         attach a x 2 earliest  -> a0 a1 x@0/2
         why x 0                -> in flight at a
         why x 2                -> no client that reads for it has credit: 2 messages are unsettled
         why x 4                -> it has not come yet
         accept a 1             -> a2 x+1
         why x 1                -> settled
         release a 0            ->
         why x 0                -> it was released and is tried again in some time
         why x 3                -> its first unsettled message, at offset 0, keeps it from going on
         wait 1s                -> a0#2
         accept a 0             -> a3 x@2/4
         why x 0                -> settled
         detach a 3             ->
         why x 3                -> no client reads for it at this moment
         purge 3 4              -> purged:3
         why x 3                -> it is not here any more",
    );
}

#[test]
fn a_paused_stream_and_a_busy_client_keep_messages() {
    check(
        StreamConfig::default(),
        "append 2               ->
         attach a x 1 earliest  -> a0 x@0/1
         busy a 0               ->
         why x 0                -> all clients with credit that read for it were too busy and rest
         pause                  ->
         why x 0                -> the stream is paused",
    );
}

#[test]
fn a_group_keeps_the_order_of_keys() {
    let config =
        StreamConfig { keyed: true, retry_delay: Duration::ZERO, ..StreamConfig::default() };
    check(
        config,
        "append 3 key=1,1,2       ->
         attach a g:y 9 earliest  -> a0 a2 g:y@0/3
         why g:y 1                -> the message at offset 0, of the same key, is unsettled
         attach b g:y 1 next      ->
         append 1 key=7           -> b3
         too_large a 0            ->
         why g:y 0                -> it is too large for 1 of the 2 clients that read for it, and the others have no credit
         accept b 3               -> b0 g:y+3
         why g:y 0                -> in flight at b
         seek g:y 3               -> a3 g:y@3/4
         why g:y 1                -> settled",
    );
}
