//! Retained messages: paged replay, what changes in the middle of one, limits, expiry, and where they lie.

use std::fmt::Write as _;

use super::{check, check_with, world::World};
use crate::config::Config;

/// Bodies are read from the log, all of them.
fn without_cache() -> Config {
    Config { retained_cache: 0, ..Config::default() }
}

/// Both ways: bodies at hand, and bodies read from the log.
fn check_both(transcript: &str) {
    check(transcript);
    check_with(&without_cache(), transcript);
}

#[test]
fn a_replay_goes_on_with_the_window_and_sends_what_is_there_then() {
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
p publish 1 r/d four id=4 retain expiry=5
  p puback 4 10
p publish 1 r/e five id=5 retain
  p puback 5 10
p publish 0 r/f six retain
s connect rm=1
  s connack 00
s subscribe 1 r/+,1 sid=9
  s suback 1 01
  s publish 1 id=1 retain r/a one sid=9
# Changed, removed, expired, added behind and before the place where the replay is.
p publish 0 r/b two-new retain
  s publish 0 r/b two-new sid=9
p publish 0 r/c - retain
  s publish 0 r/c  sid=9
wait 6000
p publish 1 r/g seven id=7 retain
  p puback 7 00
p publish 0 r/0 zero retain
  s publish 0 r/0 zero sid=9
# What waits for the session goes first, and takes the window. What came live does not come again.
s puback 1
  s publish 1 id=2 r/g seven sid=9
s puback 2
  s publish 1 id=3 retain r/e five sid=9
  s publish 0 retain r/f six sid=9
s puback 3
"#,
    );
}

#[test]
fn a_replay_ends_with_its_subscription() {
    check_both(
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
p publish 1 q/a three id=3 retain
  p puback 3 10
p publish 1 q/b four id=4 retain
  p puback 4 10
s connect rm=1
  s connack 00
s subscribe 1 r/+,1 q/+,1
  s suback 1 01 01
  s publish 1 id=1 retain r/a one
s unsubscribe 2 r/+
  s unsuback 2 00
s puback 1
  s publish 1 id=2 retain q/a three
# Subscribed anew, it begins anew.
s subscribe 3 q/+,1
  s suback 3 01
s puback 2
  s publish 1 id=3 retain q/a three
s puback 3
  s publish 1 id=4 retain q/b four
s puback 4
"#,
    );
}

#[test]
fn a_replay_goes_on_when_a_session_comes_back() {
    check_both(
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 2 r/b two id=2 retain
  p pubrec 2 10
p pubrel 2
  p pubcomp 2 00
p publish 1 r/c three id=3 retain
  p puback 3 10
s connect rm=1 expiry=100
  s connack 00
s subscribe 1 r/+,2
  s suback 1 02
  s publish 1 id=1 retain r/a one
s lost
s connect keep rm=1 expiry=100
  s connack 00 present
  s publish 1 id=1 dup retain r/a one
s puback 1
  s publish 2 id=2 retain r/b two
s pubrec 2
  s pubrel 2 00
s pubcomp 2
  s publish 1 id=3 retain r/c three
s puback 3
# One that ends takes its replay along.
t connect rm=1
  t connack 00
t subscribe 1 r/+,1
  t suback 1 01
  t publish 1 id=1 retain r/a one
t lost
t connect rm=1
  t connack 00
"#,
    );
}

#[test]
fn a_replay_that_ends_while_its_bodies_are_read_lets_the_next_one_go_on() {
    let mut world = World::new(without_cache());
    for line in ["p connect", "p publish 0 r/a one retain", "p publish 0 q/a two retain"] {
        world.command(line);
    }
    world.command("s connect");
    // All in one turn: the answer of the log comes in the next.
    world.quietly("s subscribe 1 r/+,0 q/+,0");
    world.quietly("s unsubscribe 2 r/+");
    let heard = world.settle();
    assert_eq!(heard, ["s suback 1 00 00", "s unsuback 2 00", "s publish 0 retain q/a two"]);
}

#[test]
fn a_client_that_does_not_read_holds_nobody_up() {
    check_both(
        r#"
p connect
  p connack 00
p publish 0 r/a one retain
p publish 0 r/b two retain
s connect
  s connack 00
s block
s subscribe 1 r/+,0
t connect
  t connack 00
t subscribe 1 r/+,0
  t suback 1 00
  t publish 0 retain r/a one
  t publish 0 retain r/b two
s unblock
  s suback 1 00
  s publish 0 retain r/a one
  s publish 0 retain r/b two
"#,
    );
}

#[test]
fn options_of_a_subscription_say_what_comes_and_how() {
    check_both(
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
s connect
  s connack 00
s subscribe 1 r/+,1,rh2
  s suback 1 01
s subscribe 2 r/+,1,rh1
  s suback 2 01
s subscribe 3 r/#,1,rh1
  s suback 3 01
  s publish 1 id=1 retain r/a one
s subscribe 4 r/+,1,rap
  s suback 4 01
  s publish 1 id=2 retain r/a one
s subscribe 5 $share/g/r/+,1
  s suback 5 01
s unsubscribe 6 r/# $share/g/r/+
  s unsuback 6 00 00
# Live, RETAIN is as published.
p publish 1 r/a two id=2 retain
  p puback 2 00
  s publish 1 id=3 retain r/a two
p publish 1 r/a three id=3
  p puback 3 00
  s publish 1 id=4 r/a three
"#,
    );
}

