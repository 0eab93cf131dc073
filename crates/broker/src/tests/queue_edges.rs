//! Edges of queues, holds and delayed messages that a review found.

use super::check;
use super::world::World;
use crate::config::Config;

#[test]
fn a_delayed_message_is_not_done_when_a_full_log_refused_it() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 $delayed/5/work late id=1
  p puback 1 00
log hold
wait 5000
log full
log commit
log well
wait 5000
ledger jobs
  enqueued=1 ready=1
"#,
    );
}

#[test]
fn a_delayed_message_that_queues_would_never_take_is_refused_when_it_comes() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 $delayed/1/work x id=1 up=delay:soon
  p puback 1 83 "message not stored: user property 'delay' is 'soon', not a duration such as 30s, at most ten years"
"#,
    );
}

#[test]
fn a_message_that_is_dropped_while_its_body_is_read_does_not_stop_its_queue() {
    let mut world = World::new(Config { shards: 1, ..Config::default() });
    for line in [
        "create jobs work max_messages=1 overflow=drop",
        "p connect",
        "a connect",
        "p publish 1 work one id=1",
    ] {
        world.command(line);
    }
    // The consumer comes, and the next message before the body of the first one is read.
    world.quietly("a subscribe 1 $queue/jobs,1");
    let said = world.command("p publish 1 work two id=2");
    assert!(said.iter().any(|line| line.ends_with("work two")), "{said:?}");
}

fn timers(world: &World) -> usize {
    world.shards.iter().map(crate::shard::Shard::timers_len).sum()
}

#[test]
fn a_held_publisher_has_not_ever_more_timers() {
    let config = Config { max_retained_messages: 1, shards: 1, ..Config::default() };
    let mut world = World::new(config);
    for line in [
        "create jobs work max_messages=1",
        "p connect v=3.1.1",
        "p publish 1 other kept id=1 retain",
        "p publish 1 work one id=2",
        "p publish 1 work two id=3 retain",
    ] {
        world.command(line);
    }
    let before = timers(&world);
    for _ in 0..40 {
        world.command("wait 100");
    }
    assert!(timers(&world) <= before + 2, "{} timers, of {before}", timers(&world));
}

#[test]
fn delayed_messages_have_not_a_timer_each() {
    let mut world = World::new(Config { shards: 1, ..Config::default() });
    world.command("p connect");
    let before = timers(&world);
    for n in 0..500 {
        world.command(&format!("p publish 1 $delayed/3600/t x id={}", n + 1));
    }
    world.command("wait 61000");
    world.command("wait 61000");
    assert!(timers(&world) <= before + 10, "{} timers, of {before}", timers(&world));
}

#[test]
fn a_dead_letter_that_never_fits_does_not_keep_others_back() {
    let mut world = World::new(Config { shards: 1, ..Config::default() });
    for line in [
        "create jobs work dead_letter=morgue",
        "create morgue - max_bytes=400",
        "p connect",
        "p publish 1 work - id=1 size=350",
        "p publish 1 work small id=2",
        "a connect",
        "a subscribe 1 $queue/jobs,1",
        "a puback 1 99",
        "a puback 2 99",
        "wait 5000",
    ] {
        world.command(line);
    }
    let kept_back = world.command("ledger morgue");
    world.command("change morgue max_bytes=4000");
    world.command("wait 2000");
    assert_eq!(world.command("ledger morgue"), ["enqueued=2 ready=2"], "when all fit");
    assert_eq!(kept_back, ["enqueued=1 ready=1"]);
}

/// A queue that went by the time of before would deliver the first message at once, and take the second for expired.
#[test]
fn a_wall_clock_that_is_set_back_counts_from_the_next_message_on() {
    let mut world = World::new(Config { shards: 1, ..Config::default() });
    for line in ["create jobs work", "p connect", "wait 100"] {
        world.command(line);
    }
    world.set_clock_by(-3_600_000);
    world.command("p publish 1 work later id=1 up=delay:30s");
    world.command("p publish 1 work short id=2 expiry=60");
    assert_eq!(world.command("ledger jobs"), ["enqueued=2 ready=1 delayed=1"]);
    world.command("wait 30000");
    assert_eq!(world.command("ledger jobs"), ["enqueued=2 ready=2"]);
    world.command("wait 30000");
    assert_eq!(world.command("ledger jobs"), ["enqueued=2 ready=1 expired=1"]);
}

#[test]
fn a_wall_clock_that_is_set_little_by_little_is_heard_of() {
    let mut world = World::new(Config { shards: 1, ..Config::default() });
    for line in ["create jobs work retention=1250500", "p connect", "p publish 1 work one id=1"] {
        world.command(line);
    }
    for _ in 0..250 {
        world.set_clock_by(4);
        world.command("wait 5000");
    }
    assert_eq!(world.command("ledger jobs"), ["enqueued=1 expired=1"]);
}

#[test]
fn dead_letters_that_would_come_back_are_refused() {
    check(
        r#"
create a x dead_letter=b
create b - dead_letter=a
  dead letters of queue 'b' would come back to it by way of 'a'
create c x dead_letter=c
  dead letters of queue 'c' would come back to it by way of 'c'
change dead:a dead_letter=a
  no such queue
p connect
  p connack 00
d connect
  d connack 00
d subscribe 1 $dead/c,1
  d suback 1 83 "there is no queue 'c'"
create c x
d subscribe 2 $dead/c,1
  d suback 2 83 "queue 'c' keeps no dead letters"
change c dead_letter=own
d subscribe 3 $dead/c,1
  d suback 3 01
change dead:c dead_letter=c
  dead letters of queue 'dead:c' would come back to it by way of 'c'
"#,
    );
}
