//! Streams and sessions that outlive their connections: reading goes on where it was, also over a restart.

use super::{World, check, check_on};
use crate::config::Config;
use crate::owner_of;

#[test]
fn a_session_goes_on_where_it_was() {
    check(
        "
p connect
  p connack 00
a connect keep expiry=100
  a connack 00
a subscribe 1 $s/earliest/t,1 sid=7 metadata
  a suback 1 01
p publish 1 t 0 id=1
  a publish 1 id=32768 t 0 sid=7 stream:t offset:0 attempt:1 publish-ts:1700000000000
  p puback 1 00
p publish 1 t 1 id=2
  a publish 1 id=32769 t 1 sid=7 stream:t offset:1 attempt:1 publish-ts:1700000000000
  p puback 2 00
a puback 32768
a lost
p publish 1 t 2 id=3
  p puback 3 00
# Not from the earliest, as the address says, but after what is settled.
a connect keep expiry=100
  a connack 00 present
  a publish 1 id=32770 t 1 sid=7 stream:t offset:1 attempt:2 publish-ts:1700000000000
  a publish 1 id=32771 t 2 sid=7 stream:t offset:2 attempt:1 publish-ts:1700000000000
a puback 32770
wait 100
crash
a connect keep expiry=100
  a connack 00 present
  a publish 1 id=59492 t 2 sid=7 stream:t offset:2 attempt:2 publish-ts:1700000000000
checkpoint
crash
a connect keep expiry=100
  a connack 00 present
  a publish 1 id=59492 t 2 sid=7 stream:t offset:2 attempt:2 publish-ts:1700000000000
# A new SUBSCRIBE moves it.
a subscribe 2 $s/earliest/t,0
  a suback 2 00
  a publish 0 t 0
  a publish 0 t 1
",
    );
}

#[test]
fn a_session_reads_for_its_group_also_after_a_restart() {
    check(
        "
stream log t
p connect
  p connack 00
a connect keep expiry=100
  a connack 00
a subscribe 1 $stream/log,1 up=stream-group:w
  a suback 1 01
crash
a connect keep expiry=100
  a connack 00 present
readers log
  group w at 0 members=1
checkpoint
crash
a connect keep expiry=100
  a connack 00 present
readers log
  group w at 0 members=1
# From now on it reads for itself.
a subscribe 2 $stream/log,1
  a suback 2 01
readers log
  client a at 0 members=1
  group w at 0
crash
a connect keep expiry=100
  a connack 00 present
readers log
  client a at 0 members=1
  group w at 0
a unsubscribe 3 $stream/log
  a unsuback 3 00
crash
a connect keep expiry=100
  a connack 00 present
readers log
  client a at 0
  group w at 0
",
    );
}

#[test]
fn another_connection_takes_a_session_over() {
    check(
        "
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
a connect keep expiry=100
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:earliest metadata
  a suback 1 01
  a publish 1 id=32768 t 0 stream:log offset:0 attempt:1 publish-ts:1700000000000
again connect id=a keep expiry=100
  a disconnect 8e
  a closed
  again connack 00 present
  again publish 1 id=32769 t 0 stream:log offset:0 attempt:2 publish-ts:1700000000000
readers log
  client a at 0 lag=1 members=1 in_flight=1
# A clean start has no subscriptions; the position stays.
other connect id=a
  again disconnect 8e
  again closed
  other connack 00
readers log
  client a at 0 lag=1 waiting=1
other subscribe 1 $stream/log,0 up=stream-offset:next
  other suback 1 00
  other publish 0 t 0
",
    );
}

#[test]
fn a_stream_that_was_deleted_ends_the_subscription_of_an_absent_session() {
    check(
        "
stream log t
a connect keep expiry=100
  a connack 00
a subscribe 1 $stream/log,1
  a suback 1 01
a lost
unstream log
a connect keep expiry=100
  a connack 00 present
a unsubscribe 2 $stream/log
  a unsuback 2 11
",
    );
}

#[test]
fn a_message_at_qos_2_comes_under_its_packet_id_again() {
    check(
        "
stream log t
p connect
  p connack 00
a connect keep expiry=100
  a connack 00
a subscribe 1 $stream/log,2
  a suback 1 02
p publish 1 t 0 id=1
  a publish 2 id=32768 t 0
  p puback 1 00
p publish 1 t 1 id=2
  a publish 2 id=32769 t 1
  p puback 2 00
a lost
a connect keep expiry=100
  a connack 00 present
  a publish 2 id=32768 dup t 0
  a publish 2 id=32769 dup t 1
crash
a connect keep expiry=100
  a connack 00 present
  a publish 2 id=32768 dup t 0
  a publish 2 id=32769 dup t 1
# The client has it: it does not come again, whenever the broker dies.
a pubrec 32768
  a pubrel 32768 00
crash
a connect keep expiry=100
  a connack 00 present
  a pubrel 32768 00
  a publish 2 id=32769 dup t 1
a pubcomp 32768
a pubrec 32769
  a pubrel 32769 00
a pubcomp 32769
crash
a connect keep expiry=100
  a connack 00 present
  a pubrel 32769 00
readers log
  client a at 2 members=1
",
    );
}

