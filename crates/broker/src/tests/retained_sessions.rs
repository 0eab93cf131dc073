//! Retained messages for durable sessions: what was on its way goes on, over lost connections and crashes.

use super::retained::{id_at, three_shards};
use super::{World, check, check_with};
use crate::config::Config;

/// Both ways: bodies at hand, and bodies read from the log.
fn check_both(transcript: &str) {
    check(transcript);
    check_with(&Config { retained_cache: 0, ..Config::default() }, transcript);
}

/// What can lie between two connections of a session.
const BETWEEN: [&str; 5] = [
    "s lost",
    "crash",
    "checkpoint\ncrash",
    "checkpoint\ncrash\ncheckpoint\ncheckpoint\ncrash",
    "s lost\nwait 100\ncheckpoint\ncheckpoint\ncrash",
];

/// [MQTT-4.4.0-1], [MQTT-3.3.1-1]
#[test]
fn what_was_not_acknowledged_comes_again_with_its_packet_id() {
    for between in BETWEEN {
        check_both(&format!(
            r#"
segments 2
p connect
  p connack 00
p publish 2 r/a one id=1 retain
  p pubrec 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
p publish 2 r/c three id=3 retain
  p pubrec 3 10
p publish 2 r/d four id=4 retain
  p pubrec 4 10
s connect expiry=1000
  s connack 00
s subscribe 1 r/+,2 sid=268435455
  s suback 1 02
  s publish 2 id=1 retain r/a one sid=268435455
  s publish 1 id=2 retain r/b two sid=268435455
  s publish 2 id=3 retain r/c three sid=268435455
  s publish 2 id=4 retain r/d four sid=268435455
s pubrec 3
  s pubrel 3 00
s pubrec 4
  s pubrel 4 00
s pubcomp 4
wait 100
{between}
s connect keep expiry=1000
  s connack 00 present
  s pubrel 3 00
  s publish 2 id=1 dup retain r/a one sid=268435455
  s publish 1 id=2 dup retain r/b two sid=268435455
s pubcomp 3
s pubrec 1
  s pubrel 1 00
s pubcomp 1
s puback 2
wait 100
{between}
s connect keep expiry=1000
  s connack 00 present
# That was all, and nothing is held for it any more.
q connect
  q connack 00
q publish 1 r/a five id=1 retain
  q puback 1 00
  s publish 1 id=5 r/a five sid=268435455
s puback 5
ends
  0
"#
        ));
    }
}

#[test]
fn a_replay_that_a_crash_cut_goes_on_behind_what_was_sent() {
    for between in BETWEEN {
        check_both(&format!(
            r#"
segments 2
p connect
  p connack 00
p publish 2 r/a one id=1 retain
  p pubrec 1 10
p publish 2 r/b two id=2 retain
  p pubrec 2 10
p publish 2 r/d four id=4 retain
  p pubrec 4 10
p publish 2 r/e five id=5 retain
  p pubrec 5 10
s connect expiry=1000 rm=1
  s connack 00
s subscribe 1 r/+,2 r/e,1
  s suback 1 02 01
  s publish 2 id=1 retain r/a one
s pubrec 1
  s pubrel 1 00
s pubcomp 1
  s publish 2 id=2 retain r/b two
wait 100
{between}
# What is replaced before its turn comes live and not once more; what is on its way, as the one that it was.
q connect
  q connack 00
q publish 2 r/d four-new id=1 retain
  q pubrec 1 00
q publish 0 r/b - retain
s connect keep expiry=1000 rm=1
  s connack 00 present
  s publish 2 id=2 dup retain r/b two
s pubrec 2
  s pubrel 2 00
s pubcomp 2
  s publish 2 id=3 r/d four-new
s pubrec 3
  s pubrel 3 00
{between}
s connect keep expiry=1000 rm=1
  s connack 00 present
  s pubrel 3 00
s pubcomp 3
  s publish 2 id=4 retain r/e five
s pubrec 4
  s pubrel 4 00
s pubcomp 4
  s publish 1 id=5 retain r/e five
s puback 5
wait 100
{between}
s connect keep expiry=1000 rm=1
  s connack 00 present
ends
  0
"#
        ));
    }
}

#[test]
fn what_comes_at_qos_0_waits_for_no_disk() {
    check(
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 0 r/b two retain
p publish 1 r/c three id=3 retain
  p puback 3 10
s connect expiry=1000
  s connack 00
log hold
s subscribe 1 r/+,2
log commit
  s suback 1 02
  s publish 0 retain r/b two
  s publish 1 id=1 retain r/a one
  s publish 1 id=2 retain r/c three
s puback 1
s puback 2
wait 100
crash
s connect keep expiry=1000
  s connack 00 present
ends
  0
"#,
    );
}

