//! A queue's consumer at QoS 2 with a session sees each message once, over any crash of the broker.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stdx::testing::{Dice, runs};

use super::{World, check};
use crate::config::Config;

const BEGIN: &str = r#"
s connect expiry=1000
  s connack 00
s subscribe 1 $q/jobs,2
  s suback 1 02
z connect
  z connack 00
z publish 1 jobs one id=1
  s publish 2 id=32768 jobs one
  z puback 1 00
"#;

/// With each of these between what comes before and what comes after.
fn check_over(crashes: &[&str], before: &str, after: &str) {
    for crash in crashes {
        check(&format!("{before}{crash}{after}"));
    }
}

const CRASHES: [&str; 3] = ["crash", "checkpoint\ncrash", "checkpoint\ncrash\ncheckpoint\ncrash"];

#[test]
fn a_message_on_its_way_at_a_crash_comes_again_under_its_packet_id() {
    check_over(
        &CRASHES,
        BEGIN,
        r#"
z connect
  z connack 00
z publish 1 jobs two id=1
  z puback 1 00
s connect keep expiry=1000
  s connack 00 present
  s publish 2 id=32768 dup jobs one
  s publish 2 id=59392 jobs two
s pubrec 32768
  s pubrel 32768 00
s pubcomp 32768
s pubrec 59392
  s pubrel 59392 00
s pubcomp 59392
wait 60
ledger jobs
  enqueued=2 settled=2
crash
s connect keep expiry=1000
  s connack 00 present
ledger jobs
  enqueued=2 settled=2
ends
  0
"#,
    );
}

#[test]
fn what_the_client_has_does_not_come_again_however_soon_the_crash() {
    let before = format!("{BEGIN}s pubrec 32768\n  s pubrel 32768 00\n");
    check_over(
        &CRASHES,
        &before,
        r#"
ledger jobs
  enqueued=1 settled=1
s connect keep expiry=1000
  s connack 00 present
  s pubrel 32768 00
s pubcomp 32768
wait 60
crash
s connect keep expiry=1000
  s connack 00 present
ends
  0
"#,
    );
}

#[test]
fn publish_and_pubrel_wait_for_their_records() {
    check(
        r#"
create jobs jobs
z connect
  z connack 00
z publish 1 jobs one id=1
  z puback 1 00
s connect expiry=1000
  s connack 00
log hold
s subscribe 1 $queue/jobs,2
log commit
  s suback 1 02
  s publish 2 id=32768 jobs one
log hold
s pubrec 32768
# Once more while it is being stored.
s pubrec 32768
crash
s connect keep expiry=1000
  s connack 00 present
  s publish 2 id=32768 dup jobs one
log fails
s pubrec 32768
log well
  s pubrel 32768 00
s pubcomp 32768
ledger jobs
  enqueued=1 settled=1
ends
  0
"#,
    );
}

#[test]
fn a_lost_connection_lets_the_message_come_again_as_the_same() {
    check_over(
        &["s lost"],
        BEGIN,
        r#"
s connect keep expiry=1000
  s connack 00 present
  s publish 2 id=32768 dup jobs one
s pubrec 32768 80
s lost
wait 60
# It refused that one: the next try is a new one.
wait 5000
s connect keep expiry=1000
  s connack 00 present
  s publish 2 id=32769 jobs one
"#,
    );
}

#[test]
fn a_message_that_another_consumer_took_ends_its_packet_id() {
    check_over(
        &[
            "s lost",
            "s lost\nwait 60\ncrash\nz connect\n  z connack 00",
            "wait 60\ncrash\nz connect\n  z connack 00",
        ],
        BEGIN,
        r#"
t connect
  t connack 00
t subscribe 1 $q/jobs,1
  t suback 1 01
  t publish 1 id=1 jobs one
# It is there still, and may come back.
s connect keep expiry=1000
  s connack 00 present
s lost
t puback 1
s connect keep expiry=1000
  s connack 00 present
  s pubrel 32768 00
s pubcomp 32768
s lost
wait 60
s connect keep expiry=1000
  s connack 00 present
ledger jobs
  enqueued=1 settled=1
ends
  0
"#,
    );
}