/// The stream's shard is late with the position, and the client's is not.
#[test]
fn what_a_client_has_at_qos_2_does_not_come_again_though_the_position_was_not_logged() {
    for how in ["", " up=stream-group:w"] {
        let mut world = World::new(Config { shards: 2, ..Config::default() });
        let mut names = ["a", "b", "c", "d"].into_iter();
        let name = names.find(|name| owner_of(name, 2).0 == 1).expect("one of them is at shard 1");
        let mut say = |line: &str| world.command(&line.replace("@ ", &format!("{name} ")));
        let subscribe = format!("@ subscribe 1 $stream/log,2 up=stream-offset:earliest{how}");
        for line in ["stream log t", "p connect", "@ connect expiry=100", &subscribe] {
            say(line);
        }
        for n in 0..3 {
            say(&format!("p publish 1 t {n} id={}", n + 1));
        }
        say("wait 60");
        say("stall 0");
        // All are acknowledged, the last one at first.
        for id in [32770, 32768, 32769] {
            assert_eq!(say(&format!("@ pubrec {id}")), [format!("{name} pubrel {id} 00")]);
            say(&format!("@ pubcomp {id}"));
        }
        say("wait 60");
        say("run");
        say("crash");
        assert_eq!(say("@ connect keep expiry=100"), [format!("{name} connack 00 present")]);
    }
}

/// What a client says while the stream it subscribes to has not answered yet.
#[test]
fn a_client_may_go_before_its_stream_has_answered() {
    for expiry in ["", " expiry=100"] {
        let mut world = World::new(Config { shards: 2, ..Config::default() });
        let mut names = ["a", "b", "c", "d"].into_iter();
        let name = names.find(|name| owner_of(name, 2).0 == 1).expect("one of them is at shard 1");
        let mut say = |line: &str| {
            let heard = world.command(&line.replace("@ ", &format!("{name} ")));
            let client = format!("{name} ");
            heard.iter().map(|line| line.replace(&client, "@ ")).collect::<Vec<_>>()
        };
        say("stream log t");
        say(&format!("@ connect{expiry}"));
        say("stall 0");
        assert_eq!(say("@ subscribe 1 $stream/log,1 t,0"), [""; 0]);
        say("@ lost");
        assert_eq!(say("run"), [""; 0]);
        assert_eq!(say("kept log"), ["readers=1"]);
        say(&format!("@ connect keep{expiry}"));
        assert_eq!(say("@ unsubscribe 2 $stream/log"), ["@ unsuback 2 11"]);
        // It comes back before the answer, subscribes again, and goes on; or ends it at once.
        say("stall 0");
        say("@ subscribe 3 $stream/log,1");
        say("@ lost");
        say(&format!("@ connect keep{expiry}"));
        let mut heard = say("@ subscribe 4 $stream/log,1");
        heard.extend(say("@ subscribe 5 $stream/log,0"));
        heard.extend(say("run"));
        assert_eq!(heard, ["@ suback 4 01", "@ suback 5 00"]);
        assert_eq!(say("kept log"), ["readers=1 members=1"]);
        say("stall 0");
        say("@ unsubscribe 6 $stream/log");
        say("@ subscribe 7 $stream/log,1");
        say("@ unsubscribe 8 $stream/log");
        assert_eq!(say("run"), ["@ suback 7 01"]);
        assert_eq!(say("kept log"), ["readers=1"]);
        assert_eq!(say("ends"), ["0"]);
    }
}

#[test]
fn who_goes_back_gets_again_what_it_has_at_qos_2() {
    check(
        "
stream log t
p connect
  p connack 00
a connect expiry=100
  a connack 00
a subscribe 1 $stream/log,2
  a suback 1 02
p publish 1 t 0 id=1
  a publish 2 id=32768 t 0
  p puback 1 00
a pubrec 32768
  a pubrel 32768 00
a pubcomp 32768
wait 5
a subscribe 2 $stream/log,2 up=stream-offset:earliest
  a suback 2 02
  a publish 2 id=32769 t 0
wait 60
a lost
crash
a connect keep expiry=100
  a connack 00 present
  a publish 2 id=32769 dup t 0
",
    );
}

