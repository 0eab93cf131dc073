//! Messages that need no room in a full queue: what replaces another, what is known already.

use stdx::testing::{Dice, runs};

use super::{World, check};
use crate::config::Config;

#[test]
fn a_full_queue_takes_the_newer_message_of_a_key() {
    check(
        r#"
create state s/# last_value=yes max_messages=2
p connect
  p connack 00
p publish 1 s/door open id=1
  p puback 1 00
p publish 1 s/lamp on id=2
  p puback 2 00
p publish 1 s/door closed id=3
  p puback 3 00
p publish 1 s/window open id=4
  p puback 4 97 "message not stored: queue 'state' is full, its max_messages is 2"
ledger state
  enqueued=3 ready=2 replaced=1
crash
p connect
  p connack 00
p publish 1 s/lamp off id=5
  p puback 5 00
p publish 1 s/window open id=6
  p puback 6 97 "message not stored: queue 'state' is full, its max_messages is 2"
ledger state
  enqueued=4 ready=2 replaced=2
"#,
    );
}

#[test]
fn what_a_consumer_has_is_not_replaced_and_keeps_its_room() {
    check(
        r#"
create state s/# last_value=yes max_messages=2
p connect
  p connack 00
p publish 1 s/door open id=1
  p puback 1 00
p publish 1 s/lamp on id=2
  p puback 2 00
a connect rm=1
  a connack 00
a subscribe 1 $queue/state,1
  a suback 1 01
  a publish 1 id=1 s/door open
p publish 1 s/door closed id=3
  p puback 3 97 "message not stored: queue 'state' is full, its max_messages is 2"
p publish 1 s/lamp off id=4
  p puback 4 00
a lost
p publish 1 s/door closed id=5
  p puback 5 00
ledger state
  enqueued=4 ready=2 replaced=2
"#,
    );
}

#[test]
fn several_on_their_way_replace_each_other() {
    check(
        r#"
create state s/# last_value=yes max_messages=2
p connect
  p connack 00
log hold
p publish 1 s/door 1 id=1
p publish 1 s/door 2 id=2
p publish 1 s/lamp 1 id=3
p publish 1 s/door 3 id=4
p publish 1 s/lamp 2 id=5
p publish 1 s/window 1 id=6
log commit
  p puback 1 00
  p puback 2 00
  p puback 3 00
  p puback 4 00
  p puback 5 00
  p puback 6 97 "message not stored: queue 'state' is full, its max_messages is 2"
ledger state
  enqueued=5 ready=2 replaced=3
"#,
    );
}

#[test]
fn bytes_are_taken_over_as_far_as_they_go() {
    check(
        r#"
create state s/# last_value=yes max_bytes=300
p connect
  p connack 00
p publish 1 s/1 - id=1 size=60
  p puback 1 00
p publish 1 s/2 - id=2 size=60
  p puback 2 00
p publish 1 s/1 - id=3 size=100
  p puback 3 00
p publish 1 s/2 - id=4 size=100
  p puback 4 97 "message not stored: queue 'state' is full, its max_bytes is 300"
p publish 1 s/2 - id=5 size=20
  p puback 5 00
ledger state
  enqueued=4 ready=2 replaced=2
"#,
    );
}

#[test]
fn what_was_to_replace_another_and_was_not_stored_leaves_the_room_as_it_was() {
    check(
        r#"
create state s/# last_value=yes max_messages=1
p connect
  p connack 00
p publish 1 s/door 1 id=1
  p puback 1 00
log hold
p publish 1 s/door 2 id=2
log fails
log commit
  p puback 2 83 "message not stored: the broker's log has failed, see its messages"
log well
p publish 1 s/lamp 1 id=3
  p puback 3 97 "message not stored: queue 'state' is full, its max_messages is 1"
p publish 1 s/door 3 id=4
  p puback 4 00
ledger state
  enqueued=2 ready=1 replaced=1
"#,
    );
}

