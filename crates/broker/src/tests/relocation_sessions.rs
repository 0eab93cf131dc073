//! Messages of durable sessions and delayed ones are written anew where they keep segments for little, and come once, in order,
//! to whom they are due.

use super::relocation::{look, segments};
use super::world::World;
use crate::config::Config;

const SLEEPERS: [&str; 2] = ["y", "z"];
/// What the sleepers have; of each there is one among 26.
const MESSAGES: usize = 6;

fn say(world: &mut World, lines: &[&str]) -> Vec<String> {
    lines.iter().flat_map(|line| world.command(line)).collect()
}

/// A queue that is drained at once fills segments of twelve records.
fn busy(world: &mut World) {
    say(world, &["segments 12", "create busy busy", "b connect", "b subscribe 1 $queue/busy,0"]);
    world.command("p connect");
}

/// Messages at either QoS, each with one that is delayed, amid those of the busy queue.
fn publish(world: &mut World) {
    for n in 0..MESSAGES {
        world.command(&format!("p publish {} slow/{n} m{n} id=1 expiry=50000", n % 2 + 1));
        world.command("p pubrel 1");
        world.command(&format!("p publish 1 $delayed/5000/late/{n} d{n} id=1"));
        (0..25).for_each(|_| drop(world.command("p publish 1 busy x id=1")));
    }
}

fn sleepers_beside_busy(shards: u16) -> World {
    let mut world = World::new(Config { shards, ..Config::default() });
    busy(&mut world);
    say(&mut world, &["y connect expiry=900000", "y subscribe 1 slow/+,1 sid=7", "y lost"]);
    say(&mut world, &["z connect expiry=900000", "z subscribe 1 slow/+,2,rap", "z lost"]);
    publish(&mut world);
    world
}

/// Messages that were heard, without what changes with time.
fn messages(mut heard: Vec<String>) -> Vec<String> {
    heard.retain(|line| line.contains(" publish "));
    let stays = |word: &&str| !word.starts_with("expiry=") && *word != "dup";
    heard.iter().map(|line| line.split(' ').filter(stays).collect::<Vec<_>>().join(" ")).collect()
}

/// What the sleepers are sent when they come back, which they leave unanswered.
fn wake(world: &mut World) -> Vec<String> {
    let mut got = Vec::new();
    for name in SLEEPERS {
        let heard = world.command(&format!("{name} connect keep expiry=900000"));
        got.extend(messages(heard));
        world.command(&format!("{name} lost"));
    }
    got
}

fn expected() -> Vec<String> {
    let line = |name: &str, n: usize| {
        let (qos, sid) = if name == "y" { (1, " sid=7") } else { (n % 2 + 1, "") };
        format!("{name} publish {qos} id={} slow/{n} m{n}{sid}", n + 1)
    };
    SLEEPERS.iter().flat_map(|name| (0..MESSAGES).map(move |n| line(name, n))).collect()
}

/// What is published of the delayed messages when all are due.
fn delayed(world: &mut World) -> Vec<String> {
    let mut heard = say(world, &["l connect", "l subscribe 1 late/+,0", "wait 5000000", "wait 1"]);
    heard.retain(|line| line.contains(" publish "));
    let mut payloads: Vec<String> =
        heard.iter().filter_map(|line| line.split(' ').nth(4).map(str::to_owned)).collect();
    payloads.sort();
    payloads
}

/// As many steps of a look are done, and what is written anew then is on its way to the log.
fn on_the_way(world: &mut World, steps: usize) {
    world.command("wait 160000");
    (0..steps).for_each(|_| drop(world.command("wait 1")));
    say(world, &["log hold", "wait 1", "wait 1"]);
}

#[test]
fn what_sleepers_and_delays_keep_is_written_anew() {
    for shards in [1, 3] {
        let mut world = sleepers_beside_busy(shards);
        // Some may have been sent before.
        assert_eq!(wake(&mut world), expected());
        let before = segments(&mut world);
        assert!(before >= 7, "{before} segments");
        (0..3).for_each(|_| look(&mut world));
        let after = segments(&mut world);
        assert!(after <= 5, "{before} segments before, {after} now");
        assert_eq!(wake(&mut world), expected());
        world.command("crash");
        assert_eq!(wake(&mut world), expected());
        assert_eq!(world.command("delayed").len(), MESSAGES);
        // It comes to an end.
        (0..4).for_each(|_| look(&mut world));
        let relocated = world.handle.state().counts.relocated_total;
        (0..4).for_each(|_| look(&mut world));
        assert_eq!(world.handle.state().counts.relocated_total, relocated);
        assert_eq!(delayed(&mut world), ["d0", "d1", "d2", "d3", "d4", "d5"]);
        assert_eq!(wake(&mut world), expected());
    }
}

