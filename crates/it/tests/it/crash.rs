//! kill -9 at random moments under load: what was acknowledged comes out, what was settled does not come again.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use it::{Client, Connect, DEADLINE, Event, Options, Random, Version, Weir};
use serde_json::json;

const KILLS: usize = 20;
const PUBLISHERS: usize = 3;
const WINDOW: usize = 50;
/// Messages that publishers may be ahead of the consumer.
const AHEAD_MAX: i64 = 500;
const QUEUE: &str = "load/+";

/// How long settlements may wait for a record of theirs, by the contract.
const SETTLED_WITHIN: Duration = Duration::from_millis(50);

#[test]
fn nothing_acknowledged_is_lost_and_nothing_settled_comes_again() {
    check(KILLS, &[1]);
}

/// The same with more shards than one, and other ones after each restart: what is where is not written on the disk.
#[test]
fn nothing_is_lost_when_the_number_of_shards_changes() {
    check(8, &[2, 4, 1, 3]);
}

fn check(kills: usize, shards: &[u16]) {
    let mut random = Random::seeded();
    let mut story = Story::default();
    let mut shards = shards.iter().cycle().map(u16::to_string);
    let mut shards = || shards.next().expect("they come round");
    let mut weir = Weir::start(Options::new().set("server.shards", &shards()));
    weir.rest().create_queue(QUEUE, json!({}));
    let mut round = 0;
    // On a machine that is busy with other tests the first rounds may prove nothing; later ones last longer.
    while round < kills || story.settled.is_empty() {
        assert!(round < kills * 10, "no settlement was old enough to be held to");
        let ahead = Arc::new(AtomicI64::new(0));
        let consumer = consume(weir.mqtt, round, Arc::clone(&ahead));
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|number| publish(weir.mqtt, round, number, Arc::clone(&ahead)))
            .collect();
        let longest = 450_000 * (1 + round / kills) as u64;
        let moment = Duration::from_micros(50_000 + random.below(longest));
        let (_running, never) = mpsc::channel::<()>();
        let _ = never.recv_timeout(moment);
        let stopped = weir.kill();
        let mut sent = HashMap::new();
        for publisher in publishers {
            let published = publisher.join().expect("it published");
            story.acknowledged.extend(published.acknowledged);
            sent.extend(published.sent);
        }
        story.take(round, consumer.join().expect("it consumed"), &sent);
        weir = stopped.set("server.shards", &shards()).restart();
        round += 1;
    }
    drain(&weir, &mut story, round);
    let acknowledged = story.acknowledged.len();
    println!("{acknowledged} acknowledged, {} delivered", story.delivered.len());
    assert!(acknowledged > kills * 10, "there was hardly any load: {acknowledged}");
    let lost: Vec<_> = story.acknowledged.difference(&story.delivered).take(10).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

/// All that the clients saw.
#[derive(Default)]
struct Story {
    acknowledged: HashSet<String>,
    delivered: HashSet<String>,
    /// What must not come again, with the round in which it was settled.
    settled: HashMap<String, usize>,
}

impl Story {
    fn take(&mut self, round: usize, consumed: Consumed, sent: &HashMap<String, Instant>) {
        let held_to = consumed.settled_before(sent);
        for (payload, _) in consumed.delivered {
            let before = self.settled.get(&payload);
            assert!(
                before.is_none(),
                "{payload} was settled in round {before:?} and came in {round}"
            );
            self.delivered.insert(payload);
        }
        let durable =
            consumed.settled.into_iter().filter(|(_, at)| held_to.is_some_and(|until| *at < until));
        self.settled.extend(durable.map(|(payload, _)| (payload, round)));
    }
}

#[derive(Default)]
struct Published {
    acknowledged: HashSet<String>,
    /// The moment before each message was sent.
    sent: HashMap<String, Instant>,
}

/// Publishes until the connection breaks.
fn publish(
    to: SocketAddr,
    round: usize,
    number: usize,
    ahead: Arc<AtomicI64>,
) -> JoinHandle<Published> {
    thread::spawn(move || {
        let mut client = Client::connect(to, &Connect::new(&format!("publisher-{number}")));
        let topic = format!("load/{number}");
        let mut waiting: HashMap<u16, String> = HashMap::new();
        let Published { mut acknowledged, mut sent } = Published::default();
        for count in 0_u64.. {
            // Only what comes in the same round proves something: the consumer must not be left far behind.
            for _ in 0..50 {
                if ahead.load(Ordering::Relaxed) < AHEAD_MAX {
                    break;
                }
                thread::park_timeout(Duration::from_millis(1));
            }
            ahead.fetch_add(1, Ordering::Relaxed);
            let payload = format!("{round}-{number}-{count}");
            sent.insert(payload.clone(), Instant::now());
            match client.publish(&topic, payload.as_bytes()) {
                Ok(id) => waiting.insert(id, payload),
                Err(_) => break,
            };
            if waiting.len() < WINDOW {
                continue;
            }
            match client.next(DEADLINE) {
                Some(Event::Acked { id, code: 0 }) => acknowledged.extend(waiting.remove(&id)),
                Some(Event::Closed) => break,
                other => panic!("wanted PUBACK, got {other:?}"),
            }
        }
        while let Some(Event::Acked { id, code: 0 }) = client.next(Duration::from_millis(100)) {
            acknowledged.extend(waiting.remove(&id));
        }
        Published { acknowledged, sent }
    })
}