#[test]
fn a_subscription_that_cannot_be_stored_is_none() {
    check(
        "
stream log t
a connect keep expiry=100
  a connack 00
wait 100
log refuses
a subscribe 1 $stream/log,1
  a suback 1 97 \"subscription not stored: the log is full: no room on the disk for another segment\"
a unsubscribe 2 $stream/log
  a unsuback 2 11
readers log
a subscribe 3 $stream/log,1 metadata
  a suback 3 01
log refuses
a subscribe 4 $stream/log,0
  a suback 4 97 \"subscription not stored: the log is full: no room on the disk for another segment\"
p connect
  p connack 00
p publish 1 t 0 id=1
  a publish 1 id=32768 t 0 stream:log offset:0 attempt:1 publish-ts:1700000000100
  p puback 1 00
",
    );
}

/// Without room nothing that a subscription changes is changed: who is read for, where the reader is, that it is known.
#[test]
fn what_a_subscription_changes_of_a_reader_is_taken_back_when_it_is_not_stored() {
    // On one shard, where a refusal is one of all that a SUBSCRIBE writes.
    check_on(
        1,
        &Config::default(),
        "
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
p publish 1 t 1 id=2
  p puback 2 00
a connect keep expiry=100
  a connack 00
a subscribe 1 $stream/log,0 up=stream-group:w up=stream-offset:1
  a suback 1 00
  a publish 0 t 1
wait 60
# It goes on reading for its group, and no reader of its own stays.
log refuses
a subscribe 2 $stream/log,0 up=stream-offset:earliest
  a suback 2 97 \"subscription not stored: the log is full: no room on the disk for another segment\"
readers log
  group w at 2 members=1
log refuses
a unsubscribe 3 $stream/log
  a unsuback 3 83
readers log
  group w at 2 members=1
wait 60
crash
a connect keep expiry=100
  a connack 00 present
readers log
  group w at 2 members=1
# The same of a client that reads by itself: it is not moved.
b connect keep expiry=100
  b connack 00
b subscribe 1 $stream/log,0 up=stream-offset:1
  b suback 1 00
  b publish 0 t 1
wait 60
log refuses
b subscribe 2 $stream/log,0 up=stream-offset:earliest
  b suback 2 97 \"subscription not stored: the log is full: no room on the disk for another segment\"
readers log
  client b at 2 members=1
  group w at 2 members=1
b unsubscribe 3 $stream/log
  b unsuback 3 00
wait 60
log refuses
b subscribe 4 $stream/log,0 up=stream-offset:earliest
  b suback 4 97 \"subscription not stored: the log is full: no room on the disk for another segment\"
b subscribe 5 $stream/log,0 up=stream-offset:next
  b suback 5 00
readers log
  client b at 2 members=1
  group w at 2 members=1
"
    );
}

#[test]
fn a_subscription_that_is_refused_another_reader_goes_on_with_its_own() {
    check(
        "
stream log t readers_max=1
a connect keep expiry=100
  a connack 00
a subscribe 1 $stream/log,1 up=stream-group:w
  a suback 1 01
a subscribe 2 $stream/log,1
  a suback 2 97 \"the stream keeps the positions of 1 readers, which is all it may; forget one\"
readers log
  group w at 0 members=1
crash
a connect keep expiry=100
  a connack 00 present
readers log
  group w at 0 members=1
b connect keep expiry=100
  b connack 00
b subscribe 1 $stream/log,1 up=stream-group:x
  b suback 1 97 \"the stream keeps the positions of 1 readers, which is all it may; forget one\"
restream log readers_max=9
# The group of a subscription that was refused is forgotten with it.
b subscribe 2 $stream/log,1
  b suback 2 01
crash
b connect keep expiry=100
  b connack 00 present
readers log
  client b at 0 members=1
  group w at 0
",
    );
}

/// What a client has for one reader at QoS 2 is not settled for another by which the subscription reads since.
#[test]
fn what_a_client_completes_of_a_reader_that_it_left_is_not_settled_for_the_next_one() {
    for (before, after, reader) in
        [("", " up=stream-group:w", "group w"), (" up=stream-group:w", "", "client a")]
    {
        for crash in ["crash", "checkpoint\ncrash", "wait 60\ncrash"] {
            let mut world = World::new(Config::default());
            let mut say = |line: &str| world.command(line);
            for line in ["stream log t", "p connect", "a connect expiry=100 rm=1"] {
                say(line);
            }
            say(&format!("a subscribe 1 $stream/log,2{before}"));
            assert_eq!(say("p publish 1 t 0 id=1")[0], "a publish 2 id=32768 t 0");
            let how = format!("up=stream-offset:earliest{after}");
            assert_eq!(say(&format!("a subscribe 2 $stream/log,2 {how}")), ["a suback 2 02"]);
            assert_eq!(say("a pubrec 32768"), ["a pubrel 32768 00"]);
            crash.lines().for_each(|line| drop(say(line)));
            let heard = say("a connect keep expiry=100 rm=1");
            assert!(heard.iter().any(|line| line.starts_with("a publish 2 ")), "{heard:?}");
            let expected = format!("{reader} at 0 lag=1 members=1 in_flight=1");
            let readers = say("readers log");
            assert!(readers.contains(&expected), "{before} {after} {crash:?}: {readers:?}");
        }
    }
}

