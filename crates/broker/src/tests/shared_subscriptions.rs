//! Shared subscriptions: who gets a message, and who gets it when that one is lost, stalls or refuses. Over one shard and
//! over three.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::World;
use super::{check, check_with};
use crate::config::Config;
use crate::groups::{SharedStrategy, SharedSubscriptions};

/// Members that do not answer stall after two seconds.
fn config(strategy: SharedStrategy) -> Config {
    let stall_timeout = Duration::from_secs(2);
    let shared_subscriptions =
        SharedSubscriptions { strategy, groups: BTreeMap::new(), stall_timeout };
    Config { shared_subscriptions, ..Config::default() }
}

/// Clients that are connected: each name with the words of its CONNECT.
fn connected(clients: &[&str]) -> String {
    let mut transcript = String::new();
    for client in clients {
        let (name, words) = client.split_once(' ').unwrap_or((client, ""));
        transcript += &format!("{name} connect {words}\n  {name} connack 00\n");
    }
    transcript
}

/// The same, as members of `$share/g/t/#`.
fn members(clients: &[&str], qos: u8) -> String {
    let mut transcript = connected(clients);
    for client in clients {
        let name = client.split(' ').next().unwrap_or_default();
        transcript += &format!("{name} subscribe 1 $share/g/t/#,{qos}\n  {name} suback 1 0{qos}\n");
    }
    transcript
}

