//! Limits, refusals and what is bounded in sum; clocks that are set, processes that are stopped; takeovers in storms.

use super::world::World;
use super::{check, check_with};
use crate::config::Config;

fn limited(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

#[test]
fn a_will_has_a_limit_and_so_have_all() {
    let config = limited(|config| {
        config.max_will_bytes = 20;
        // One may take an eighth of what is left.
        config.max_wills_bytes = 130;
    });
    check_with(
        &config,
        r#"
a connect will=will/a:fifteen-bytes-!:0
  a connack 97 "the will has 21 bytes, more than 20"
  a closed
a connect v=3.1.1 will=will/a:fifteen-bytes-!:0
  a connack 88
  a closed
a connect will=w/a:twelve-bytes:0
  a connack 00
b connect will=w/b:twelve-bytes:0
  b connack 97 "all wills together take as much memory as they may"
  b closed
# It was published or forgotten: there is room again.
a disconnect
  a closed
b connect will=w/b:twelve-bytes:0
  b connack 00
b lost
c connect will=w/c:twelve-bytes:0
  c connack 00
"#,
    );
}

#[test]
fn there_are_as_many_sessions_as_there_may_be() {
    check_with(
        &limited(|config| config.max_sessions = 2),
        r#"
a connect expiry=100
  a connack 00
b connect
  b connack 00
c connect
  c connack 97 "there are 2 sessions, as many as there may be"
  c closed
c connect v=3.1.1
  c connack 88
  c closed
# One that is there may come back, and be taken over.
a lost
a connect keep expiry=100
  a connack 00 present
a connect keep expiry=100
  a connack 00 present
  a~5 disconnect 8e
b disconnect
  b closed
c connect
  c connack 00
"#,
    );
}

#[test]
fn client_ids_and_filters_have_a_length() {
    check_with(
        &limited(|config| {
            config.limits.client_id_bytes_max = 5;
            config.max_topic_length = 10;
            config.max_topic_levels = 3;
        }),
        r#"
a connect id=sixsix
  a connack 85
  a closed
a connect id=fives
  a connack 00
a subscribe 1 ten/ten/10,0 eleven/elev,1 a/b/c/d,1
  a suback 1 00 8f 8f "topic filter has more than 10 bytes"
a subscribe 2 a/b/c/d,1
  a suback 2 8f "topic filter has more than 3 levels"
"#,
    );
}

#[test]
fn all_subscriptions_together_have_a_limit() {
    check_with(
        &limited(|config| config.max_subscription_bytes = 2 * (128 + 2 * 3 + 32 * 2)),
        r#"
a connect expiry=100
  a connack 00
a subscribe 1 a/1,0 a/1,1
  a suback 1 00 01
b connect
  b connack 00
b subscribe 1 a/1,0 a/2,0
  b suback 1 00 97 "all subscriptions together take as much memory as they may"
# Who has one already may change it.
b subscribe 2 a/1,1
  b suback 2 01
b unsubscribe 3 a/1
  b unsuback 3 00
b subscribe 4 a/2,0
  b suback 4 00
# They are counted over a restart, and no more when the session ends.
crash
b connect
  b connack 00
b subscribe 1 b/1,0 b/2,0
  b suback 1 00 97 "all subscriptions together take as much memory as they may"
a connect
  a connack 00
a subscribe 1 a/2,0
  a suback 1 00
"#,
    );
}

#[test]
fn what_waits_for_slow_clients_is_bounded_in_sum_and_free_when_they_are_gone() {
    for shards in [1, 3] {
        let mut world = World::new(Config {
            shards,
            max_buffered_bytes: 64 << 10,
            max_output_buffer_bytes: 1024,
            ..Config::default()
        });
        for n in 0..40 {
            world.command(&format!("s{n} connect"));
            world.command(&format!("s{n} subscribe 1 t,1"));
            world.command(&format!("s{n} block"));
        }
        world.command("p connect");
        let payload = "x".repeat(100);
        for id in 1..=500 {
            let heard = world.command(&format!("p publish 1 t {payload} id={id}"));
            assert_eq!(heard, [format!("p puback {id} 00")]);
            let buffered = world.handle.state().buffered_bytes;
            assert!(buffered <= 64 << 10, "{buffered} bytes after {id} messages");
        }
        assert!(world.handle.state().buffered_bytes > 0);
        assert!(world.handle.state().counts.session_overflow_total > 0);
        assert_eq!(memory_alarms(&world), ["buffers"]);
        for n in 0..40 {
            world.command(&format!("s{n} lost"));
        }
        world.command("p disconnect");
        assert_eq!(world.handle.state().buffered_bytes, 0);
        assert!(memory_alarms(&world).is_empty());
    }
}

fn memory_alarms(world: &World) -> Vec<String> {
    let alarms = world.handle.alarms().list();
    alarms.into_iter().filter(|alarm| alarm.name == crate::MEMORY).map(|one| one.resource).collect()
}

#[test]
fn one_slow_client_does_not_take_what_others_need() {
    let config = limited(|config| {
        config.max_buffered_bytes = 80 << 10;
        config.max_output_buffer_bytes = 1024;
    });
    let mut world = World::new(config);
    for name in ["slow", "busy"] {
        world.command(&format!("{name} connect"));
        world.command(&format!("{name} subscribe 1 {name},1"));
        world.command(&format!("{name} block"));
    }
    world.command("p connect");
    let payload = "x".repeat(300);
    for id in 1..=500 {
        world.command(&format!("p publish 1 slow {payload} id={id}"));
    }
    // The slow one has all it can get; a burst for the other is kept all the same.
    for id in 1..=20 {
        world.command(&format!("p publish 1 busy {id} id={id}"));
    }
    let heard = world.command("busy unblock");
    let got = heard.iter().filter(|line| line.starts_with("busy publish")).count();
    assert_eq!(got, 20, "{heard:?}");
}

#[test]
fn offline_sessions_share_the_memory_for_their_lists() {
    let config = limited(|config| config.max_buffered_bytes = 256 << 10);
    let mut world = World::new(Config { shards: 1, ..config });
    for n in 0..8 {
        world.command(&format!("s{n} connect expiry=1000"));
        world.command(&format!("s{n} subscribe 1 t,1"));
        world.command(&format!("s{n} lost"));
    }
    world.command("p connect");
    for id in 1..=2000 {
        world.command(&format!("p publish 1 t x id={id}"));
    }
    let state = world.handle.state();
    assert!(state.buffered_bytes <= 256 << 10, "{}", state.buffered_bytes);
    assert!(state.counts.session_overflow_total > 0);
    // The newest are there, in order.
    let heard = world.command("s3 connect keep expiry=1000");
    assert!(heard.len() > 100, "{}", heard.len());
}

#[test]
fn a_wall_clock_that_is_set_changes_what_is_due_at_once() {
    check(
        r#"
w connect
  w connack 00
w subscribe 1 will/#,0
  w suback 1 00
# A machine without a clock starts in the past; then it is told the time: a session's hour is over.
a connect expiry=3600 will=will/a:gone:0 delay=1800
  a connack 00
a subscribe 1 t,1
  a suback 1 01
a lost
clock 1800
  w publish 0 will/a gone
clock 1799
a connect keep expiry=3600 will=will/a:gone:0 delay=60
  a connack 00 present
a lost
# Backwards it waits longer than it would have, and no shorter.
clock -600
wait 659000
wait 1000
  w publish 0 will/a gone
clock 7200
a connect keep
  a connack 00
# A message's expiry goes by the same clock.
b connect expiry=100000
  b connack 00
b subscribe 1 t,1
  b suback 1 01
b lost
w publish 1 t old id=1 expiry=60
  w puback 1 00
w publish 1 t new id=2 expiry=86000
  w puback 2 00
clock 3600
b connect keep expiry=100000
  b connack 00 present
  b publish 1 id=2 t new expiry=82400
"#,
    );
}

#[test]
fn a_process_that_was_stopped_hears_its_clients_before_it_judges_them() {
    check(
        r#"
a connect keepalive=10
  a connack 00
b connect keepalive=10
  b connack 00
stopped 60000
a ping
  a pingresp
wait 4999
wait 1
  b disconnect 8d
  b closed
wait 9999
wait 1
  a disconnect 8d
  a closed
"#,
    );
}

#[test]
fn a_storm_of_takeovers_leaves_one_session_and_nothing_else() {
    for shards in [1, 3] {
        let mut world = World::new(Config { shards, ..Config::default() });
        world.command("w connect");
        world.command("w subscribe 1 will,0");
        let mut wills = 0;
        for n in 0..200 {
            // Two clients with one client id, each with a will, each throwing the other out.
            let name = ["x", "y"][n % 2];
            let expiry = if n % 4 < 2 { " keep expiry=600" } else { "" };
            let heard = world.command(&format!("{name} connect id=same will=will:gone:0{expiry}"));
            assert!(heard.iter().any(|line| line.starts_with(&format!("{name} connack 00"))));
            wills += heard.iter().filter(|line| line.starts_with("w publish")).count();
            world.command(&format!("{name} subscribe 1 a/{n},1 b,1"));
        }
        assert_eq!(wills, 199, "a will for each that was thrown out");
        let state = world.handle.state();
        assert_eq!((state.counts.sessions, state.counts.connections), (2, 2));
        assert_eq!(state.counts.ended_taken_over_total, 199);
        world.command("y lost");
        world.command("wait 600000");
        let state = world.handle.state();
        assert_eq!((state.counts.sessions, state.subscriptions), (1, 1));
        assert_eq!((state.will_bytes, state.buffered_bytes), (0, 0));
    }
}

#[test]
fn clients_that_come_and_go_leave_nothing_behind() {
    let mut world = World::new(Config::default());
    for n in 0..20_000 {
        let expiry = if n % 2 == 0 { "" } else { " expiry=604800" };
        world.command(&format!("a connect keepalive=60000{expiry}"));
        world.command(&format!("a subscribe 1 a/{n},1"));
        world.command("a disconnect");
    }
    world.command("a connect");
    world.command("a disconnect");
    let state = world.handle.state();
    assert_eq!((state.counts.sessions, state.subscription_bytes), (0, 0));
    assert!(world.shards[0].timers() < 4096, "{} timers", world.shards[0].timers());
}
