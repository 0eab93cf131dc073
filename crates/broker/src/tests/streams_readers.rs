//! Clients that read a stream now for themselves and now for their group, with operators who set readers back, a log that
//! refuses, and crashes: no reader is ever past a message that no client has acknowledged for it, and what was is not sent to
//! it again.

use std::collections::{BTreeMap, BTreeSet};

use stdx::testing::{Dice, runs};

use super::World;
use crate::config::Config;

const CLIENTS: [&str; 3] = ["a", "b", "c"];

/// What a client was sent and has not answered, by packet id: for which reader, which message, and whether the
/// client has given it back since: then the message comes again.
type Unanswered = BTreeMap<String, (String, u64, bool)>;

/// What is settled for good, as far as that is sure: nothing that was acknowledged while the log was held or refused.
#[derive(Default)]
struct Settled {
    now_ms: u64,
    is_held: bool,
    /// Readers that were set elsewhere since the last crash: what they had on its way then comes again.
    moved: BTreeSet<String>,
    /// Whom each client reads for.
    reads_for: BTreeMap<&'static str, String>,
    /// Since when, by reader and message.
    since: BTreeMap<(String, u64), u64>,
    /// Messages at QoS 2 whose PUBREL has not come, by client and packet id.
    received: BTreeMap<(&'static str, String), (String, u64)>,
}

impl Settled {
    fn acknowledged(&mut self, client: &'static str, reader: &str, offset: u64) {
        let is_meant = self.reads_for.get(client).is_some_and(|now| now == reader);
        if is_meant && !self.is_held && !self.moved.contains(reader) {
            self.since.entry((reader.to_owned(), offset)).or_insert(self.now_ms);
        }
    }

    /// The log has it that the client has the message, so it does not come again from now on.
    fn released(&mut self, client: &'static str, id: &str) {
        if let Some((reader, offset)) = self.received.remove(&(client, id.to_owned())) {
            let key = (reader, offset);
            if let Some(since) = self.since.get_mut(&key) {
                *since = 0;
            }
        }
    }

