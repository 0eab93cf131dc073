//! Whole connections under bytes that nobody sane would send: hostile clients, time, a log that fails, crashes. After
//! each step the shards' own checks hold, what was sent is MQTT and keeps to what each client may be told, and buffers
//! stay within their limits. At the end the broker serves a decent client as if nothing had been.
//!
//! A run is its seed. `WEIR_FUZZ_SEED` repeats one, `WEIR_FUZZ_SECONDS` goes on with further seeds for so long.
//! `tests/corpus` keeps inputs: connections as hexadecimal, a line for each piece. They are replayed first, and the runs
//! take pieces of them.

mod hostile;
mod input;

use super::World;
use crate::config::Config;
use crate::directory::{DeadLetter, QueueProperties};
use hostile::Hostile;
use input::Inputs;
use key_expression::KeyExpression;
use queue_engine::{DispatchStrategy, Overflow};
use std::time::Duration;
use stdx::testing::{Dice, runs};

/// Seeds of an ordinary run of the tests.
const SEEDS: u64 = 40;
const STEPS: usize = 250;
/// Connections at once.
const CLIENTS: usize = 6;
/// Bytes that may wait for a client beyond the limit for live messages: answers, and messages of sessions.
const SLACK: usize = 256 << 10;
/// Answers that may wait for the log: what `max_waiting_answers` allows each of three shards, and the messages of all
/// clients within their Receive Maximum, of former connections too.
const ANSWERS: usize = 3 * 21 + 200;

fn config(shards: u16, seed: u64) -> Config {
    let mut config = Config {
        shards,
        max_output_buffer_bytes: 4 << 10,
        max_subscriptions: 20,
        max_queues: 8,
        max_retained_messages: 20,
        max_retained_bytes: 64 << 10,
        max_mailbox_bytes: 32 << 10,
        max_waiting_answers: 20,
        max_log_backlog_bytes: 32 << 10,
        route_cache_topics: 4,
        read_ahead_messages: 4,
        ..Config::default()
    };
    config.limits.max_pending_messages = 10;
    config.limits.max_outgoing_inflight = 8;
    config.limits.receive_maximum = 5;
    config.limits.topic_alias_maximum = 3;
    config.limits.outgoing_topic_aliases_max = 2;
    config.limits.maximum_packet_size = 8 << 10;
    config.queue_defaults = queue_defaults(seed);
    config
}

/// Queues of all kinds come up.
fn queue_defaults(seed: u64) -> QueueProperties {
    let mut properties = QueueProperties::default();
    let config = &mut properties.config;
    config.max_inflight = 3;
    config.dispatch_strategy = DispatchStrategy::ALL[seed as usize % DispatchStrategy::ALL.len()];
    config.last_value = seed % 3 == 1;
    config.max_messages = (!seed.is_multiple_of(4)).then_some(12);
    config.max_bytes = seed.is_multiple_of(7).then_some(4 << 10);
    if seed % 4 > 1 {
        config.overflow = Overflow::DropOldest;
    }
    config.max_attempts = 2;
    config.retention = Duration::from_secs(seed % 5 * 20);
    config.dedup_window = Duration::from_secs(seed % 2 * 30);
    config.keep_settled = Duration::from_secs(seed % 6 / 4 * 30);
    (config.dead_letter_expired, config.dead_letter_dropped) = (seed % 5 == 1, seed % 8 == 3);
    if seed % 10 == 3 {
        properties.key_expression = KeyExpression::parse("payload.k").expect("legal");
        config.dead_letter_unkeyed = true;
    }
    if seed % 9 == 2 {
        properties.dead_letter = DeadLetter::None;
    }
    properties
}

/// The hostile clients and their broker.
struct Fuzz<'a> {
    world: World,
    dice: Dice,
    inputs: &'a Inputs,
    clients: Vec<Option<Hostile>>,
    opened: usize,
}

impl<'a> Fuzz<'a> {
    fn new(shards: u16, seed: u64, inputs: &'a Inputs) -> Self {
        let mut world = World::new(config(shards, seed));
        world.tapped = Some(Vec::new());
        let clients = (0..CLIENTS).map(|_| None).collect();
        Self { world, dice: Dice::new(seed), inputs, clients, opened: 0 }
    }

    fn step(&mut self) {
        let place = self.dice.below(CLIENTS);
        match self.dice.below(100) {
            0..3 => self.world_command(&["checkpoint", "crash"]),
            3..9 => {
                self.world_command(&["log hold", "log commit", "log full", "log well", "log well"]);
            }
            9..14 => self.world_command(&["wait 1", "wait 60", "wait 2000", "wait 40000"]),
            14..18 => self.client_command(place, &["lost", "block", "unblock", "unblock"]),
            18..30 => self.open(place),
            30..45 => {
                if let Some(client) = &mut self.clients[place] {
                    let bytes = client.answers(&mut self.dice);
                    client.send(&mut self.world, &bytes);
                }
            }
            _ => {
                if let Some(client) = &mut self.clients[place] {
                    let bytes = self.inputs.packets(client.version, &mut self.dice);
                    for piece in self.dice.pieces(&bytes) {
                        client.send(&mut self.world, piece);
                    }
                }
            }
        }
        self.listen();
    }