#[test]
fn a_message_that_is_on_its_way_to_the_disk_is_sent_when_it_is_there() {
    check(
        r#"
s connect expiry=1000
  s connack 00
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/a one
s puback 1
log hold
p publish 1 r/b two id=2 retain
s subscribe 2 r/+,1
log commit
  p puback 2 00
  s publish 1 id=2 r/b two
  s suback 2 01
  s publish 1 id=3 retain r/a one
  s publish 1 id=4 retain r/b two
ends
  0
"#,
    );
}

#[test]
fn a_replay_waits_for_a_disk_that_is_full() {
    check(
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
s connect expiry=1000 rm=1
  s connack 00
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/a one
log full
s puback 1
s lost
s connect keep expiry=1000 rm=1
  s connack 00 present
log well
  s publish 1 id=2 retain r/b two
s puback 2
wait 100
crash
s connect keep expiry=1000 rm=1
  s connack 00 present
"#,
    );
}

#[test]
fn a_subscription_that_ends_or_begins_anew_takes_its_replay_along() {
    check_both(
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
p publish 1 r/c three id=3 retain
  p puback 3 10
s connect expiry=1000 rm=1
  s connack 00
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/a one
s unsubscribe 2 r/+
  s unsuback 2 00
wait 100
crash
# What was begun is brought to its end. [MQTT-3.10.4-3]
s connect keep expiry=1000 rm=1
  s connack 00 present
  s publish 1 id=1 dup retain r/a one
s puback 1
s subscribe 3 r/+,1
  s suback 3 01
  s publish 1 id=2 retain r/a one
s subscribe 4 r/+,1
  s suback 4 01
wait 100
crash
s connect keep expiry=1000 rm=1
  s connack 00 present
  s publish 1 id=2 dup retain r/a one
s puback 2
  s publish 1 id=3 retain r/a one
s puback 3
  s publish 1 id=4 retain r/b two
# A session that ends lets go of everything.
x connect id=s
  s disconnect 8e
  s closed
  x connack 00
p connect
  p connack 00
p publish 0 r/a - retain
p publish 0 r/b - retain
p publish 0 r/c - retain
checkpoint
checkpoint
crash
ends
  0
"#,
    );
}

/// A session at shard 1 that has had the first of three retained messages, which do not lie in the newest segment.
fn cut_replay() -> World {
    let mut world = three_shards(Config::default());
    world.command("segments 1");
    world.command(&format!("s connect expiry=1000 rm=1 id={}", id_at(1)));
    for (id, topic) in (1..).zip(["r/a", "r/b", "r/c"]) {
        world.command(&format!("c publish 1 {topic} old id={id} retain"));
    }
    let heard = world.command("s subscribe 1 r/+,1");
    assert_eq!(heard, ["s suback 1 01", "s publish 1 id=1 retain r/a old"]);
    world
}

/// When the next checkpoint stands, what the first one can spare has gone.
fn has_the_second_after_a_crash(mut world: World) {
    world.command("checkpoint");
    world.command("crash");
    let heard = world.command(&format!("s connect keep expiry=1000 rm=1 id={}", id_at(1)));
    assert_eq!(heard, ["s connack 00 present", "s publish 1 id=2 dup retain r/b old"]);
}

#[test]
fn a_body_is_held_while_the_record_that_names_it_is_on_its_way() {
    let mut world = cut_replay();
    // The shard answers the checkpoint when it has held the body, and in the turn in which its record leaves. When the part is
    // gathered the topic has none any more.
    world.command(&format!("late {}", id_at(1)));
    world.command("s puback 1");
    world.command("c publish 0 r/b - retain");
    let mut heard = world.command("checkpoint");
    heard.append(&mut world.command("run"));
    heard.append(&mut world.command("wait 0"));
    assert_eq!(heard, ["s publish 1 id=2 retain r/b old"]);
    has_the_second_after_a_crash(world);
}

#[test]
fn a_body_is_held_that_is_taken_when_its_shard_has_answered_the_checkpoint() {
    let mut world = cut_replay();
    world.command("stall 0");
    world.command("checkpoint");
    let heard = world.command("s puback 1");
    assert_eq!(heard, ["s publish 1 id=2 retain r/b old"]);
    world.command("c publish 0 r/b - retain");
    world.command("run");
    has_the_second_after_a_crash(world);
}