#[test]
fn what_has_expired_counts_no_more_and_stays_gone() {
    let config = Config { max_retained_messages: 2, ..Config::default() };
    check_with(
        &config,
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain expiry=5
  p puback 1 10
p publish 1 r/b two id=2 retain expiry=50
  p puback 2 10
p publish 1 r/c three id=3 retain
  p puback 3 97 "retained message not kept: mqtt.max_retained_messages is reached"
wait 6000
p publish 1 r/c three id=3 retain
  p puback 3 10
checkpoint
crash
wait 50000
s connect
  s connack 00
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/c three
checkpoint
crash
s connect
  s connack 00
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/c three
"#,
    );
}

#[test]
fn at_the_limit_the_old_message_stays_and_the_publisher_hears_so() {
    let config = Config { max_retained_messages: 1, max_retained_bytes: 40, ..Config::default() };
    check_with(
        &config,
        r#"
l connect
  l connack 00
l subscribe 1 #,0
  l suback 1 00
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  l publish 0 r/a one
  p puback 1 00
# Refused, it takes neither road.
p publish 1 r/b two id=2 retain
  p puback 2 97 "retained message not kept: mqtt.max_retained_messages is reached"
p publish 2 r/a 0123456789012345678901234567890123456789 id=3 retain
  p pubrec 3 97 "retained message not kept: mqtt.max_retained_bytes is reached"
# Nobody can be told at QoS 0.
p publish 0 r/b three retain
  l publish 0 r/b three
# One of 3.x is held, and served when there is room.
q connect v=3.1.1
  q connack 00
q publish 1 r/b four id=1 retain
q publish 0 r/x five
wait 1000
alarms
  retained_full retained since=1000
s connect
  s connack 00
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/a one
p publish 1 r/a - id=4 retain
  l publish 0 r/a 
  p puback 4 00
  s publish 1 id=2 r/a 
wait 1000
  l publish 0 r/b four
  l publish 0 r/x five
  q puback 1 00
  s publish 1 id=3 r/b four
  s publish 0 r/x five
# It is not held for ever.
q publish 1 r/a six id=2 retain
wait 30000
  q closed
p publish 0 r/b - retain
  l publish 0 r/b 
  s publish 0 r/b 
wait 61000
alarms
ends
  0
"#,
    );
}

#[test]
fn the_brokers_status_takes_no_room_from_others() {
    let status_interval = std::time::Duration::from_secs(1);
    let config = Config { max_retained_messages: 2, status_interval, ..Config::default() };
    check_with(
        &config,
        r#"
wait 1000
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
p publish 1 r/c three id=3 retain
  p puback 3 97 "retained message not kept: mqtt.max_retained_messages is reached"
"#,
    );
}

#[test]
fn topics_take_memory_and_have_a_limit() {
    let config = Config { max_retained_memory: 500, ..Config::default() };
    check_with(
        &config,
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
p publish 1 r/c three id=3 retain
  p puback 3 10
p publish 1 r/d four id=4 retain
  p puback 4 97 "retained message not kept: mqtt.max_retained_memory is reached"
p publish 1 r/a five id=5 retain
  p puback 5 10
"#,
    );
}

#[test]
fn a_message_that_is_not_stored_is_not_retained() {
    check_both(
        r#"
p connect
  p connack 00
p publish 1 t old id=1 retain
  p puback 1 10
log hold
p publish 1 t new id=2 retain
# It is on its way.
s connect
  s connack 00
s subscribe 1 t,1
  s suback 1 01
  s publish 1 id=1 retain t new
log full
log commit
  p puback 2 97 "message not stored: the broker's disk is full"
s subscribe 1 t,1
  s suback 1 01
  s publish 1 id=2 retain t old
# At QoS 0 nobody is told: it is kept as long as the broker runs.
p publish 0 t newer retain
  s publish 0 t newer
s subscribe 1 t,1
  s suback 1 01
  s publish 0 retain t newer
log well
crash
s connect
  s connack 00
s subscribe 1 t,1
  s suback 1 01
  s publish 1 id=1 retain t old
"#,
    );
}

#[test]
fn a_removal_is_not_undone_by_an_older_message_that_is_stored_after_it() {
    // The publishers' shards hand their records over in another order than they changed the topic. One of those that
    // remove it is at another shard than `p`, if there are several.
    check_both(
        r#"
p connect
  p connack 00
a connect
  a connack 00
b connect
  b connack 00
c connect
  c connack 00
late p
p publish 0 t one retain
a publish 0 t - retain
b publish 0 t - retain
c publish 0 t - retain
checkpoint
run
crash
s connect
  s connack 00
s subscribe 1 t,1
  s suback 1 01
"#,
    );
}