    /// Whether a message must not come any more.
    fn is_over(&self, reader: &str, offset: u64) -> bool {
        let since = self.since.get(&(reader.to_owned(), offset));
        since.is_some_and(|since| *since == 0 || self.now_ms >= since + 60)
    }
}

struct Run {
    world: World,
    published: u64,
    unanswered: BTreeMap<&'static str, Unanswered>,
    /// What was acknowledged for each reader.
    acknowledged: BTreeMap<String, BTreeSet<u64>>,
    answers: Vec<String>,
    settled: Settled,
    /// What was done, for who looks at a failure.
    said: Vec<String>,
}

impl Run {
    fn new(shards: u16) -> Self {
        let world = World::new(Config { shards, ..Config::default() });
        let (unanswered, acknowledged) = (BTreeMap::new(), BTreeMap::new());
        let (answers, said) = (Vec::new(), Vec::new());
        let settled = Settled { now_ms: 1, ..Settled::default() };
        let mut run =
            Self { world, published: 0, unanswered, acknowledged, answers, settled, said };
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
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["wait", ms] => self.settled.now_ms += ms.parse::<u64>().expect("a number"),
            ["log", "hold" | "refuses"] => {
                self.settled.is_held = true;
                // What waits for its record is not in the log.
                let now_ms = self.settled.now_ms;
                self.settled.since.retain(|_, since| *since == 0 || now_ms >= *since + 60);
            }
            ["set" | "forget", _, reader] | ["set", _, reader, _] => {
                let reader = reader.replace("c:", "client ").replace("g:", "group ");
                self.moves(&reader);
            }
            _ => {}
        }
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
                let is_over = self.settled.is_over(&reader, offset);
                assert!(!is_over, "{line}: it was settled\n{}", self.said.join("\n"));
                let Some(id) = value("id=") else {
                    self.settled.acknowledged(client, &reader, offset);
                    self.acknowledged.entry(reader).or_default().insert(offset);
                    return;
                };
                let known = self.unanswered.entry(client).or_default();
                known.insert(format!("{} {id}", words[2]), (reader, offset, false));
            }
            "pubrel" => {
                self.settled.released(client, words[2]);
                self.answers.push(format!("{client} pubcomp {}", words[2]));
            }
            _ => {}
        }
    }

    /// A reader goes elsewhere, or may.
    fn moves(&mut self, reader: &str) {
        self.settled.since.retain(|(of, _), _| of != reader);
        self.settled.moved.insert(reader.to_owned());
    }

    /// A client reads no more for whom it did: what it says of what it has means nothing.
    fn gives_back(&mut self, client: &'static str) {
        self.settled.reads_for.remove(client);
        self.settled.received.retain(|(of, _), _| *of != client);
        let all = self.unanswered.get_mut(client).into_iter().flat_map(BTreeMap::values_mut);
        all.for_each(|(.., is_back)| *is_back = true);
    }

    fn begin(&mut self) {
        for line in ["p connect", "d connect", "d subscribe 1 $queue/busy,0"] {
            self.command(line);
        }
    }

    fn connect(&mut self, client: &'static str, keeps: bool) {
        self.unanswered.remove(client);
        self.settled.received.retain(|(of, _), _| *of != client);
        if !keeps {
            self.settled.reads_for.remove(client);
        }
        self.answers.retain(|answer| !answer.starts_with(client));
        let keeps = if keeps { "keep " } else { "" };
        self.command(&format!("{client} connect {keeps}expiry=100000 rm=4"));
    }

    fn subscribe(&mut self, client: &'static str, dice: &mut Dice) {
        let qos = dice.below(3);
        let how = *dice.one_of(&[
            "sid=1 up=stream-offset:next",
            "sid=1 up=stream-offset:earliest",
            "sid=2 up=stream-group:w up=stream-offset:earliest",
            "sid=2 up=stream-group:w up=stream-offset:earliest",
        ]);
        self.subscribe_how(client, qos, how);
    }

    fn subscribe_how(&mut self, client: &'static str, qos: usize, how: &str) {
        let reader = match how.contains("sid=1") {
            true => format!("client {client}"),
            false => "group w".to_owned(),
        };
        if how.contains("sid=1") && how.contains("earliest") || self.settled.is_held {
            self.moves(&reader);
        }
        if self.settled.reads_for.get(client) != Some(&reader) {
            self.gives_back(client);
        }
        self.settled.reads_for.insert(client, reader);
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
        let (reader, offset, is_back) = known.expect("it is there");
        let (qos, id) = id.split_once(' ').expect("a QoS and an id");
        let ack = if qos == "1" { "puback" } else { "pubrec" };
        let code = if dice.below(8) == 0 { " 80" } else { "" };
        if code.is_empty() {
            if !is_back {
                self.settled.acknowledged(client, &reader, offset);
            }
            if qos == "2" && !is_back {
                let key = (client, id.to_owned());
                self.settled.received.insert(key, (reader.clone(), offset));
            }
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
            25 => {
                self.gives_back(client);
                self.command(&format!("{client} unsubscribe 8 $stream/log"));
            }
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
            34 | 35 => {
                // What it refuses next is over with that, and what was put off because of it.
                for line in ["log commit", "wait 60", "wait 1000", "wait 60"] {
                    self.command(line);
                }
                self.settled.is_held = false;
                let all = self.unanswered.values_mut().flat_map(BTreeMap::values_mut);
                all.for_each(|(.., is_back)| *is_back = true);
            }
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
        // What was on its way when the log was held may have brought readers elsewhere, or not.
        if std::mem::take(&mut self.settled.is_held) {
            self.settled.since.clear();
        }
        let now_ms = self.settled.now_ms;
        self.settled.since.retain(|_, since| *since == 0 || now_ms >= *since + 60);
        self.settled.received.clear();
        self.settled.moved.clear();
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
            self.subscribe_how(client, 2, "sid=1 up=stream-offset:next");
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