/// A message that waits in the session for room goes back with the reader, and an attempt counts for one that was written.
#[test]
fn a_subscription_that_reads_for_another_gives_back_what_it_has() {
    check(
        "
stream log t
p connect
  p connack 00
b connect
  b connack 00
a connect rm=1
  a connack 00
a subscribe 1 $stream/log,1 up=stream-group:w metadata
  a suback 1 01
p publish 1 t 0 id=1
  a publish 1 id=1 t 0 stream:log offset:0 attempt:1 publish-ts:1700000000000
  p puback 1 00
p publish 1 t 1 id=2
  p puback 2 00
a subscribe 2 $stream/log,1 metadata up=stream-offset:latest
  a suback 2 01
a puback 1
b subscribe 1 $stream/log,1 up=stream-group:w metadata
  b suback 1 01
  b publish 1 id=1 t 0 stream:log offset:0 attempt:2 publish-ts:1700000000000
  b publish 1 id=2 t 1 stream:log offset:1 attempt:1 publish-ts:1700000000000
",
    );
}

/// Several changes of a reader that wait for their records, none of which is stored: it is as it was before the first.
#[test]
fn a_reader_is_where_it_was_when_none_of_several_changes_is_stored() {
    for (first, second, after) in [
        ("earliest", "next", ""),
        ("earliest", "earliest", ""),
        ("latest", "next", ""),
        ("latest", "next", "b unsubscribe 6 $stream/log"),
    ] {
        let mut world = World::new(Config::default());
        let mut say = |line: &str| world.command(line);
        for line in ["stream log t", "p connect", "b connect expiry=100"] {
            say(line);
        }
        (0..4).for_each(|n| drop(say(&format!("p publish 1 t {n} id={}", n + 1))));
        say("b subscribe 1 $stream/log,1 up=stream-offset:1 rm=1");
        for line in ["b puback 32768", "b unsubscribe 2 $stream/log", "wait 60"] {
            say(line);
        }
        assert_eq!(say("readers log"), ["client b at 2 lag=2 waiting=2"]);
        say("log hold");
        say(&format!("b subscribe 4 $stream/log,1 up=stream-offset:{first}"));
        say(&format!("b subscribe 5 $stream/log,1 up=stream-offset:{second}"));
        if !after.is_empty() {
            say(after);
        }
        say("log fails");
        say("log commit");
        say("log well");
        assert_eq!(say("readers log"), ["client b at 2 lag=2"], "{first} {second} {after}");
        say("wait 60");
        say("crash");
        assert_eq!(say("readers log"), ["client b at 2 lag=2"], "{first} {second} {after}");
    }
}

/// Whatever the log refuses on the way: for whom a subscription reads is there with it, or neither is.
#[test]
fn a_subscription_that_was_granted_reads_for_whom_it_said_after_a_crash() {
    for how in ["", " up=stream-group:x"] {
        let mut world = World::new(Config { shards: 2, ..Config::default() });
        let mut names = ["a", "b", "c", "d"].into_iter();
        let name = names.find(|name| owner_of(name, 2).0 == 1).expect("one of them is at shard 1");
        let mut say = |line: &str| world.command(&line.replace("@ ", &format!("{name} ")));
        for line in ["stream log t", "@ connect expiry=100"] {
            say(line);
        }
        say("@ subscribe 1 $stream/log,2 up=stream-group:w");
        for line in ["wait 60", "stall 0", "log refuses"] {
            say(line);
        }
        assert_eq!(say(&format!("@ subscribe 2 $stream/log,2{how}")), [""; 0]);
        assert_eq!(say("run"), [format!("{name} suback 2 02")]);
        say("wait 60");
        say("crash");
        say("@ connect keep expiry=100");
        let readers = say("readers log");
        let reads: Vec<&str> = readers
            .iter()
            .filter(|line| line.contains("members=1"))
            .filter_map(|line| line.split(" at ").next())
            .collect();
        let expected = if how.is_empty() { format!("client {name}") } else { "group x".into() };
        assert_eq!(reads, [expected], "{readers:?}");
    }
}