    fn world_command(&mut self, commands: &[&str]) {
        let command = self.dice.one_of(commands);
        self.world.command(command);
        if *command == "crash" {
            self.clients.fill_with(|| None);
        }
    }

    fn client_command(&mut self, place: usize, commands: &[&str]) {
        let command = self.dice.one_of(commands);
        if let Some(client) = &mut self.clients[place] {
            self.world.command(&format!("{} {command}", client.name));
            if *command == "lost" {
                self.clients[place] = None;
            }
        }
    }

    fn open(&mut self, place: usize) {
        if let Some(old) = self.clients[place].take() {
            self.world.command(&format!("{} lost", old.name));
        }
        self.opened += 1;
        let bytes = self.inputs.connect(&mut self.dice);
        self.clients[place] = Hostile::open(&mut self.world, format!("h{}", self.opened), &bytes);
    }

    /// What the clients heard must be what they may hear.
    fn listen(&mut self) {
        self.world.settle();
        for (name, bytes) in self.world.tapped.replace(Vec::new()).unwrap_or_default() {
            let client = self.clients.iter_mut().flatten().find(|client| client.name == name);
            if let Some(client) = client {
                client.hear(&bytes);
            }
        }
        for client in &mut self.clients {
            client.take_if(|client| !self.world.is_open(&client.name));
            if let Some(client) = client.as_mut().filter(|client| self.world.is_even(&client.name))
            {
                client.is_even();
            }
        }
        let waiting = self.world.longest_buffer();
        assert!(waiting <= config(1, 0).max_output_buffer_bytes + SLACK, "{waiting} bytes wait");
        let answers = self.world.open_ends();
        assert!(answers <= ANSWERS, "{answers} answers wait");
    }

    /// The broker serves who behaves.
    fn end(&mut self) {
        self.world.command("log commit");
        self.world.command("log well");
        for client in std::mem::take(&mut self.clients).into_iter().flatten() {
            if self.world.is_open(&client.name) {
                self.world.command(&format!("{} lost", client.name));
            }
        }
        self.world.command("wait 60000");
        assert_eq!(self.world.open_ends(), 0, "somebody waits for an answer still");
        self.world.command("decent connect");
        assert_eq!(
            self.world.command("decent subscribe 1 honest/own,2,rh2"),
            ["decent suback 1 02"]
        );
        for (n, kind) in [(1, "puback"), (2, "pubrec")] {
            let heard = self.world.command(&format!("decent publish {n} honest/own hello id={n}"));
            let answer = format!("decent {kind} {n} 00");
            let message = format!("decent publish {n} id=");
            assert!(heard.contains(&answer), "{heard:?}");
            assert!(heard.iter().any(|line| line.starts_with(&message)), "{heard:?}");
        }
    }
}

/// Says on the way out of a panic how to come back to it.
struct Seed(u16, u64, usize);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "over {} shards, step {}: repeat with WEIR_FUZZ_SEED={}",
                self.0, self.2, self.1
            );
        }
    }
}

fn run(seed: u64, inputs: &Inputs) {
    for shards in [1, 3] {
        let mut fuzz = Fuzz::new(shards, seed, inputs);
        let mut at = Seed(shards, seed, 0);
        for step in 0..STEPS {
            at.2 = step;
            fuzz.step();
        }
        fuzz.end();
    }
}

#[test]
fn hostile_bytes_harm_nobody_else() {
    let inputs = Inputs::load();
    runs(SEEDS, |seed, _| run(seed, &inputs));
}

#[test]
fn the_corpus_harms_nobody_else() {
    let inputs = Inputs::load();
    for (name, pieces) in inputs.corpus() {
        for shards in [1, 3] {
            println!("{name} over {shards} shards");
            let mut fuzz = Fuzz::new(shards, 1, &inputs);
            for line in ["w connect", "w subscribe 1 #,2", "create q q"] {
                fuzz.world.command(line);
            }
            let client = Hostile::open(&mut fuzz.world, "h".to_owned(), &pieces[0]);
            assert!(client.is_some(), "its first piece is a CONNECT");
            fuzz.clients[0] = client;
            for piece in &pieces[1..] {
                if let Some(client) = &mut fuzz.clients[0] {
                    client.send(&mut fuzz.world, piece);
                }
                fuzz.listen();
            }
            fuzz.end();
        }
    }
}
