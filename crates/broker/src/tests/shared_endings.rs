//! Messages of shared groups that are on their way to a durable member whose session ends: they are stored for a session that
//! is no more when its shard hears of them.

use super::World;
use crate::config::Config;

/// Over so many shards, in a group of the durable sessions a, which is connected, and b, which is away.
fn world(shards: u16) -> World {
    let mut world = World::new(Config { shards, ..Config::default() });
    for name in ["a", "b"] {
        world.command(&format!("{name} connect expiry=1000"));
        world.command(&format!("{name} subscribe 1 $share/g/t/#,2"));
    }
    world.command("b lost");
    world.command("p connect");
    world
}

/// What the clients hear of some commands.
fn say(world: &mut World, lines: &[&str]) -> Vec<String> {
    lines.iter().flat_map(|line| world.command(line)).collect()
}

/// What is published is in the log before the end of a's session, of which a's shard had not heard then.
fn publish_before_the_end(world: &mut World, publishes: &[&str]) {
    world.command("log hold");
    say(world, publishes);
    world.command("a connect");
}

/// What is published was routed to a's session, and is in the log behind its end. Only where the publisher and a have
/// different shards.
fn publish_behind_the_end(world: &mut World, publishes: &[&str]) {
    world.command("late p");
    say(world, publishes);
    world.command("log hold");
    world.command("a connect");
    world.command("run");
}

type Order = fn(&mut World, &[&str]);

const ORDERS: [(u16, Order); 3] =
    [(1, publish_before_the_end), (3, publish_before_the_end), (3, publish_behind_the_end)];

/// Two messages at either QoS.
const TWO: [[&str; 2]; 2] = [
    ["p publish 1 t/x one id=1", "p publish 1 t/x two id=2"],
    ["p publish 2 t/x one id=1", "p publish 2 t/x two id=2"],
];

