//! After a crash of the broker attempt 1 means that a reader was not given the message before.

use super::check;

#[test]
fn what_a_reader_had_just_before_a_crash_comes_again_as_delivered_before() {
    check(
        r#"
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
p publish 1 t 1 id=2
  p puback 2 00
a connect rm=1
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t 0 stream:log offset:0 attempt:1 publish-ts:1700000000000
checkpoint
a puback 1
  a publish 1 id=2 t 1 stream:log offset:1 attempt:1 publish-ts:1700000000000
wait 50
p publish 1 t 2 id=3
  p puback 3 00
a puback 2
  a publish 1 id=3 t 2 stream:log offset:2 attempt:1 publish-ts:1700000000050
crash
a connect rm=9
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t 1 stream:log offset:1 attempt:2 publish-ts:1700000000000
  a publish 1 id=2 t 2 stream:log offset:2 attempt:2 publish-ts:1700000000050
"#,
    );
}

#[test]
fn what_came_to_one_that_keeps_up_comes_again_as_delivered_before() {
    check(
        r#"
stream log t
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next
  a suback 1 01
g connect
  g connack 00
g subscribe 1 $stream/log,1 up=stream-offset:earliest up=stream-group:g
  g suback 1 01
wait 50
p publish 1 t 0 id=1
  a publish 1 id=1 t 0
  g publish 1 id=1 t 0
  p puback 1 00
crash
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t 0 stream:log offset:0 attempt:2 publish-ts:1700000000050
h connect
  h connack 00
h subscribe 1 $stream/log,1 up=stream-group:g metadata
  h suback 1 01
  h publish 1 id=1 t 0 stream:log offset:0 attempt:2 publish-ts:1700000000050
"#,
    );
}

#[test]
fn what_a_reader_was_not_given_comes_as_new_after_a_crash() {
    check(
        r#"
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
p publish 1 t 1 id=2
  p puback 2 00
a connect rm=1
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next
  a suback 1 01
  a publish 1 id=1 t 0
# A while later it is known that no more was delivered, though somebody reads.
wait 50
wait 50
wait 50
p publish 1 t 2 id=3
  p puback 3 00
crash
a connect rm=9
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t 0 stream:log offset:0 attempt:2 publish-ts:1700000000000
  a publish 1 id=2 t 1 stream:log offset:1 attempt:1 publish-ts:1700000000000
  a publish 1 id=3 t 2 stream:log offset:2 attempt:1 publish-ts:1700000000150
"#,
    );
}

#[test]
fn what_comes_after_a_crash_is_new_to_readers_whatever_was_told_before_it() {
    check(
        r#"
stream log t
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next
  a suback 1 01
p publish 1 t 0 id=1
  a publish 1 id=1 t 0
  p puback 1 00
wait 50
crash
p connect
  p connack 00
p publish 1 t 1 id=1
  p puback 1 00
wait 50
crash
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t 0 stream:log offset:0 attempt:2 publish-ts:1700000000000
  a publish 1 id=2 t 1 stream:log offset:1 attempt:1 publish-ts:1700000000050
"#,
    );
}

#[test]
fn what_comes_while_nobody_reads_is_new_after_a_crash() {
    check(
        r#"
stream log t
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next
  a suback 1 01
wait 50
a lost
wait 50
p publish 1 t 0 id=1
  p puback 1 00
crash
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t 0 stream:log offset:0 attempt:1 publish-ts:1700000000100
"#,
    );
}

#[test]
fn the_first_delivery_to_a_reader_waits_for_the_log() {
    check(
        r#"
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
log hold
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:earliest metadata
  a suback 1 01
wait 1000
log commit
  a publish 1 id=1 t 0 stream:log offset:0 attempt:1 publish-ts:1700000000000
p publish 1 t 1 id=2
  a publish 1 id=2 t 1 stream:log offset:1 attempt:1 publish-ts:1700000001000
  p puback 2 00
"#,
    );
}

#[test]
fn one_that_comes_back_and_is_behind_waits_for_the_log() {
    check(
        r#"
stream log t
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:earliest
  a suback 1 01
a lost
wait 50
p publish 1 t 0 id=1
  p puback 1 00
log hold
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
log commit
  a publish 1 id=1 t 0 stream:log offset:0 attempt:1 publish-ts:1700000000050
"#,
    );
}

#[test]
fn what_lies_in_memory_alone_waits_for_nothing() {
    check(
        r#"
stream log t durability=memory
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
log hold
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:earliest
  a suback 1 01
  a publish 1 id=1 t 0
"#,
    );
}

#[test]
fn a_full_disk_does_not_keep_readers_from_what_is_there() {
    check(
        r#"
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:earliest
  a suback 1 01
  a publish 1 id=1 t 0
a puback 1
a lost
wait 50
p publish 1 t 1 id=2
  p puback 2 00
log full
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t 1 stream:log offset:1 attempt:1 publish-ts:1700000000050
log well
p publish 1 t 2 id=3
  a publish 1 id=2 t 2 stream:log offset:2 attempt:1 publish-ts:1700000000050
  p puback 3 00
wait 50
crash
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t 1 stream:log offset:1 attempt:2 publish-ts:1700000000050
  a publish 1 id=2 t 2 stream:log offset:2 attempt:2 publish-ts:1700000000050
"#,
    );
}

#[test]
fn what_readers_may_have_and_that_is_taken_back_is_asked_for_again() {
    check(
        r#"
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
p publish 1 t 1 id=2
  p puback 2 00
a connect rm=1
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:earliest
  a suback 1 01
  a publish 1 id=1 t 0
wait 50
wait 50
wait 50
log hold
a puback 1
log commit
  a publish 1 id=2 t 1
"#,
    );
}

#[test]
fn another_durability_holds_for_readers_at_once() {
    check(
        r#"
stream log t durability=memory
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:earliest
  a suback 1 01
restream log durability=os
wait 50
p publish 1 t 0 id=1
  a publish 1 id=1 t 0
  p puback 1 00
crash
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t 0 stream:log offset:0 attempt:2 publish-ts:1700000000050
restream log durability=memory
p connect
  p connack 00
log hold
p publish 0 t 1
log commit
  a publish 1 id=2 t 1 stream:log offset:1 attempt:1 publish-ts:1700000000050
"#,
    );
}
