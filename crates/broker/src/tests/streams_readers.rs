//! Clients that read a stream now for themselves and now for their group, with operators who set readers back, a log that
//! refuses, and crashes: no reader is ever past a message that no client has acknowledged for it.

use std::collections::{BTreeMap, BTreeSet};

use stdx::testing::{Dice, runs};

use super::World;
use crate::config::Config;

const CLIENTS: [&str; 3] = ["a", "b", "c"];

/// What a client was sent and has not answered, by packet id: for which reader, which message.
type Unanswered = BTreeMap<String, (String, u64)>;

struct Run {
    world: World,
    published: u64,
    unanswered: BTreeMap<&'static str, Unanswered>,
    /// What was acknowledged for each reader.
    acknowledged: BTreeMap<String, BTreeSet<u64>>,
    answers: Vec<String>,
    /// What was done, for who looks at a failure.
    said: Vec<String>,
}

impl Run {
    fn new(shards: u16) -> Self {
        let world = World::new(Config { shards, ..Config::default() });
        let (unanswered, acknowledged) = (BTreeMap::new(), BTreeMap::new());
        let (answers, said) = (Vec::new(), Vec::new());
        let mut run = Self { world, published: 0, unanswered, acknowledged, answers, said };
        // What is busy makes segments sparse, whose messages of the stream are written anew.
        for line in ["segments 12", "stream log t retry_delay=1", "create busy busy"] {
            run.command(line);
        }
        run.begin();
        CLIENTS.iter().for_each(|client| run.connect(client, true));
        run
    }