#[test]
fn a_living_queue_begins_and_ceases_to_take_over_room() {
    check(
        r#"
create state s/# max_messages=2
p connect
  p connack 00
p publish 1 s/door 1 id=1
  p puback 1 00
p publish 1 s/lamp 1 id=2
  p puback 2 00
p publish 1 s/door 2 id=3
  p puback 3 97 "message not stored: queue 'state' is full, its max_messages is 2"
# Until those that wait have their keys, nothing replaces them.
log slow
change state last_value=yes
p publish 1 s/door 2 id=4
  p puback 4 97 "message not stored: queue 'state' is full, its max_messages is 2"
log reads
p publish 1 s/door 2 id=5
  p puback 5 00
p publish 1 s/lamp 2 id=6
  p puback 6 00
p publish 1 s/hall 1 id=7
  p puback 7 97 "message not stored: queue 'state' is full, its max_messages is 2"
change state last_value=no
p publish 1 s/door 3 id=8
  p puback 8 97 "message not stored: queue 'state' is full, its max_messages is 2"
ledger state
  enqueued=4 ready=2 replaced=2
"#,
    );
}

#[test]
fn a_held_publisher_goes_on_when_its_message_replaces_another() {
    check(
        r#"
create state s/# last_value=yes max_messages=1
p connect v=3.1.1
  p connack 00
q connect
  q connack 00
q publish 1 s/lamp 1 id=1
  q puback 1 00
p publish 1 s/door 1 id=1
a connect rm=1
  a connack 00
a subscribe 1 $queue/state,1
  a suback 1 01
  a publish 1 id=1 s/lamp 1
a puback 1
q publish 1 s/door 0 id=2
  a publish 1 id=2 s/door 0
  q puback 2 00
a lost
wait 100
  p puback 1 00
ledger state
  enqueued=3 settled=1 ready=1 replaced=1
"#,
    );
}

#[test]
fn a_full_queue_acknowledges_what_it_knows() {
    check(
        r#"
create jobs work dedup_window=10000 max_messages=1
p connect
  p connack 00
p publish 1 work one id=1 up=message-id:7
  p puback 1 00
p publish 1 work one id=2 up=message-id:7
  p puback 2 00
p publish 1 work two id=3 up=message-id:8
  p puback 3 97 "message not stored: queue 'jobs' is full, its max_messages is 1"
p publish 1 work one id=4 up=message-id:7
  p puback 4 00
crash
p connect
  p connack 00
p publish 1 work one id=5 up=message-id:7
  p puback 5 00
ledger jobs
  enqueued=1 ready=1
wait 10001
p publish 1 work one id=6 up=message-id:7
  p puback 6 97 "message not stored: queue 'jobs' is full, its max_messages is 1"
change jobs dedup_window=0
p publish 1 work one id=7 up=message-id:7
  p puback 7 97 "message not stored: queue 'jobs' is full, its max_messages is 1"
"#,
    );
}

/// Publishers and consumers of two queues that have some messages in common, whose properties change meanwhile.
struct Run {
    world: World,
    published: usize,
    unanswered: Vec<String>,
    said: Vec<String>,
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.said.join("\n"));
        }
    }
}

impl Run {
    fn new(shards: u16) -> Self {
        let world = World::new(Config { shards, ..Config::default() });
        let mut run = Self { world, published: 0, unanswered: Vec::new(), said: Vec::new() };
        run.command("create one s/# max_messages=4 last_value=yes dead_letter=own");
        run.command("create two s/+/# max_bytes=600 dedup_window=1000 key=level(2)");
        run.connect();
        run
    }

    fn connect(&mut self) {
        self.unanswered.clear();
        for line in
            ["p connect", "q connect", "h connect v=3.1.1", "a connect rm=2", "b connect rm=2"]
        {
            self.command(line);
        }
        self.command("a subscribe 1 $queue/one,1 $queue/two,1");
        self.command("b subscribe 1 $queue/one,1");
    }