/// All ways in which two messages can come for a session that ends.
fn ways() -> impl Iterator<Item = (u16, Order, [&'static str; 2], String)> {
    let seen = |shards, two: [&str; 2]| format!("over {shards} shards, {}", two[0]);
    let of = move |two| ORDERS.map(|(shards, order)| (shards, order, two, seen(shards, two)));
    TWO.into_iter().flat_map(of)
}

/// Takes b back, which answers for the first so many messages, and gives the payloads that it gets.
fn take(world: &mut World, answers: usize) -> Vec<String> {
    let mut heard = say(world, &["b connect keep expiry=1000", "wait 1000", "wait 1000"]);
    heard.retain(|line| line.starts_with("b publish"));
    let of = |line: &String| {
        let words: Vec<&str> = line.split(' ').collect();
        let id = words.iter().find_map(|word| word.strip_prefix("id=")).expect("a packet id");
        (words[2].to_owned(), id.to_owned(), line.rsplit(' ').next().expect("a payload").to_owned())
    };
    let got: Vec<_> = heard.iter().map(of).collect();
    for (qos, id, _) in got.iter().take(answers) {
        if qos == "1" {
            world.command(&format!("b puback {id}"));
        } else {
            world.command(&format!("b pubrec {id}"));
            world.command(&format!("b pubcomp {id}"));
        }
    }
    world.command("wait 60");
    world.command("b lost");
    got.into_iter().map(|(_, _, payload)| payload).collect()
}

#[test]
fn what_is_stored_for_a_session_that_ends_goes_to_others_when_a_crash_comes_at_once() {
    for (shards, publish, two, seen) in ways() {
        let mut world = world(shards);
        publish(&mut world, &two);
        // All is in the log, and nobody has heard of it.
        world.log.commit();
        world.crash();
        assert_eq!(take(&mut world, 1), ["one", "two"], "{seen}");
        world.crash();
        assert_eq!(take(&mut world, 1), ["two"], "{seen}");
        world.command("checkpoint");
        world.crash();
        assert!(take(&mut world, 0).is_empty(), "{seen}");
        assert_eq!(world.log.references(), 0);
    }
}

#[test]
fn what_is_stored_for_a_session_that_has_ended_goes_to_others_over_crashes() {
    for (shards, publish, two, seen) in ways() {
        for checkpoints in 0..4 {
            let mut world = world(shards);
            let seen = format!("{seen}, checkpoints {checkpoints:02b}");
            publish(&mut world, &two);
            world.command("log commit");
            if checkpoints & 1 != 0 {
                world.command("checkpoint");
            }
            world.crash();
            assert_eq!(take(&mut world, 1), ["one", "two"], "{seen}");
            if checkpoints & 2 != 0 {
                world.command("checkpoint");
            }
            world.crash();
            assert_eq!(take(&mut world, 1), ["two"], "{seen}");
            world.crash();
            assert!(take(&mut world, 0).is_empty(), "{seen}");
            assert_eq!(world.log.references(), 0, "{seen}");
        }
    }
}

#[test]
fn what_others_have_answered_for_does_not_come_again() {
    for (shards, publish, two, seen) in ways() {
        let mut world = world(shards);
        // It gets each message twice, of which one copy ends with its session.
        world.command("a subscribe 2 t/#,1");
        publish(&mut world, &two);
        world.command("log commit");
        assert_eq!(take(&mut world, 1), ["one", "two"], "{seen}");
        world.crash();
        assert_eq!(take(&mut world, 1), ["two"], "{seen}");
        world.crash();
        assert!(take(&mut world, 0).is_empty(), "{seen}");
        assert_eq!(world.log.references(), 0);
    }
}

#[test]
fn a_checkpoint_between_the_end_and_the_message_loses_nothing() {
    for two in TWO {
        let mut world = world(3);
        world.command("late p");
        say(&mut world, &two);
        world.command("a connect");
        world.command("checkpoint");
        world.command("log hold");
        world.command("run");
        world.log.commit();
        world.crash();
        assert_eq!(take(&mut world, 1), ["one", "two"], "{two:?}");
        world.crash();
        assert_eq!(take(&mut world, 1), ["two"], "{two:?}");
        world.command("checkpoint");
        world.crash();
        assert!(take(&mut world, 0).is_empty(), "{two:?}");
    }
}

#[test]
fn what_was_not_sent_at_qos_2_goes_to_another_durable_member_once() {
    for shards in [1, 3] {
        for crash in 0..6 {
            let mut world = world(shards);
            let seen = format!("over {shards} shards, crash {crash}");
            world.command("a connect keep expiry=1000 rm=1");
            let heard = say(&mut world, &TWO[1]);
            assert_eq!(heard, ["a publish 2 id=1 t/x one", "p pubrec 1 00", "p pubrec 2 00"]);
            match crash {
                // The end is stored, and nothing was handed over.
                1 => {
                    world.quietly("a connect");
                    world.one_turn();
                    world.crash();
                }
                // The end is stored, and the hand-over is, which nobody heard of.
                2 => {
                    say(&mut world, &["log hold", "a connect"]);
                    world.log.commit();
                    world.crash();
                }
                // The hand-over cannot be stored at first.
                3 => {
                    say(&mut world, &["log hold", "a connect", "log full", "log commit"]);
                    say(&mut world, &["wait 60", "log well", "wait 1000"]);
                }
                4 => {
                    say(&mut world, &["a connect", "checkpoint"]);
                    world.crash();
                }
                _ => {
                    world.command("a connect");
                }
            }
            // What was sent is finished with its client or not at all. [MQTT-4.8.2-5]
            assert_eq!(take(&mut world, 1), ["two"], "{seen}");
            if crash == 5 {
                world.command("checkpoint");
            }
            world.crash();
            assert!(take(&mut world, 0).is_empty(), "{seen}");
            assert_eq!(world.log.references(), 0, "{seen}");
        }
    }
}

#[test]
fn what_nobody_may_borrow_is_stored_for_another() {
    for shards in [1, 3] {
        let mut world = world(shards);
        // It has them at QoS 1, the others would at QoS 2.
        world.command("a subscribe 2 $share/g/t/#,1");
        say(&mut world, &TWO[1]);
        world.command("a connect");
        assert_eq!(take(&mut world, 1), ["one", "two"], "over {shards} shards");
        world.crash();
        assert_eq!(take(&mut world, 1), ["two"], "over {shards} shards");
        assert_eq!(world.log.references(), 0);
    }
}

#[test]
fn what_came_while_a_member_was_away_goes_to_another_after_a_restart() {
    for (checkpoint, two) in [(false, TWO[0]), (true, TWO[0]), (false, TWO[1]), (true, TWO[1])] {
        let mut world = world(3);
        world.command("a lost");
        say(&mut world, &two);
        if checkpoint {
            world.command("checkpoint");
        }
        world.crash();
        // Each of them may have one.
        let one = "a connect keep expiry=1000";
        say(&mut world, &["b connect", "b lost", "wait 1000"]);
        let heard = say(&mut world, &[one, "wait 1000", "wait 1000"]);
        let got = heard.iter().filter(|line| line.starts_with("a publish")).count();
        assert_eq!(got, 2, "{heard:?}");
    }
}

#[test]
fn a_restart_with_another_number_of_shards_loses_nothing() {
    for (shards, publish, two, seen) in ways() {
        let mut world = world(shards);
        publish(&mut world, &two);
        world.log.commit();
        world.command("crash shards=2");
        world.command("checkpoint");
        world.command("crash shards=4");
        assert_eq!(take(&mut world, 1), ["one", "two"], "{seen}");
        world.command("crash shards=1");
        assert_eq!(take(&mut world, 2), ["two"], "{seen}");
        world.command("crash shards=3");
        assert!(take(&mut world, 0).is_empty(), "{seen}");
        assert_eq!(world.log.references(), 0, "{seen}");
    }
}

#[test]
fn where_no_member_is_durable_any_more_one_that_is_there_gets_it() {
    for (shards, publish, two, seen) in ways() {
        let mut world = world(shards);
        world.command("b connect");
        say(&mut world, &["c connect", "c subscribe 1 $share/g/t/#,2"]);
        publish(&mut world, &two);
        let heard = say(&mut world, &["log commit", "wait 1000"]);
        let got = heard.iter().filter(|line| line.starts_with("c publish")).count();
        assert_eq!(got, 2, "{seen}: {heard:?}");
    }
}

#[test]
fn what_comes_for_a_session_that_has_ended_is_no_clients_and_stands_in_no_list() {
    for (shards, publish, two, seen) in ways() {
        let mut world = world(shards);
        // There is no durable member that could have it at QoS 2 now.
        world.command("b connect");
        publish(&mut world, &two);
        world.command("log commit");
        let clients = world.command("clients");
        assert_eq!(clients.len(), 3, "{seen}: {clients:?}");
        assert!(clients.iter().all(|line| line.starts_with(['a', 'b', 'p'])), "{clients:?}");
        world.crash();
        assert_eq!(world.command("clients"), [""; 0], "{seen}");
    }
}

#[test]
fn a_group_that_is_no_more_gets_nothing_and_that_is_counted() {
    for (shards, publish, two, seen) in ways() {
        for crashes in [false, true] {
            let mut world = world(shards);
            say(&mut world, &["b connect", "b lost"]);
            publish(&mut world, &two);
            world.log.commit();
            if crashes {
                world.crash();
            }
            say(&mut world, &["wait 1000", "wait 1000"]);
            assert_eq!(world.command("shared"), ["dropped=2"], "{seen}");
            assert_eq!(world.log.references(), 0);
            world.command("wait 60");
            world.crash();
            assert_eq!(world.command("wait 1000"), [""; 0]);
            assert_eq!(world.log.references(), 0);
        }
    }
}

#[test]
fn a_session_that_an_operator_ended_does_not_come_back_with_what_it_keeps_for_others() {
    for shards in [1, 3] {
        for checkpoint in [false, true] {
            let mut world = world(shards);
            let seen = format!("over {shards} shards");
            say(&mut world, &TWO[0]);
            world.command("kick a");
            if checkpoint {
                world.command("checkpoint");
            }
            world.crash();
            assert_eq!(world.command("clients").len(), 1, "{seen}");
            assert_eq!(world.command("a connect keep expiry=1000"), ["a connack 00"], "{seen}");
            world.command("a lost");
            assert_eq!(take(&mut world, 2), ["one", "two"], "{seen}");
        }
    }
}
