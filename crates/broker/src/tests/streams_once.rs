//! A stream's reader at QoS 2 with a session sees each message once, over any crash of the broker and in whatever order it
//! completes them; what a reader settled is settled for good within 50 ms, also behind a message that is not.

use std::collections::{BTreeMap, BTreeSet};

use stdx::testing::{Dice, runs};

use super::{World, check, check_on};
use crate::config::Config;

/// A reader with three messages on their way.
const BEGIN: &str = r#"
stream log t
p connect
  p connack 00
a connect expiry=1000
  a connack 00
a subscribe 1 $stream/log,2@
  a suback 1 02
p publish 1 t 0 id=1
  a publish 2 id=32768 t 0
  p puback 1 00
p publish 1 t 1 id=2
  a publish 2 id=32769 t 1
  p puback 2 00
p publish 1 t 2 id=3
  a publish 2 id=32770 t 2
  p puback 3 00
"#;

const CRASHES: [&str; 4] = [
    "crash",
    "checkpoint\ncrash",
    "crash\ncheckpoint\ncrash",
    "checkpoint\ncrash\ncheckpoint\ncrash",
];

/// By a client alone and for a group, with each kind of crash between what comes before and what comes after.
fn check_once(before: &str, after: &str) {
    for how in ["", " up=stream-group:w"] {
        for crash in CRASHES {
            let reader = if how.is_empty() { "client a" } else { "group w" };
            let transcript = format!("{BEGIN}{before}{crash}\n{after}");
            check(&transcript.replace('@', how).replace("READER", reader));
        }
    }
}

#[test]
fn what_was_received_behind_what_was_not_does_not_come_again() {
    check_once(
        "a pubrec 32770
  a pubrel 32770 00
",
        "a connect keep expiry=1000
  a connack 00 present
  a pubrel 32770 00
  a publish 2 id=32768 dup t 0
  a publish 2 id=32769 dup t 1
a pubcomp 32770
a pubrec 32768
  a pubrel 32768 00
a pubcomp 32768
crash
a connect keep expiry=1000
  a connack 00 present
  a pubrel 32768 00
  a publish 2 id=32769 dup t 1
a pubcomp 32768
a pubrec 32769
  a pubrel 32769 00
a pubcomp 32769
readers log
  READER at 3 members=1
ends
  0
",
    );
}

#[test]
fn what_was_completed_behind_what_was_not_does_not_come_again() {
    check_once(
        "a pubrec 32769
  a pubrel 32769 00
a pubcomp 32769
a pubrec 32770
  a pubrel 32770 00
a pubcomp 32770
wait 60
",
        "a connect keep expiry=1000
  a connack 00 present
  a publish 2 id=32768 dup t 0
readers log
  READER at 0 lag=1 members=1 in_flight=1
crash
a connect keep expiry=1000
  a connack 00 present
  a publish 2 id=32768 dup t 0
a pubrec 32768
  a pubrel 32768 00
readers log
  READER at 3 members=1
",
    );
}

#[test]
fn a_rejected_message_does_not_come_again_and_a_released_one_does() {
    check_once(
        "a pubrec 32769 99
a pubrec 32770 80
wait 60
",
        "wait 5000
a connect keep expiry=1000
  a connack 00 present
  a publish 2 id=32768 dup t 0
  a publish 2 id=59452 t 2
readers log
  READER at 0 lag=2 members=1 in_flight=2 rejected=1
",
    );
}

/// Who has no session says `next`, and gets what it has not settled.
#[test]
fn what_was_settled_behind_what_was_not_is_settled_for_good() {
    for how in ["", " up=stream-group:w"] {
        for crash in CRASHES {
            let transcript = format!(
                "
stream log t max_inflight=9
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $stream/log,1@
  a suback 1 01
p publish 1 t 0 id=1
  a publish 1 id=1 t 0
  p puback 1 00
p publish 1 t 1 id=2
  a publish 1 id=2 t 1
  p puback 2 00
p publish 1 t 2 id=3
  a publish 1 id=3 t 2
  p puback 3 00
p publish 1 t 3 id=4
  a publish 1 id=4 t 3
  p puback 4 00
a puback 2
a puback 4
wait 60
{crash}
readers log
  READER at 0 lag=2
a connect
  a connack 00
a subscribe 1 $stream/log,1@ up=stream-offset:next metadata
  a suback 1 01
  a publish 1 id=1 t 0 stream:log offset:0 attempt:2 publish-ts:1700000000000
  a publish 1 id=2 t 2 stream:log offset:2 attempt:2 publish-ts:1700000000000
a puback 2
wait 60
crash
readers log
  READER at 0 lag=1
a connect
  a connack 00
a subscribe 1 $stream/log,1@ up=stream-offset:next
  a suback 1 01
  a publish 1 id=1 t 0
a puback 1
readers log
  READER at 4 members=1
"
            );
            let reader = if how.is_empty() { "client a" } else { "group w" };
            check(&transcript.replace('@', how).replace("READER", reader));
        }
    }
}