    fn command(&mut self, line: &str) {
        self.said.push(line.to_owned());
        for heard in self.world.command(line) {
            self.said.push(format!("  {heard}"));
            self.hear(&heard);
        }
    }

    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let Some(client) = CLIENTS.into_iter().find(|client| words.first() == Some(client)) else {
            return;
        };
        let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        match words[1] {
            "publish" => {
                let reader = match value("sid=") {
                    Some("1") => format!("client {client}"),
                    _ => "group w".to_owned(),
                };
                let offset = value("offset:").and_then(|text| text.parse().ok());
                let offset = offset.expect("it bears metadata");
                let Some(id) = value("id=") else {
                    self.acknowledged.entry(reader).or_default().insert(offset);
                    return;
                };
                let known = self.unanswered.entry(client).or_default();
                known.insert(format!("{} {id}", words[2]), (reader, offset));
            }
            "pubrel" => self.answers.push(format!("{client} pubcomp {}", words[2])),
            _ => {}
        }
    }

    fn begin(&mut self) {
        for line in ["p connect", "d connect", "d subscribe 1 $queue/busy,0"] {
            self.command(line);
        }
    }

    fn connect(&mut self, client: &'static str, keeps: bool) {
        self.unanswered.remove(client);
        self.answers.retain(|answer| !answer.starts_with(client));
        let keeps = if keeps { "keep " } else { "" };
        self.command(&format!("{client} connect {keeps}expiry=100000 rm=4"));
    }

    fn subscribe(&mut self, client: &str, dice: &mut Dice) {
        let qos = dice.below(3);
        let how = *dice.one_of(&[
            "sid=1 up=stream-offset:next",
            "sid=1 up=stream-offset:earliest",
            "sid=2 up=stream-group:w up=stream-offset:earliest",
            "sid=2 up=stream-group:w up=stream-offset:earliest",
        ]);
        self.command(&format!("{client} subscribe 9 $stream/log,{qos} metadata {how}"));
    }

    fn answer(&mut self, dice: &mut Dice) {
        if !self.answers.is_empty() && dice.below(2) == 0 {
            let nth = dice.below(self.answers.len());
            let answer = self.answers.remove(nth);
            return self.command(&answer);
        }
        let open: Vec<(&'static str, String)> = self
            .unanswered
            .iter()
            .flat_map(|(client, known)| known.keys().map(|id| (*client, id.clone())))
            .collect();
        if open.is_empty() {
            return;
        }
        let (client, id) = dice.one_of(&open).clone();
        let known = self.unanswered.get_mut(client).and_then(|known| known.remove(&id));
        let (reader, offset) = known.expect("it is there");
        let (qos, id) = id.split_once(' ').expect("a QoS and an id");
        let ack = if qos == "1" { "puback" } else { "pubrec" };
        let code = if dice.below(8) == 0 { " 80" } else { "" };
        if code.is_empty() {
            self.acknowledged.entry(reader).or_default().insert(offset);
        }
        self.command(&format!("{client} {ack} {id}{code}"));
    }

    fn step(&mut self, dice: &mut Dice) {
        let client = *dice.one_of(&CLIENTS);
        match dice.below(44) {
            0..6 => {
                let n = self.published;
                self.published += 1;
                self.command(&format!("p publish 1 t {n} id={}", 1 + n % 60_000));
            }
            6..20 => self.answer(dice),
            20..25 => self.subscribe(client, dice),
            25 => self.command(&format!("{client} unsubscribe 8 $stream/log")),
            26 | 27 => {
                self.command(&format!("{client} lost"));
                self.connect(client, dice.below(5) > 0);
            }
            28 | 29 => self.restart(),
            30 => self.command("checkpoint"),
            31 | 32 => {
                let wait = *dice.one_of(&["wait 1", "wait 20", "wait 60"]);
                self.command(wait);
            }
            33 => self.command("log hold"),
            34 | 35 => self.command("log commit"),
            36 => self.command("log refuses"),
            37 => {
                let reader = *dice.one_of(&["c:a", "c:b", "g:w"]);
                self.command(&format!("set log {reader} earliest"));
            }
            38 => {
                let reader = *dice.one_of(&["c:a", "c:b", "g:w"]);
                self.command(&format!("forget log {reader}"));
            }
            39 => (0..8).for_each(|_| self.command("p publish 0 busy x")),
            40 => {
                self.command("wait 160000");
                (0..dice.below(12)).for_each(|_| self.command("wait 1"));
            }
            41 => self.command("log slow"),
            42 => self.command("log reads"),
            _ => {
                let change = *dice.one_of(&["key=level(1)", "max_inflight=2", "max_inflight=9"]);
                self.command(&format!("restream log {change}"));
            }
        }
    }

    fn restart(&mut self) {
        self.command("crash");
        self.answers.clear();
        self.unanswered.clear();
        self.begin();
        CLIENTS.iter().for_each(|client| self.connect(client, true));
        self.check();
    }

    /// No reader is past what nobody has acknowledged for it.
    fn check(&mut self) {
        let readers = self.world.command("readers log");
        for line in readers.iter().filter(|line| line.contains(" at ")) {
            let (name, rest) = line.split_once(" at ").expect("a position");
            let position = rest.split(' ').next().and_then(|text| text.parse::<u64>().ok());
            let position = position.expect("a number");
            let acknowledged = self.acknowledged.get(name).cloned().unwrap_or_default();
            let missing = (0..position).find(|offset| !acknowledged.contains(offset));
            let said = || self.said.join("\n");
            assert_eq!(missing, None, "{line}: not acknowledged\n{}", said());
        }
    }

    /// All that is there comes to all readers.
    fn drain(&mut self, dice: &mut Dice) {
        self.command("log commit");
        self.command("log reads");
        self.restart();
        for client in CLIENTS {
            self.command(&format!(
                "{client} subscribe 9 $stream/log,2 metadata sid=1 up=stream-offset:next"
            ));
        }
        for round in 0..10_000 {
            assert!(round < 9_999, "it never ends\n{}", self.said.join("\n"));
            if self.answers.is_empty() && self.unanswered.values().all(BTreeMap::is_empty) {
                self.command("wait 100");
                if self.answers.is_empty() && self.unanswered.values().all(BTreeMap::is_empty) {
                    break;
                }
            }
            self.answer(dice);
        }
        let state = self.world.stream_state("log").expect("the stream is there");
        let all: BTreeSet<u64> = (0..state.ledger.appended).collect();
        for client in CLIENTS {
            let got = self.acknowledged.get(&format!("client {client}")).cloned();
            assert_eq!(got.unwrap_or_default(), all, "{client}\n{}", self.said.join("\n"));
        }
        self.check();
    }
}

#[test]
fn no_reader_is_past_what_was_not_acknowledged_for_it() {
    runs(100, |_, dice| {
        let shards = *dice.one_of(&[1, 3]);
        let mut run = Run::new(shards);
        for _ in 0..150 {
            run.step(dice);
        }
        run.drain(dice);
    });
}