#[test]
fn a_packet_id_that_never_went_out_is_not_taken_for_the_one_that_did() {
    check(
        r#"
s connect expiry=1000
  s connack 00
s subscribe 1 $q/jobs,2
  s suback 1 02
s lost
z connect rm=1
  z connack 00
z subscribe 1 $q/jobs,1
  z suback 1 01
z publish 1 jobs zero id=1
  z puback 1 00
  z publish 1 id=1 jobs zero
z publish 1 jobs one id=2
  z puback 2 00
log hold
s connect keep expiry=1000
  s connack 00 present
s lost
s connect keep expiry=1000
  s connack 00 present
log commit
  s publish 2 id=32769 jobs one
crash
s connect keep expiry=1000
  s connack 00 present
  s publish 2 id=32769 dup jobs one
  s publish 2 id=59392 jobs zero
"#,
    );
}

#[test]
fn who_consumes_no_more_is_let_forget_its_packet_ids() {
    check(&format!(
        r#"{BEGIN}
s unsubscribe 2 $q/jobs
  s unsuback 2 00
s lost
s connect keep expiry=1000
  s connack 00 present
  s pubrel 32768 00
s pubcomp 32768
ledger jobs
  enqueued=1 ready=1
ends
  0
"#
    ));
}

#[test]
fn what_goes_again_to_who_does_not_read_keeps_its_packet_id() {
    check(&format!(
        r#"{BEGIN}
z publish 1 jobs two id=2
  s publish 2 id=32769 jobs two
  z puback 2 00
s pubrec 32768
  s pubrel 32768 00
s lost
s connect keep expiry=1000 rm=1
  s connack 00 present
  s pubrel 32768 00
s block
s pubcomp 32768
s lost
s connect keep expiry=1000
  s connack 00 present
  s publish 2 id=32769 dup jobs two
"#
    ));
}

/// A client that takes a message when its PUBLISH comes, and keeps its session over everything.
#[derive(Default)]
struct Client {
    held: BTreeSet<String>,
    seen: BTreeMap<String, usize>,
    answers: VecDeque<String>,
}

impl Client {
    fn hear(&mut self, lines: &[String]) {
        for words in lines.iter().map(|line| line.split(' ').collect::<Vec<_>>()) {
            match words[..] {
                ["s", "publish", "2", id, .., payload] => {
                    let id = id.trim_start_matches("id=").to_owned();
                    if self.held.insert(id.clone()) {
                        *self.seen.entry(payload.to_owned()).or_default() += 1;
                    }
                    self.answers.push_back(format!("s pubrec {id}"));
                }
                ["s", "pubrel", id, code] => {
                    assert_eq!(code, "00", "the broker knows each packet id");
                    self.held.remove(id);
                    self.answers.push_back(format!("s pubcomp {id}"));
                }
                _ => {}
            }
        }
    }
}

struct Run {
    world: World,
    client: Client,
    published: usize,
}

impl Run {
    fn command(&mut self, line: &str) {
        let heard = self.world.command(line);
        self.client.hear(&heard);
    }

    fn connect(&mut self) {
        // What it had to say is lost with the connection.
        self.client.answers.clear();
        self.command("s connect keep expiry=100000 rm=4");
        self.command("z connect");
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.below(20) {
            0..5 => {
                self.published += 1;
                let n = self.published;
                self.command(&format!("z publish 1 jobs m{n} id={}", 1 + n % 60_000));
            }
            5..12 => {
                if let Some(answer) = self.client.answers.pop_front() {
                    self.command(&answer);
                }
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
fn random_crashes_double_no_message_of_a_queue() {
    runs(60, |_, dice| {
        let shards = *dice.one_of(&[1, 3]);
        let world = World::new(Config { shards, ..Config::default() });
        let mut run = Run { world, client: Client::default(), published: 0 };
        run.command("create jobs jobs");
        run.connect();
        run.command("s subscribe 1 $queue/jobs,2");
        for _ in 0..120 {
            run.step(dice);
        }
        run.command("log commit");
        run.command("s unblock");
        while let Some(answer) = run.client.answers.pop_front() {
            run.command(&answer);
        }
        let Client { held, seen, .. } = &run.client;
        assert!(held.is_empty(), "each handshake came to its end: {held:?}");
        assert!(seen.values().all(|count| *count == 1), "each message once: {seen:?}");
        let ledger = run.world.ledger("jobs").expect("the queue is there");
        assert_eq!((ledger.settled, seen.len() as u64), (ledger.enqueued, ledger.enqueued));
    });
}