#[derive(Default)]
struct Consumed {
    /// What came, in order, and the moment after it did.
    delivered: Vec<(String, Instant)>,
    /// What was settled, and when the broker is known to have heard it.
    settled: Vec<(String, Instant)>,
}

impl Consumed {
    /// Settlements that the broker heard before this moment were on the disk when it was killed, however slow the disk and
    /// the machine: messages that went through it one after another prove it. Each was sent when the one before had come, so
    /// that every shard had a turn in between.
    ///
    /// The first two carry the settlement to its queue's shard. Then its time runs out; three more, and the shard has done
    /// what was due and handed the record to the log. The last one was stored after that record.
    fn settled_before(&self, sent: &HashMap<String, Instant>) -> Option<Instant> {
        let mut passed: Vec<(Instant, Instant)> = (self.delivered.iter())
            .filter_map(|(payload, came)| Some((*sent.get(payload)?, *came)))
            .collect();
        passed.sort_unstable();
        // The latest that was sent among those that came by then; they come in the order sent, by and large.
        let last_by = |by: Instant| {
            let before = &passed[..passed.partition_point(|(sent, _)| *sent < by)];
            before.iter().rev().find(|(_, came)| *came <= by).map(|(sent, _)| *sent)
        };
        let mut moment = passed.last()?.0;
        for _ in 0..3 {
            moment = last_by(moment)?;
        }
        moment = last_by(moment.checked_sub(SETTLED_WITHIN)?)?;
        last_by(moment)
    }
}

/// Consumes and settles until the connection breaks. A PINGRESP proves that the broker has taken all before the PINGREQ.
fn consume(to: SocketAddr, round: usize, ahead: Arc<AtomicI64>) -> JoinHandle<Consumed> {
    thread::spawn(move || {
        let mut client = Client::connect(to, &Connect::new("consumer"));
        assert_eq!(client.subscribe("$q/load/+", 1), 1);
        let mut consumed = Consumed::default();
        let (mut unproven, mut asked): (Vec<String>, Vec<String>) = Default::default();
        let mut seen = HashSet::new();
        loop {
            match client.next(DEADLINE) {
                Some(Event::Message { payload, id, .. }) => {
                    ahead.fetch_sub(1, Ordering::Relaxed);
                    let payload = String::from_utf8_lossy(&payload).into_owned();
                    assert!(seen.insert(payload.clone()), "{payload} came twice in round {round}");
                    consumed.delivered.push((payload.clone(), Instant::now()));
                    unproven.push(payload);
                    let sent = client.ack(id.expect("QoS 1"));
                    let ask = asked.is_empty();
                    if ask {
                        asked = std::mem::take(&mut unproven);
                    }
                    if sent.is_err() || ask && client.ping().is_err() {
                        return consumed;
                    }
                }
                Some(Event::Pong) => {
                    let now = Instant::now();
                    consumed.settled.extend(asked.drain(..).map(|payload| (payload, now)));
                }
                _ => return consumed,
            }
        }
    })
}

/// Takes all that is left.
fn drain(weir: &Weir, story: &mut Story, round: usize) {
    let consumer = consume(weir.mqtt, round, Arc::default());
    let left = |ledger: &it::Ledger| ledger.waiting() == 0;
    weir.rest().until(QUEUE, "an empty queue", left);
    // A second connection of the same client id ends the consumer's.
    let takeover = weir.connect(&Connect::new("consumer"));
    story.take(round, consumer.join().expect("it consumed"), &HashMap::new());
    takeover.disconnect();
}

/// The same promise for a client of 3.1.1, one message at a time: each PUBACK is a message that survives.
#[test]
fn each_puback_of_a_3_client_survives_a_kill() {
    let mut weir = Weir::start(Options::new());
    weir.rest().create_queue("a", json!({}));
    for number in 0..5_u8 {
        let mut client = weir.connect(&Connect::new("publisher").version(Version::V311));
        assert_eq!(client.publish_acked("a", &[number]), 0);
        weir = weir.kill().restart();
    }
    let mut consumer = weir.connect(&Connect::new("consumer").version(Version::V311));
    assert_eq!(consumer.subscribe("$q/a", 1), 1);
    let came: Vec<u8> = (0..5).map(|_| consumer.message().1[0]).collect();
    assert_eq!(came, [0, 1, 2, 3, 4]);
}