/// Who goes elsewhere has settled nothing there.
#[test]
fn who_was_set_elsewhere_begins_anew_after_a_crash() {
    for (to, comes) in [("earliest", "0 1 2 3"), ("2", "2 3"), ("1", "1 2 3")] {
        for crash in CRASHES {
            for by in ["client", "operator"] {
                let mut world = World::new(Config::default());
                let mut say = |line: &str| world.command(line);
                say("stream log t");
                say("p connect");
                say("a connect");
                say("a subscribe 1 $stream/log,1");
                (0..4).for_each(|n| drop(say(&format!("p publish 1 t {n} id={}", n + 1))));
                ["a puback 2", "a puback 3", "wait 60"].iter().for_each(|line| drop(say(line)));
                if by == "client" {
                    say(&format!("a subscribe 2 $stream/log,1 up=stream-offset:{to}"));
                    say("a lost");
                } else {
                    say("a lost");
                    say(&format!("set log c:a {to}"));
                }
                crash.lines().for_each(|line| drop(say(line)));
                say("a connect");
                let heard = say("a subscribe 1 $stream/log,1 up=stream-offset:next");
                let payloads = heard.iter().skip(1).filter_map(|line| line.split(' ').next_back());
                assert_eq!(payloads.collect::<Vec<_>>().join(" "), comes, "{by} {to} {crash}");
            }
        }
    }
}

/// What the log did not take is said again a second later, and what is said since is not taken for more than it is.
#[test]
fn a_reader_that_went_back_unheard_is_not_where_it_was_after_a_crash() {
    check_on(
        1,
        &Config::default(),
        "
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
p publish 1 t 1 id=2
  p puback 2 00
p publish 1 t 2 id=3
  p puback 3 00
a connect
  a connack 00
a subscribe 1 $stream/log,0 up=stream-offset:earliest
  a suback 1 00
  a publish 0 t 0
  a publish 0 t 1
  a publish 0 t 2
wait 60
log refuses
a subscribe 2 $stream/log,1 up=stream-offset:earliest
  a suback 2 01
  a publish 1 id=1 t 0
  a publish 1 id=2 t 1
  a publish 1 id=3 t 2
a puback 1
a puback 3
wait 1000
wait 60
crash
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next
  a suback 1 01
  a publish 1 id=1 t 1
",
    );
}

/// A client that reads for itself and for its group has each message twice, and both come to their end.
#[test]
fn who_reads_for_itself_and_for_its_group_completes_both() {
    for (left, right) in [(32768, 32769), (32769, 32768)] {
        for end in ["a lost", "crash", "checkpoint\ncrash"] {
            let mut world = World::new(Config::default());
            let mut say = |line: &str| world.command(line);
            for line in ["stream log t", "p connect", "a connect expiry=1000 rm=2"] {
                say(line);
            }
            say("a subscribe 1 $stream/log/t,2 sid=1");
            say("a subscribe 2 $stream/log,2 sid=2 up=stream-group:w");
            let mut ids: Vec<String> = ids_of(&say("p publish 1 t 0 id=1"));
            ids.sort_unstable();
            assert_eq!(ids, ["32768", "32769"]);
            end.lines().for_each(|line| drop(say(line)));
            let mut heard = say("a connect keep expiry=1000 rm=2");
            let again = ids_of(&heard);
            assert_eq!(again.len(), 2, "{end}: {heard:?}");
            if end == "a lost" {
                assert!(heard.iter().skip(1).all(|line| line.contains(" dup ")), "{heard:?}");
            }
            let order = if left < right { [0, 1] } else { [1, 0] };
            for nth in order {
                heard.extend(say(&format!("a pubrec {}", again[nth])));
                heard.extend(say(&format!("a pubcomp {}", again[nth])));
            }
            say("wait 60");
            assert_eq!(
                say("readers log"),
                ["client a at 1 members=1", "group w at 1 members=1"],
                "{end}: {heard:?}"
            );
            say("p connect");
            assert_eq!(ids_of(&say("p publish 1 t 1 id=1")).len(), 2, "both have room again");
        }
    }
}

