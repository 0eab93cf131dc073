//! Streams over crashes of the broker: what is kept, where readers go on, checkpoints, segments of the log.

use super::{World, check};
use crate::config::Config;

/// With each of these between what comes before and what comes after.
fn check_over(crashes: &[&str], before: &str, after: &str) {
    for crash in crashes {
        check(&format!("{before}{crash}{after}"));
    }
}

const CRASHES: [&str; 4] = [
    "crash",
    "checkpoint\ncrash",
    "crash\ncheckpoint\ncrash",
    "checkpoint\ncrash\ncheckpoint\ncrash",
];

#[test]
fn a_stream_and_its_readers_outlive_the_broker() {
    check_over(
        &CRASHES,
        "
stream log t/# max_messages=3 key=level(2)
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $stream/log,1
  a suback 1 01
p publish 1 t/a 0 id=1
  a publish 1 id=1 t/a 0
  p puback 1 00
p publish 1 t/b 1 id=2
  a publish 1 id=2 t/b 1
  p puback 2 00
p publish 1 t/a 2 id=3
  a publish 1 id=3 t/a 2
  p puback 3 00
p publish 2 t/c 3 id=4
  a publish 1 id=4 t/c 3
  p pubrec 4 00
a puback 1 99
a puback 2
a puback 4
wait 60
",
        "
kept log
  appended=4 kept=3 dropped=1 readers=1
read log
  1 t/b 1 at=0 key=b
  2 t/a 2 at=0 key=a
  3 t/c 3 at=0 key=c
readers log
  client a at 2 lag=1 rejected=1
p connect
  p connack 00
p publish 1 t/d 4 id=1
  p puback 1 00
a connect
  a connack 00
# What was settled behind the oldest unsettled message does not come again.
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t/a 2 stream:log offset:2 attempt:2 publish-ts:1700000000000
  a publish 1 id=2 t/d 4 stream:log offset:4 attempt:1 publish-ts:1700000000060
",
    );
}

#[test]
fn a_position_that_was_not_logged_is_the_one_before() {
    check(
        "
stream log t
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $stream/log,1
  a suback 1 01
p publish 1 t 0 id=1
  a publish 1 id=1 t 0
  p puback 1 00
wait 60
a puback 1
crash
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t 0 stream:log offset:0 attempt:2 publish-ts:1700000000000
a puback 1
wait 60
crash
readers log
  client a at 1
",
    );
}

#[test]
fn what_lies_in_memory_alone_is_gone_with_the_process() {
    check_over(
        &CRASHES,
        "
stream log t durability=memory
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
a connect
  a connack 00
a subscribe 1 $stream/log,0 up=stream-offset:earliest
  a suback 1 00
  a publish 0 t 0
wait 60
",
        "
kept log
  appended=1 dropped=1 readers=1
readers log
  client a at 1
",
    );
}

#[test]
fn what_was_in_memory_does_not_come_back_with_another_durability() {
    check_over(
        &["crash"],
        "
stream log t durability=memory
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
crash
wait 100
restream log durability=os
p connect
  p connack 00
p publish 1 t 1 id=1
  p puback 1 00
",
        "
kept log
  appended=2 kept=1 dropped=1
",
    );
}

#[test]
fn definitions_and_deletions_outlive_the_broker() {
    check_over(
        &CRASHES,
        "
stream log t
stream gone t
create jobs t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
restream log max_messages=1 filter=u
unstream gone
",
        "
p connect
  p connack 00
p publish 1 t 1 id=1
  p puback 1 00
p publish 1 u 2 id=2
  p puback 2 00
kept log
  appended=2 kept=1 dropped=1
ledger jobs
  enqueued=2 ready=2
kept gone
  no such stream
# Numbers are not used again.
stream gone u
create more u
crash
p connect
  p connack 00
p publish 1 u 3 id=1
  p puback 1 00
kept gone
  appended=1 kept=1
ledger more
  enqueued=1 ready=1
",
    );
}

#[test]
fn a_definition_that_is_not_stored_is_none_and_counts_for_nothing() {
    let config = Config { max_queues: 1, ..Config::default() };
    super::check_with(
        &config,
        "
log refuses
stream log t
  the definition could not be stored: the log is full: no room on the disk for another segment
stream log t
stream more t
  there are 1 streams, as many as queues.auto_create.max_queues allows
unstream log
a connect
  a connack 00
log refuses
a subscribe 1 $s/next/t,1
  a suback 1 83 \"'$s/next/t': the definition could not be stored: the log is full: no room on the disk for another segment\"
a subscribe 2 $s/next/t,1
  a suback 2 01
",
    );
}

#[test]
fn the_log_holds_segments_as_long_as_a_stream_keeps_something_in_them() {
    check(
        "
segments 1
stream log t max_messages=2
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
p publish 1 t 1 id=2
  p puback 2 00
p publish 1 t 2 id=3
  p puback 3 00
wait 60
checkpoint
read log
  1 t 1 at=0
  2 t 2 at=0
crash
read log
  1 t 1 at=0
  2 t 2 at=0
cut log
  purged 2
checkpoint
crash
read log
kept log
  appended=3 dropped=1 purged=2
",
    );
}

#[test]
fn a_segment_goes_when_a_stream_keeps_nothing_in_it() {
    let mut world = World::new(Config::default());
    let mut left = |lines: &[&str]| {
        lines.iter().for_each(|line| drop(world.command(line)));
        world.command("segments_left").concat()
    };
    // A record is a segment: the definition is in the first, messages are in the next three.
    let begin = ["segments 1", "stream log t", "p connect"];
    let publish = ["p publish 1 t 0 id=1", "p publish 1 t 1 id=2", "p publish 1 t 2 id=3"];
    assert_eq!(left(&[&begin[..], &publish, &["checkpoint", "checkpoint"]].concat()), "2 3 4");
    assert_eq!(left(&["cut log before=2", "checkpoint", "checkpoint"]), "4");
    assert_eq!(left(&["unstream log", "checkpoint", "checkpoint"]), "");
}

#[test]
fn a_damaged_message_stops_its_stream_and_says_so() {
    check(
        "
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
crash
damage 8
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:earliest
  a suback 1 01
read log
  0 - at=0
wait 40000
wait 40000
alarms
  stream_stalled stream:log since=40000
# The rest goes on.
create jobs u
p connect
  p connack 00
p publish 1 u 1 id=1
  p puback 1 00
unstream log
  a disconnect 98 \"the stream of subscription $stream/log was deleted\"
  a closed
alarms
",
    );
}
