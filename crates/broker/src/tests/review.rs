//! What a reviewer found. Each test says what should be, and fails as things are.

use super::world::World;
use super::{check, check_with};
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
fn queues_that_give_each_other_what_is_too_much_come_to_rest() {
    check(
        r#"
create a x max_messages=1 overflow=drop dead_dropped=yes dead_letter=b
create b - max_messages=1 overflow=drop dead_dropped=yes dead_letter=a
p connect
  p connack 00
p publish 1 x one id=1
  p puback 1 00
p publish 1 x two id=2
  p puback 2 00
p publish 1 x three id=3
  p puback 3 00
"#,
    );
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
fn a_last_value_queue_with_all_its_keys_takes_newer_values() {
    check_with(
        &Config::default(),
        r#"
create values t/# last_value=yes max_messages=1
p connect
  p connack 00
p publish 1 t/1 one id=1
  p puback 1 00
p publish 1 t/1 two id=2
  p puback 2 00
"#,
    );
}

#[test]
fn a_full_queue_acknowledges_what_it_has() {
    check(
        r#"
create jobs work max_messages=1 dedup_window=60000
p connect
  p connack 00
p publish 1 work one id=1 up=message-id:7
  p puback 1 00
p publish 1 work one id=2 dup up=message-id:7
  p puback 2 00
"#,
    );
}

#[test]
fn what_was_gone_with_the_process_stays_gone_when_the_queue_gets_another_durability() {
    check(
        r#"
create jobs work durability=memory
p connect
  p connack 00
p publish 1 work one id=1
  p puback 1 00
crash
ledger jobs
  enqueued=1 dropped=1
change jobs durability=os
crash
ledger jobs
  enqueued=1 dropped=1
"#,
    );
}

#[test]
fn a_delayed_message_that_waits_for_room_is_not_overtaken_by_a_later_one() {
    check(
        r#"
create jobs work max_messages=1
p connect
  p connack 00
p publish 1 $delayed/1/work a id=1
  p puback 1 00
p publish 1 $delayed/2/work b id=2
  p puback 2 00
p publish 1 work one id=3
  p puback 3 00
wait 1950
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work one
a puback 1
wait 60
  a publish 1 id=2 work a
"#,
    );
}
