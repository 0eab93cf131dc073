//! Messages for very many durable sessions: written once with the list of all, and read back without it.

use super::world::World;
use crate::config::Config;

const SESSIONS: usize = 100;
const MESSAGES: usize = 20;
/// More than a record adds to payload and topic, without the list of its targets.
const HEAD_BYTES: usize = 40;

/// Sessions that are away, and have subscribed with that word beside the filter.
fn sessions_away(world: &mut World, with: impl Fn(usize) -> String) {
    for n in 0..SESSIONS {
        world.command(&format!("s{n} connect expiry=1000"));
        let heard = world.command(&format!("s{n} subscribe 1 t,1 {}", with(n)));
        assert_eq!(heard, [format!("s{n} suback 1 01")]);
        world.command(&format!("s{n} lost"));
    }
}

fn publish_all(world: &mut World) {
    world.command("p connect");
    for n in 1..=MESSAGES {
        let heard = world.command(&format!("p publish 1 t message-{n} id={n}"));
        assert_eq!(heard, [format!("p puback {n} 00")]);
    }
}

/// Each session comes back and hears all messages in order, with the word that it should hear.
fn all_drain(world: &mut World, with: impl Fn(usize) -> String) {
    for n in 0..SESSIONS {
        let heard = world.command(&format!("s{n} connect keep expiry=1000"));
        let expected = (1..=MESSAGES).map(|id| {
            format!("s{n} publish 1 id={id} t message-{id} {}", with(n)).trim().to_owned()
        });
        let expected = [format!("s{n} connack 00 present")].into_iter().chain(expected);
        assert_eq!(heard, expected.collect::<Vec<_>>());
    }
}

#[test]
fn each_that_drains_reads_its_messages_and_not_the_list_of_all() {
    for shards in [1, 3] {
        let mut world = World::new(Config { shards, ..Config::default() });
        sessions_away(&mut world, |_| "sid=5".to_owned());
        publish_all(&mut world);
        assert_eq!(world.log.read_bytes(), 0);
        all_drain(&mut world, |_| "sid=5".to_owned());
        let most = SESSIONS * MESSAGES * ("t".len() + "message-20".len() + HEAD_BYTES);
        assert!(world.log.read_bytes() as usize <= most, "{} bytes read", world.log.read_bytes());
    }
}

/// Their client's subscription identifiers are in the list of all; each session has read its own when the message came.
#[test]
fn each_hears_its_own_identifiers_and_reads_no_list_for_them() {
    for before in ["", "crash", "checkpoint", "checkpoint\nsegments 5\ncheckpoint\ncrash"] {
        for shards in [1, 3] {
            let mut world = World::new(Config { shards, ..Config::default() });
            let own = |n: usize| match n % 3 {
                0 => String::new(),
                _ => format!("sid={}", n + 1),
            };
            sessions_away(&mut world, own);
            // Some have another subscription with an identifier that all of them have in common.
            let also = |n: usize| n.is_multiple_of(2);
            for n in (0..SESSIONS).filter(|n| also(*n)) {
                world.command(&format!("s{n} connect keep expiry=1000"));
                world.command(&format!("s{n} subscribe 1 t/#,1 sid=1"));
                world.command(&format!("s{n} lost"));
            }
            publish_all(&mut world);
            before.lines().for_each(|line| drop(world.command(line)));
            if before == "checkpoint" {
                world.crash();
            }
            all_drain(&mut world, |n| match (also(n), own(n)) {
                (false, own) => own,
                (true, own) => format!("sid=1 {own}").trim().to_owned(),
            });
            let most = SESSIONS * MESSAGES * ("t".len() + "message-20".len() + HEAD_BYTES);
            assert!(world.log.read_bytes() as usize <= most, "{} read", world.log.read_bytes());
        }
    }
}

#[test]
fn a_queue_beside_them_has_its_messages_too() {
    let mut world = World::new(Config::default());
    world.command("c connect");
    world.command("c subscribe 1 $q/t,1");
    world.command("c lost");
    sessions_away(&mut world, |_| String::new());
    publish_all(&mut world);
    world.command("checkpoint");
    world.crash();
    world.command("c connect");
    let heard = world.command("c subscribe 1 $q/t,1");
    let got = heard.iter().filter(|line| line.starts_with("c publish 1")).count();
    assert_eq!(got, MESSAGES, "{heard:?}");
    all_drain(&mut world, |_| String::new());
}

#[test]
fn a_retained_message_for_many_comes_to_a_new_subscription() {
    let mut world = World::new(Config::default());
    sessions_away(&mut world, |_| String::new());
    world.command("p connect");
    world.command("p publish 1 t kept id=1 retain");
    world.crash();
    world.command("c connect");
    assert_eq!(world.command("c subscribe 1 t,0"), ["c suback 1 00", "c publish 0 retain t kept"]);
}