fn ids_of(heard: &[String]) -> Vec<String> {
    let publishes = heard.iter().filter(|line| line.starts_with("a publish 2 "));
    let id = |line: &String| {
        line.split(' ').find_map(|word| word.strip_prefix("id=")).map(str::to_owned)
    };
    publishes.filter_map(id).collect()
}

/// A subscription is stored with where its reader begins: a crash does not make it read what was there before.
#[test]
fn a_reader_that_begins_at_the_end_does_so_however_soon_the_crash() {
    for crash in CRASHES {
        check(&format!(
            "
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
a connect expiry=100
  a connack 00
a subscribe 1 $stream/log,1
  a suback 1 01
{crash}
a connect keep expiry=100
  a connack 00 present
readers log
  client a at 1 members=1
"
        ));
    }
}

/// A client that takes a message when its PUBLISH comes, keeps its session over everything, and answers in any order.
struct Run {
    world: World,
    published: u64,
    held: BTreeSet<String>,
    seen: BTreeMap<String, usize>,
    answers: Vec<String>,
}

impl Run {
    fn new(shards: u16, how: &str) -> Self {
        let world = World::new(Config { shards, ..Config::default() });
        let (held, seen, answers) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        let mut run = Self { world, published: 0, held, seen, answers };
        run.command("stream log t");
        run.connect();
        run.command(&format!("s subscribe 1 $stream/log,2 up=stream-offset:earliest{how}"));
        run
    }

    fn command(&mut self, line: &str) {
        let heard = self.world.command(line);
        heard.iter().for_each(|line| self.hear(line));
    }

    fn hear(&mut self, line: &str) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["s", "publish", "2", id, .., payload] => {
                let id = id.trim_start_matches("id=").to_owned();
                if self.held.insert(id.clone()) {
                    *self.seen.entry(payload.to_owned()).or_default() += 1;
                }
                self.answers.push(format!("s pubrec {id}"));
            }
            ["s", "pubrel", id, code] => {
                assert_eq!(code, "00", "the broker knows each packet id");
                self.held.remove(id);
                self.answers.push(format!("s pubcomp {id}"));
            }
            _ => {}
        }
    }

    fn connect(&mut self) {
        // What it had to say is lost with the connection.
        self.answers.clear();
        self.command("s connect keep expiry=100000 rm=6");
        self.command("z connect");
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.below(20) {
            0..5 => {
                self.published += 1;
                let n = self.published;
                self.command(&format!("z publish 1 t m{n} id={}", 1 + n % 60_000));
            }
            5..12 if !self.answers.is_empty() => {
                let nth = dice.below(self.answers.len());
                let answer = self.answers.remove(nth);
                self.command(&answer);
            }
            12 => self.command("s block"),
            13 => self.command("s unblock"),
            14 => {
                self.command("s lost");
                self.connect();
            }
            15 => {
                self.command("crash");
                self.connect();
            }
            16 => self.command("checkpoint"),
            17 => {
                let wait = *dice.one_of(&["wait 1", "wait 60"]);
                self.command(wait);
            }
            18 => self.command("log hold"),
            _ => self.command("log commit"),
        }
    }
}

#[test]
fn random_crashes_double_no_message_of_a_stream() {
    runs(100, |_, dice| {
        let (shards, how) = (*dice.one_of(&[1, 3]), *dice.one_of(&["", " up=stream-group:w"]));
        let mut run = Run::new(shards, how);
        for _ in 0..120 {
            run.step(dice);
        }
        run.command("log commit");
        run.command("s unblock");
        while let Some(answer) = run.answers.pop() {
            run.command(&answer);
        }
        assert!(run.held.is_empty(), "each handshake came to its end: {:?}", run.held);
        let seen = &run.seen;
        assert!(seen.values().all(|count| *count == 1), "each message once: {seen:?}");
        let state = run.world.stream_state("log").expect("the stream is there");
        assert_eq!(seen.len() as u64, state.ledger.kept, "each message that is there");
    });
}
