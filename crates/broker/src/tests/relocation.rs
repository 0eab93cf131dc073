//! Messages that keep segments of the log for little are written anew, and stay what they are.

use super::retained::three_shards;
use super::world::World;
use crate::config::Config;

/// A queue and a stream that keep one message of 26, beside one that is drained at once; twelve records make a segment.
fn slow_beside_busy(world: &mut World) {
    for line in [
        "segments 12",
        "create slow slow/+ keep_settled=1000000000 strategy=4 key=level(2) max_inflight=1",
        "create busy busy",
        "stream kept slow/+",
        "b connect",
        "b subscribe 1 $queue/busy,0",
        "p connect",
    ] {
        world.command(line);
    }
    for n in 0..6 {
        world.command(&format!("p publish 1 slow/{n} m{n} id=1 expiry=5000"));
        for _ in 0..25 {
            world.command("p publish 1 busy x id=1");
        }
    }
}

/// Lets a look at the log come to its end.
pub(super) fn look(world: &mut World) {
    world.command("wait 160000");
    for _ in 0..40 {
        world.command("wait 1");
    }
}

pub(super) fn segments(world: &mut World) -> usize {
    world.command("checkpoint");
    world.command("checkpoint");
    let left = world.command("segments_left");
    left[0].split(' ').count()
}

fn seen(world: &mut World) -> Vec<String> {
    [world.command("peek slow"), world.command("read kept"), world.command("ledger slow")].concat()
}

#[test]
fn what_keeps_a_segment_for_little_is_written_anew() {
    let mut world = World::new(Config::default());
    slow_beside_busy(&mut world);
    // One has been settled, and is kept; one is in flight.
    world.command("s connect");
    world.command("s subscribe 1 $queue/slow,1");
    world.command("s puback 1");
    world.command("s lost");
    let (before, all) = (segments(&mut world), seen(&mut world));
    assert!(before >= 7, "{before} segments");
    look(&mut world);
    assert_eq!(seen(&mut world), all);
    let after = segments(&mut world);
    assert!(after <= 3, "{before} segments before, {after} now");
    assert_eq!(seen(&mut world), all);
    world.command("crash");
    assert_eq!(seen(&mut world), all);
    // It comes to an end.
    (0..4).for_each(|_| look(&mut world));
    let relocated = world.handle.state().counts.relocated_total;
    (0..4).for_each(|_| look(&mut world));
    assert_eq!(world.handle.state().counts.relocated_total, relocated);
    let now = segments(&mut world);
    assert!(now <= 3, "{now} segments, {after} before the crash");
    world.command("s connect");
    let mut got = world.command("s subscribe 1 $queue/slow,0");
    got.retain(|line| line.contains("publish"));
    let payloads: Vec<_> = got.iter().filter_map(|line| line.split(' ').nth(4)).collect();
    assert_eq!(payloads, ["m1", "m2", "m3", "m4", "m5"], "{got:?}");
    assert_eq!(
        world.command("seek slow earliest").last().map(String::as_str),
        Some("at 0 purged=0 restored=6")
    );
}

#[test]
fn a_crash_leaves_a_body_in_the_old_place_or_in_the_new_one() {
    for written in 0..40 {
        let mut world = World::new(Config::default());
        slow_beside_busy(&mut world);
        let all = seen(&mut world);
        world.command("wait 160000");
        for _ in 0..written {
            world.command("wait 1");
        }
        world.command("log hold");
        for _ in 0..4 {
            world.command("wait 1");
        }
        if written % 3 == 0 {
            world.command("log commit");
        }
        if written % 2 == 0 {
            world.command("checkpoint");
        }
        world.command("crash");
        assert_eq!(seen(&mut world), all);
        look(&mut world);
        let left = segments(&mut world);
        assert!(left <= 3, "{left} segments are left");
        world.command("crash");
        assert_eq!(seen(&mut world), all);
    }
}

#[test]
fn a_message_that_leaves_while_it_is_written_anew_has_left() {
    for written in 0..20 {
        let mut world = World::new(Config::default());
        slow_beside_busy(&mut world);
        world.command("wait 160000");
        for _ in 0..written {
            world.command("wait 1");
        }
        world.command("log hold");
        world.command("wait 1");
        world.command("wait 1");
        world.command("s connect");
        world.command("s subscribe 1 $queue/slow,0");
        world.command("purge slow");
        world.command("cut kept before=6");
        world.command("log commit");
        look(&mut world);
        world.command("crash");
        let ledger = world.command("ledger slow");
        assert!(!ledger[0].contains("ready"), "{ledger:?}");
        assert_eq!(world.command("read kept"), [""; 0]);
    }
}

#[test]
fn a_segment_that_is_needed_for_much_stays() {
    let mut world = World::new(Config::default());
    for line in ["segments 4", "create slow slow/+", "create busy busy", "p connect"] {
        world.command(line);
    }
    for n in 0..8 {
        world.command(&format!("p publish 1 slow/{n} m{n} id=1"));
    }
    for _ in 0..60 {
        world.command("p publish 0 elsewhere x");
        world.command("p publish 1 busy x id=1");
    }
    world.command("purge busy");
    let before = segments(&mut world);
    look(&mut world);
    // The first segment has what was defined as well, and the last one what came after.
    let relocated = world.handle.state().counts.relocated_total;
    assert!(relocated <= 4, "{relocated} of 8 were written anew");
    assert!(segments(&mut world) >= before - 1);
}

#[test]
fn shards_tell_each_other_what_they_need() {
    let mut world = three_shards(Config::default());
    slow_beside_busy(&mut world);
    let (before, all) = (segments(&mut world), seen(&mut world));
    for _ in 0..3 {
        look(&mut world);
    }
    let after = segments(&mut world);
    assert!(after <= 4, "{before} segments before, {after} now");
    assert_eq!(seen(&mut world), all);
}