/// A client id that belongs to that one of three shards.
pub(super) fn id_at(shard: u16) -> String {
    let ids = (0..).map(|n| format!("client{n}"));
    let is_there = |id: &String| crate::ids::owner_of(id, 3).0 == shard;
    ids.into_iter().find(is_there).expect("hashes differ")
}

/// Three shards, and a client at each: `a`, `b`, `c`.
pub(super) fn three_shards(config: Config) -> World {
    let mut world = World::new(Config { shards: 3, ..config });
    for (shard, name) in (0..).zip(["a", "b", "c"]) {
        world.command(&format!("{name} connect id={}", id_at(shard)));
    }
    world
}

fn retained(world: &mut World) -> Vec<String> {
    world.command("s connect");
    let mut heard = world.command("s subscribe 1 t/#,0");
    heard.retain(|line| line.contains("publish"));
    heard
}

#[test]
fn a_removal_is_in_a_checkpoint_that_an_older_message_comes_behind() {
    let mut world = three_shards(Config::default());
    // The message has its version before the removal, and comes into the log behind the checkpoint. When the part is
    // gathered, for which the control shard must answer first, both are done with.
    world.command(&format!("late {}", id_at(1)));
    world.command("b publish 0 t/a one retain");
    world.command("c publish 0 t/a - retain");
    world.command("stall 0");
    world.command("checkpoint");
    world.command(&format!("late {}", id_at(0)));
    // The record of the late shard is in the log, and the index knows, before the control shard answers.
    world.command("wait 0");
    world.command("run");
    world.command("wait 0");
    assert_eq!(retained(&mut world), [""; 0]);
    world.command("crash");
    assert_eq!(retained(&mut world), [""; 0]);
}

#[test]
fn what_is_removed_while_it_is_written_anew_stays_removed() {
    let mut world = three_shards(without_cache());
    world.command("segments 4");
    world.command("b publish 0 t/old kept retain");
    for n in 0..8 {
        world.command(&format!("b publish 0 t/new m{n} retain"));
    }
    assert_eq!(world.held_segments(), [1, 3]);
    world.pass(10_000);
    world.one_turn();
    // The control shard has read the body, and does not hand its new record over before the removal is stored.
    world.command(&format!("late {}", id_at(0)));
    world.command("b publish 0 t/old - retain");
    world.command("run");
    world.command("wait 0");
    assert_eq!(world.held_segments(), [3]);
    assert_eq!(retained(&mut world), ["s publish 0 retain t/new m7"]);
    world.command("crash");
    assert_eq!(retained(&mut world), ["s publish 0 retain t/new m7"]);
}

#[test]
fn a_message_that_is_damaged_on_the_disk_is_passed_over() {
    check_with(
        &without_cache(),
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
damage 0
s connect
  s connack 00
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/b two
"#,
    );
}

#[test]
fn what_keeps_a_segment_for_little_is_written_anew() {
    check_both(
        r#"
segments 4
p connect
  p connack 00
p publish 1 r/a one id=1 retain expiry=1000
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
p publish 1 r/b three id=3 retain
  p puback 3 10
p publish 1 r/b four id=4 retain
  p puback 4 10
p publish 1 r/b five id=5 retain
  p puback 5 10
held
  1 2
# Not while somebody waits for its bodies.
wait 10000
held
  2
checkpoint
checkpoint
segments_left
  2
crash
s connect
  s connack 00
s subscribe 1 #,1
  s suback 1 01
  s publish 1 id=1 retain r/a one expiry=990
  s publish 1 id=2 retain r/b five
"#,
    );
}

/// Many topics, one client that gets them all, and another that is served meanwhile.
#[test]
fn others_are_served_while_a_client_gets_ten_thousand_messages() {
    for config in [Config::default(), without_cache()] {
        let mut world = World::new(config);
        world.command("p connect");
        for n in 0..10_000 {
            world.command(&format!("p publish 0 r/{n:05} m{n} retain"));
        }
        world.command("o connect");
        world.command("s connect");
        world.quietly("s subscribe 1 #,0");
        let (mut got, mut pings, mut turns) = (Vec::new(), 0, 0);
        while got.len() < 10_000 {
            turns += 1;
            assert!(turns < 1_000, "the replay does not end: {} came", got.len());
            world.quietly("o ping");
            let before = got.len();
            for line in world.one_turn() {
                match line.split_once(' ') {
                    Some(("o", "pingresp")) => pings += 1,
                    Some(("s", heard)) if heard.starts_with("publish") => {
                        got.push(heard.to_owned())
                    }
                    _ => {}
                }
            }
            assert!(got.len() - before <= 1_000, "{} in one turn", got.len() - before);
        }
        assert!(pings >= 10, "{pings} answers while the other got 10,000 messages");
        let expected = (0..10_000).map(|n| {
            let mut line = String::new();
            write!(line, "publish 0 retain r/{n:05} m{n}").expect("a string takes all");
            line
        });
        assert!(got.into_iter().eq(expected), "all of them, in order, once");
    }
}