    /// The world checks after each command that what is taken of rooms is what is there.
    fn command(&mut self, line: &str) {
        self.said.push(line.to_owned());
        for heard in self.world.command(line) {
            let words: Vec<&str> = heard.split(' ').collect();
            let id = words.iter().find_map(|word| word.strip_prefix("id="));
            if let ["a" | "b", "publish", "1", ..] = words[..]
                && let Some(id) = id
            {
                self.unanswered.push(format!("{} puback {id}", words[0]));
            }
            self.said.push(format!("  {heard}"));
        }
    }

    fn publish(&mut self, dice: &mut Dice) {
        self.published += 1;
        let n = 1 + self.published % 60_000;
        let who = *dice.one_of(&["p", "p", "q", "h"]);
        if !self.world.is_open(who) {
            self.command("h connect v=3.1.1");
        }
        let topic = *dice.one_of(&["s/a", "s/b", "s/a/x", "s/b/x", "s/c"]);
        let payload = "x".repeat(1 + dice.below(3) * 60);
        let known = match dice.below(3) {
            0 if who != "h" => format!(" up=message-id:{}", dice.below(4)),
            1 if who != "h" && dice.below(3) == 0 => " up=delay:1s".to_owned(),
            _ => String::new(),
        };
        self.command(&format!("{who} publish 1 {topic} {payload} id={n}{known}"));
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.below(30) {
            0..12 => self.publish(dice),
            12..16 if !self.unanswered.is_empty() => {
                let nth = dice.below(self.unanswered.len());
                let answer = self.unanswered.swap_remove(nth);
                let code = *dice.one_of(&["", "", " 80", " 97", " 99"]);
                self.command(&format!("{answer}{code}"));
            }
            16..19 => {
                let queue = *dice.one_of(&["one", "two"]);
                let change = *dice.one_of(&[
                    "last_value=yes",
                    "last_value=no",
                    "max_messages=2",
                    "max_messages=5",
                    "max_bytes=300",
                    "max_bytes=5000",
                    "overflow=drop",
                    "overflow=reject",
                    "dedup_window=1000",
                    "dedup_window=0",
                    "key=topic",
                    "key=payload.a",
                    "dead_unkeyed=yes",
                    "dead_unkeyed=no",
                    "strategy=4",
                    "strategy=1",
                    "paused=yes",
                    "paused=no",
                ]);
                self.command(&format!("change {queue} {change}"));
            }
            19 => {
                self.unanswered.retain(|answer| !answer.starts_with("a "));
                self.command("a lost");
                self.command("a connect rm=2");
                self.command("a subscribe 1 $queue/one,1 $queue/two,1");
            }
            20 => {
                self.command("crash");
                self.connect();
            }
            21 => self.command("checkpoint"),
            22..24 => {
                let wait = *dice.one_of(&["wait 1", "wait 60", "wait 1500", "wait 40000"]);
                self.command(wait);
            }
            24..26 => self.command("log hold"),
            26..28 => self.command("log commit"),
            28 => self.command("log refuses"),
            _ => {
                let what = *dice.one_of(&["purge one", "seek one latest", "purge two"]);
                self.command(what);
            }
        }
    }
}

#[test]
fn what_is_taken_of_rooms_is_what_is_there_whatever_happens() {
    runs(100, |_, dice| {
        let mut run = Run::new(*dice.one_of(&[1, 3]));
        for _ in 0..150 {
            run.step(dice);
        }
        run.command("log commit");
        run.command("log well");
        for line in ["change one paused=no", "change two paused=no", "purge one", "purge two"] {
            run.command(line);
        }
        for change in ["max_messages=1000", "max_bytes=100000"] {
            run.command(&format!("change one {change}"));
            run.command(&format!("change two {change}"));
        }
        run.command("q publish 1 s/z last id=1");
        let answer = run.said.iter().any(|line| line == "  q puback 1 00");
        assert!(answer, "there is room");
    });
}