#[test]
fn a_crash_at_any_step_loses_none_and_sends_none_twice() {
    for steps in 0..40 {
        let mut world = sleepers_beside_busy(1);
        on_the_way(&mut world, steps);
        if steps % 3 == 0 {
            world.command("log commit");
        }
        if steps % 2 == 0 {
            world.command("checkpoint");
        }
        world.command("crash");
        assert_eq!(wake(&mut world), expected(), "{steps}");
        look(&mut world);
        let left = segments(&mut world);
        assert!(left <= 4, "{left} segments are left");
        world.command("crash");
        assert_eq!(wake(&mut world), expected(), "{steps}");
        assert_eq!(delayed(&mut world), ["d0", "d1", "d2", "d3", "d4", "d5"]);
    }
}

#[test]
fn what_is_answered_while_it_is_written_anew_does_not_come_again() {
    for steps in 0..20 {
        let mut world = sleepers_beside_busy(1);
        let heard =
            say(&mut world, &["y connect keep expiry=900000", "z connect keep expiry=900000"]);
        assert_eq!(messages(heard), expected());
        on_the_way(&mut world, steps);
        for n in 1..=MESSAGES {
            world.command(&format!("y puback {n}"));
            let ack = if n % 2 == 0 { "pubrec" } else { "puback" };
            world.command(&format!("z {ack} {n}"));
        }
        world.command("log commit");
        for n in (2..=MESSAGES).step_by(2) {
            world.command(&format!("z pubcomp {n}"));
        }
        if steps % 2 == 0 {
            world.command("checkpoint");
        }
        look(&mut world);
        world.command("crash");
        assert_eq!(wake(&mut world), [""; 0], "{steps}");
        assert_eq!(delayed(&mut world).len(), MESSAGES);
        assert_eq!(world.log.references(), 0);
    }
}

#[test]
fn a_session_that_ends_while_its_messages_are_written_anew_is_over() {
    for steps in 0..20 {
        for end in ["y connect", "y connect keep expiry=900000"] {
            let mut world = sleepers_beside_busy(1);
            on_the_way(&mut world, steps);
            let heard = messages(world.command(end));
            assert!(heard.len() <= MESSAGES);
            world.command("log commit");
            if steps % 2 == 0 {
                world.command("checkpoint");
            }
            world.command("y lost");
            if steps % 3 == 0 {
                world.command("crash");
            }
            look(&mut world);
            world.command("crash");
            let is_over = end == "y connect";
            let expected = expected();
            let left = if is_over { &expected[MESSAGES..] } else { &expected[..] };
            assert_eq!(wake(&mut world), left, "{end} {steps}");
        }
    }
}

#[test]
fn a_delayed_message_that_is_cancelled_or_due_while_it_is_written_anew_comes_never_or_once() {
    for steps in 0..20 {
        for ends in ["cancelled", "due"] {
            let mut world = sleepers_beside_busy(1);
            world.command("l connect");
            world.command("l subscribe 1 late/+,0");
            let ids = world.command("delayed");
            let id = ids[0].split(' ').next().expect("an id").to_owned();
            on_the_way(&mut world, steps);
            match ends {
                "cancelled" => drop(world.command(&format!("cancel {id}"))),
                _ => drop(world.command("wait 4840000")),
            }
            let heard = [world.command("log commit"), world.command("wait 2000")].concat();
            if steps % 2 == 0 {
                world.command("checkpoint");
            }
            let now = heard.iter().filter(|line| line.contains(" publish ")).count();
            world.command("crash");
            let later = delayed(&mut world).len();
            let expected = if ends == "due" { 0 } else { MESSAGES - 1 };
            assert_eq!(later, expected, "{ends} {steps}: {now} came before");
        }
    }
}

/// What does not fit beside newer messages goes, and so does what has expired.
#[test]
fn what_leaves_an_inbox_while_it_is_written_anew_is_gone_and_the_rest_comes() {
    for steps in 0..20 {
        for why in ["overflow", "expired"] {
            for crash in ["", "early", "late"] {
                let mut config = Config::default();
                config.limits.max_pending_messages = MESSAGES;
                let mut world = World::new(config);
                busy(&mut world);
                say(&mut world, &["y connect expiry=900000", "y subscribe 1 slow/+,2", "y lost"]);
                publish(&mut world);
                on_the_way(&mut world, steps);
                if why == "overflow" {
                    // On its way to the log with what it pushes out.
                    for n in 6..9 {
                        world.command(&format!("p publish 1 slow/{n} m{n} id={}", n + 100));
                    }
                } else {
                    world.command("wait 50000000");
                    let heard = world.command("y connect keep expiry=900000");
                    assert_eq!(messages(heard), [""; 0], "all have expired");
                    world.command("y lost");
                }
                world.command("log commit");
                if crash == "early" {
                    world.command("crash");
                }
                if steps % 2 == 0 {
                    world.command("checkpoint");
                }
                look(&mut world);
                if crash == "late" {
                    world.command("crash");
                }
                let heard = messages(world.command("y connect keep expiry=900000"));
                let payloads: Vec<&str> =
                    heard.iter().filter_map(|line| line.split(' ').nth(5)).collect();
                let expected: &[&str] = match why {
                    "overflow" => &["m3", "m4", "m5", "m6", "m7", "m8"],
                    _ => &[],
                };
                assert_eq!(payloads, expected, "{why} {crash} {steps}");
            }
        }
    }
}

