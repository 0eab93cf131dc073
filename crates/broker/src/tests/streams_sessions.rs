//! Streams and sessions that outlive their connections: reading goes on where it was, also over a restart.

use super::{World, check};
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
  client a at 0
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