#[test]
fn who_is_full_is_passed_over_and_what_nobody_can_take_waits() {
    let transcript = members(&["a rm=1", "b rm=2"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
p publish 1 t/x 2 id=2
  b publish 1 id=1 t/x 2
  p puback 2 00
p publish 1 t/x 3 id=3
  b publish 1 id=2 t/x 3
  p puback 3 00
# It waits where the least does.
p publish 1 t/x 4 id=4
  p puback 4 00
b puback 1
# Who has room is passed over by nobody, whosever turn it is.
p publish 1 t/x 5 id=5
  b publish 1 id=3 t/x 5
  p puback 5 00
a puback 1
  a publish 1 id=2 t/x 4
shared
  
"#;
    check(&transcript);
}

#[test]
fn a_slow_reader_is_passed_over() {
    let config = Config { max_output_buffer_bytes: 100, ..config(SharedStrategy::RoundRobin) };
    let transcript = members(&["a", "b"], 0)
        + &connected(&["p"])
        + r#"
a block
p publish 0 t/x - size=120
p publish 0 t/x 2
  b publish 0 t/x 2
p publish 0 t/x 3
  b publish 0 t/x 3
a unblock
  a publish 0 t/x <120 bytes>
p publish 0 t/x 4
  a publish 0 t/x 4
p publish 0 t/x 5
  b publish 0 t/x 5
"#;
    check_with(&config, &transcript);
}

#[test]
fn what_a_lost_member_has_goes_to_others_at_once() {
    for end in ["a lost", "a disconnect\n  a closed", "a disconnect 04\n  a closed"] {
        let transcript = members(&["a", "b"], 1)
            + &connected(&["p"])
            + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
p publish 1 t/x 2 id=2
  b publish 1 id=1 t/x 2
  p puback 2 00
b puback 1
"# + end + r#"
  b publish 1 id=2 t/x 1
shared
  handed_over=1
"#;
        check(&transcript);
    }
}

#[test]
fn what_waits_goes_before_what_follows() {
    let transcript = members(&["a rm=1"], 2)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
p publish 1 t/x 2 id=2
  p puback 2 00
p publish 2 t/x 3 id=3
  p pubrec 3 00
"# + &members(&["b"], 1)
        + r#"
p publish 1 t/x 4 id=4
  b publish 1 id=1 t/x 4
  p puback 4 00
# In flight first, then what waits, at QoS 2 too; each anew, and as the new member was granted it.
a lost
  b publish 1 id=2 t/x 1
  b publish 1 id=3 t/x 2
  b publish 1 id=4 t/x 3
shared
  handed_over=3
"#;
    check(&transcript);
}

#[test]
fn a_takeover_hands_over_too() {
    let transcript = members(&["a", "b"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
a connect
  a connack 00
  a~1 disconnect 8e
  b publish 1 id=1 t/x 1
a publish 1 t/x 2 id=1
  a puback 1 00
  b publish 1 id=2 t/x 2
"#;
    check(&transcript);
}

#[test]
fn who_unsubscribes_finishes_what_it_has_and_gives_what_waits() {
    let transcript = members(&["a rm=1"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
p publish 1 t/x 2 id=2
  p puback 2 00
"# + &members(&["b"], 1)
        + r#"
# [MQTT-3.10.4-3]
a unsubscribe 2 $share/g/t/#
  a unsuback 2 00
  b publish 1 id=1 t/x 2
# Or others get it when that cannot be.
a lost
  b publish 1 id=2 t/x 1
shared
  handed_over=2
"#;
    check(&transcript);
}

#[test]
fn without_a_member_left_messages_are_dropped_and_counted() {
    let transcript = members(&["a rm=1"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
p publish 1 t/x 2 id=2
  p puback 2 00
a lost
wait 1
shared
  dropped=2
p publish 1 t/x 3 id=3
  p puback 3 10
"#;
    check(&transcript);
}

#[test]
fn what_a_stalled_member_has_goes_to_others() {
    let transcript = members(&["a rm=2", "b"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
p publish 1 t/x 2 id=2
  b publish 1 id=1 t/x 2
  p puback 2 00
b puback 1
p publish 1 t/x 3 id=3
  a publish 1 id=2 t/x 3
  p puback 3 00
wait 500
wait 1900
# The oldest counts: who answers in turn does not stall.
a puback 1
wait 500
wait 1900
wait 500
  b publish 1 id=2 t/x 3
b puback 2
shared
  handed_over=1
# It gets nothing while others are there.
p publish 1 t/x 4 id=4
  b publish 1 id=3 t/x 4
  p puback 4 00
p publish 1 t/x 5 id=5
  b publish 1 id=4 t/x 5
  p puback 5 00
b puback 3
b puback 4
# Its late answer is taken without a word, and it is a member like others again.
a puback 2 80
p publish 1 t/x 6 id=6
  a publish 1 id=3 t/x 6
  p puback 6 00
a puback 3
wait 5000
wait 5000
shared
  handed_over=1 refused=1
"#;
    check_with(&config(SharedStrategy::RoundRobin), &transcript);
}

#[test]
fn who_stalls_alone_keeps_what_it_has_until_another_comes() {
    let transcript = members(&["a"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
wait 500
wait 3000
p publish 1 t/x 2 id=2
  a publish 1 id=2 t/x 2
  p puback 2 00
b connect
  b connack 00
b subscribe 1 $share/g/t/#,1
  b suback 1 01
wait 500
  b publish 1 id=1 t/x 1
  b publish 1 id=2 t/x 2
"#;
    check_with(&config(SharedStrategy::RoundRobin), &transcript);
}

#[test]
fn a_member_that_reads_nothing_stalls() {
    let config = Config { max_output_buffer_bytes: 100, ..config(SharedStrategy::HashTopic) };
    let transcript = members(&["a"], 1)
        + &connected(&["p"])
        + r#"
a block
p publish 0 t/x - size=120
p publish 1 t/x 1 id=1
  p puback 1 00
"# + &members(&["b"], 1)
        + r#"
wait 500
wait 2000
  b publish 1 id=1 t/x 1
a unblock
  a publish 0 t/x <120 bytes>
"#;
    check_with(&config, &transcript);
}

#[test]
fn what_waits_for_a_slow_member_goes_to_one_with_room() {
    let transcript = members(&["a rm=1"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
p publish 1 t/x 2 id=2
  p puback 2 00
p publish 1 t/x 3 id=3
  p puback 3 00
"# + &members(&["b rm=1"], 1)
        + r#"
wait 500
  b publish 1 id=1 t/x 2
wait 500
a puback 1
  a publish 1 id=2 t/x 3
"#;
    check_with(&config(SharedStrategy::RoundRobin), &transcript);
}

#[test]
fn a_refused_message_is_discarded_for_all() {
    let transcript = members(&["a expiry=100", "b expiry=100"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
# [MQTT-4.8.2-6]: to nobody else, nor to the same when it is back.
a puback 1 97
shared
  refused=1
a lost
b lost
a connect keep expiry=100
  a connack 00 present
b connect keep expiry=100
  b connack 00 present
wait 60
crash
a connect keep expiry=100
  a connack 00 present
b connect keep expiry=100
  b connack 00 present
"#;
    check(&transcript);
}

#[test]
fn a_durable_member_lends_what_it_has_to_who_is_connected() {
    let transcript = members(&["a expiry=100"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
# Nobody else is there: it keeps what it has, and gets what comes.
a lost
p publish 1 t/x 2 id=2
  p puback 2 00
"# + &members(&["b"], 1)
        + r#"
wait 500
  b publish 1 id=1 t/x 1
  b publish 1 id=2 t/x 2
b puback 1
# What b has not answered for comes back, and goes to the next.
b lost
"# + &members(&["c"], 1)
        + r#"
wait 500
  c publish 1 id=1 t/x 2
c puback 1
wait 60
crash
a connect keep expiry=100
  a connack 00 present
"#;
    check(&transcript);
}

#[test]
fn with_a_durable_member_a_crash_loses_nothing() {
    let transcript = members(&["a expiry=100", "b"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
p publish 1 t/x 2 id=2
  b publish 1 id=1 t/x 2
  p puback 2 00
p publish 1 t/x 3 id=3
  a publish 1 id=3 t/x 3
  p puback 3 00
a lost
  b publish 1 id=2 t/x 1
  b publish 1 id=3 t/x 3
b puback 1
wait 60
crash
a connect keep expiry=100
  a connack 00 present
  a publish 1 id=1 dup t/x 1
  a publish 1 id=3 dup t/x 3
"#;
    check(&transcript);
}

#[test]
fn the_answer_waits_until_the_message_is_stored() {
    let transcript = members(&["a expiry=100", "b"], 1)
        + &connected(&["p"])
        + r#"
log hold
p publish 1 t/x 1 id=1
p publish 1 t/x 2 id=2
log commit
  a publish 1 id=1 t/x 1
  b publish 1 id=1 t/x 2
  p puback 1 00
  p puback 2 00
log full
p publish 1 t/x 3 id=3
  p puback 3 97 "message not stored: the broker's disk is full"
"#;
    check(&transcript);
}

#[test]
fn a_session_that_ends_keeps_its_messages_until_others_have_them() {
    for end in ["wait 101000", "a connect\n  a connack 00"] {
        let transcript = members(&["a expiry=100", "b expiry=1000"], 1)
            + &connected(&["p"])
            + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
b lost
a lost
"# + end + r#"
wait 60
crash
wait 500
c connect
  c connack 00
c subscribe 1 $share/g/t/#,1
  c suback 1 01
wait 500
  c publish 1 id=1 t/x 1
c puback 1
wait 60
crash
wait 500
b connect keep expiry=1000
  b connack 00 present
ends
  0
"#;
        check(&transcript);
    }
}

#[test]
fn a_stalled_durable_member_lends_what_is_on_its_wire() {
    let transcript = members(&["a expiry=100 rm=2", "b"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
p publish 1 t/x 2 id=2
  b publish 1 id=1 t/x 2
  p puback 2 00
b puback 1
wait 500
wait 2000
  b publish 1 id=2 t/x 1
b puback 2
p publish 1 t/x 3 id=3
  b publish 1 id=3 t/x 3
  p puback 3 00
# Its place in the window is free when it answers, also for what waited meanwhile.
b lost
p publish 1 t/x 4 id=4
  a publish 1 id=3 t/x 3
  p puback 4 00
p publish 1 t/x 5 id=5
  p puback 5 00
a puback 1
  a publish 1 id=4 t/x 4
a puback 4
  a publish 1 id=5 t/x 5
a puback 3
a puback 5
wait 60
crash
a connect keep expiry=100
  a connack 00 present
"#;
    check_with(&config(SharedStrategy::RoundRobin), &transcript);
}

#[test]
fn a_topic_has_its_member_and_a_publisher_too() {
    for (strategy, same) in
        [(SharedStrategy::HashTopic, true), (SharedStrategy::HashClientid, false)]
    {
        let mut world = super::World::new(Config { shards: 3, ..config(strategy) });
        for name in ["a", "b", "c", "d"] {
            world.command(&format!("{name} connect"));
            world.command(&format!("{name} subscribe 1 $share/g/t/#,0"));
        }
        let mut got = BTreeMap::<String, Vec<String>>::new();
        for publisher in ["p", "q", "r", "s"] {
            world.command(&format!("{publisher} connect"));
            for n in 0..40 {
                let heard = world.command(&format!("{publisher} publish 0 t/{} x", n % 10));
                let member = heard[0].split(' ').next().expect("a name").to_owned();
                let key = if same { format!("t/{}", n % 10) } else { publisher.to_owned() };
                got.entry(key).or_default().push(member);
            }
        }
        assert!(
            got.values().all(|members| members.iter().all(|one| *one == members[0])),
            "{got:?}"
        );
        let first: std::collections::BTreeSet<_> =
            got.values().map(|members| &members[0]).collect();
        assert!(first.len() > 1, "{got:?}");
    }
}

#[test]
fn one_is_active_and_the_next_takes_over() {
    let transcript = members(&["a rm=1", "b", "c"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
p publish 1 t/x 2 id=2
  p puback 2 00
a lost
  b publish 1 id=1 t/x 1
  b publish 1 id=2 t/x 2
a connect
  a connack 00
a subscribe 1 $share/g/t/#,1
  a suback 1 01
p publish 1 t/x 3 id=3
  b publish 1 id=3 t/x 3
  p puback 3 00
"#;
    check_with(&config(SharedStrategy::SingleActive), &transcript);
}

#[test]
fn what_the_active_one_may_not_have_goes_to_one_other() {
    let transcript = members(&["a"], 2)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 0 id=9
  a publish 1 id=1 t/x 0
  p puback 9 00
b connect expiry=1000
  b connack 00
b subscribe 1 $share/g/t/#,2
  b suback 1 02
c connect expiry=1000
  c connack 00
c subscribe 1 $share/g/t/#,2
  c suback 1 02
"#;
    let mut world = World::new(config(SharedStrategy::SingleActive));
    for line in transcript.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')) {
        world.command(line);
    }
    // At QoS 2 none but durable sessions may.
    let heard = (1..=6).flat_map(|n| world.command(&format!("p publish 2 t/x {n} id={n}")));
    let heard: Vec<String> = heard.filter(|line| line.contains(" publish 2 ")).collect();
    let to_b = heard.iter().filter(|line| line.starts_with("b ")).count();
    assert_eq!(heard.len(), 6);
    assert!(to_b == 0 || to_b == 6, "{heard:?}");
}

#[test]
fn a_group_has_a_strategy_of_its_own() {
    let mut config = config(SharedStrategy::SingleActive);
    config.shared_subscriptions.groups.insert("g".to_owned(), SharedStrategy::LeastInflight);
    let transcript = members(&["a", "b"], 1)
        + &connected(&["p"])
        + r#"
p publish 1 t/x 1 id=1
  a publish 1 id=1 t/x 1
  p puback 1 00
p publish 1 t/x 2 id=2
  b publish 1 id=1 t/x 2
  p puback 2 00
b puback 1
p publish 1 t/x 3 id=3
  b publish 1 id=2 t/x 3
  p puback 3 00
"#;
    check_with(&config, &transcript);
}