/// Bodies are asked for, lie elsewhere, and their segments go before they are read.
#[test]
fn reads_that_come_too_late_are_asked_for_again() {
    let mut late = 0;
    for steps in 0..12 {
        let mut world = sleepers_beside_busy(1);
        let listed = world.command("delayed");
        assert_eq!(listed.len(), MESSAGES);
        let relocated = |world: &World| world.handle.state().counts.relocated_total;
        on_the_way(&mut world, steps);
        let written = relocated(&world);
        world.command("log slow");
        assert_eq!(world.command("delayed"), [""; 0]);
        say(&mut world, &["y connect keep expiry=900000", "z connect keep expiry=900000"]);
        world.command("log commit");
        let before = world.command("segments_left");
        segments(&mut world);
        let is_late = written == 3 * MESSAGES as u64 && world.command("segments_left") != before;
        late += usize::from(is_late);
        let heard = world.command("log reads");
        let of_look: Vec<String> =
            heard.iter().filter(|line| !line.contains(" publish ")).cloned().collect();
        assert_eq!(of_look, listed, "{steps}");
        assert_eq!(messages(heard), expected(), "{steps}");
        assert_eq!(world.handle.state().counts.live_dropped_total, 0);
    }
    assert!(late > 0, "some came too late");
}

/// What left an inbox while it was read, and its segment with it, is not taken for damaged.
#[test]
fn what_left_before_it_was_read_is_passed_by() {
    let mut config = Config::default();
    config.limits.max_pending_messages = 2;
    let mut world = World::new(config);
    say(&mut world, &["segments 2", "p connect", "y connect expiry=900000 rm=2"]);
    say(&mut world, &["y subscribe 1 t,1", "y lost"]);
    (0..2).for_each(|n| drop(world.command(&format!("p publish 1 t m{n} id={}", n + 1))));
    say(&mut world, &["wait 60", "log slow", "y connect keep expiry=900000 rm=2"]);
    (2..6).for_each(|n| drop(world.command(&format!("p publish 1 t m{n} id={}", n + 1))));
    let asked = world.command("segments_left");
    world.command("wait 60");
    assert_eq!(segments(&mut world), 2);
    assert_ne!(world.command("segments_left"), asked);
    let heard = messages(world.command("log reads"));
    let payloads: Vec<&str> = heard.iter().filter_map(|line| line.split(' ').nth(5)).collect();
    assert_eq!(payloads, ["m4", "m5"], "{heard:?}");
    assert_eq!(world.handle.state().counts.live_dropped_total, 0);
}

/// More sessions than are looked at in one go, most of them with nothing, and one that ends while they are looked at.
#[test]
fn many_sessions_are_looked_at_in_steps() {
    let mut world = World::new(Config::default());
    busy(&mut world);
    for n in 0..2_500 {
        world.command(&format!("s{n} connect expiry=900000"));
        if n == 1_100 {
            say(&mut world, &["y connect expiry=900000", "y subscribe 1 slow/+,1 sid=7", "y lost"]);
        }
    }
    say(&mut world, &["z connect expiry=900000", "z subscribe 1 slow/+,2,rap", "z lost"]);
    publish(&mut world);
    let before = segments(&mut world);
    (0..3).for_each(|_| look(&mut world));
    let after = segments(&mut world);
    assert!(before >= 7 && after <= 5, "{before} segments before, {after} now");
    assert_eq!(wake(&mut world), expected());
}

/// A group of two durable sessions that are away. The first has all messages, and ends.
#[test]
fn what_a_session_that_ends_keeps_for_others_comes_once_while_it_is_written_anew() {
    for steps in 0..20 {
        for crash in ["", "early", "late"] {
            let mut world = World::new(Config::default());
            busy(&mut world);
            say(
                &mut world,
                &["y connect expiry=900000", "y subscribe 1 $share/g/slow/+,2", "y lost"],
            );
            publish(&mut world);
            say(&mut world, &["z connect expiry=900000", "z subscribe 1 $share/g/slow/+,2"]);
            // What it borrowed comes back.
            world.command("z lost");
            on_the_way(&mut world, steps);
            world.command("y connect");
            world.command("wait 1000");
            world.command("log commit");
            if crash == "early" {
                world.command("crash");
            }
            say(&mut world, &["wait 1000", "wait 1000"]);
            if steps % 2 == 0 {
                world.command("checkpoint");
            }
            look(&mut world);
            if crash == "late" {
                world.command("crash");
            }
            let mut heard =
                say(&mut world, &["z connect keep expiry=900000", "wait 1000", "wait 1000"]);
            heard.retain(|line| line.contains(" publish "));
            let mut payloads: Vec<_> = heard
                .iter()
                .filter_map(|line| {
                    line.split(' ').find(|word| word.len() == 2 && word.starts_with('m'))
                })
                .collect();
            payloads.sort_unstable();
            assert_eq!(
                payloads,
                ["m0", "m1", "m2", "m3", "m4", "m5"],
                "{crash} {steps}: {heard:?}"
            );
        }
    }
}
