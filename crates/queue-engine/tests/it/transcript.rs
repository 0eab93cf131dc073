//! Transcripts: what a queue is told, and what it asks for, line by line.
//!
//! ```text
//! attach a 2          ->
//! enqueue 2           -> a0 a1            a0: deliver offset 0 to a; a0#2: for the second time
//! accept a 0          -> settled:0
//! release a 1         -> tried:1=1        attempts of offset 1 that count: 1
//! reject a 0          -> dead:0=rejected/1
//! wait 799ms          ->                  time passes, then a tick
//! ledger              -> ready=1 settled=1
//! ```

use std::collections::BTreeMap;

use queue_engine::{
    Action, ConsumerId, DispatchStrategy, Input, Key, Ledger, MadeKey, MessageId, NewMessage,
    Offset, Outcome, Queue, QueueConfig, Scope, Standing, StoredAt, invariants,
};
use stdx::{Instant, UnixMillis};

/// Runs a transcript; each line must give what stands behind its arrow.
pub(crate) fn check(config: QueueConfig, transcript: &str) {
    let mut player = Player { queue: Queue::new(config, 7), now: Instant::from_millis(1_000_000) };
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (command, expected) = line.split_once("->").expect("each line has an arrow");
        let words: Vec<&str> = command.split_whitespace().collect();
        let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(player.play(&words), expected, "in `{line}` of\n{transcript}");
        invariants::check(&player.queue)
            .unwrap_or_else(|violation| panic!("{violation} after `{line}`"));
    }
}

/// Where the harness stores the body of an offset.
pub(crate) const fn stored_at(offset: u64) -> StoredAt {
    StoredAt(((offset / 100) << 32) | (offset % 100 * 512))
}

struct Player {
    queue: Queue,
    now: Instant,
}

fn consumer(name: &str) -> ConsumerId {
    ConsumerId(u64::from(name.as_bytes()[0]))
}

fn offset(text: &str) -> Offset {
    Offset(text.parse().expect("an offset"))
}

fn outcome(verdict: &str) -> Option<Outcome> {
    Some(match verdict {
        "accept" => Outcome::Accept,
        "release" => Outcome::Release,
        "busy" => Outcome::Busy,
        "reject" => Outcome::Reject,
        "expired" => Outcome::Expired,
        _ => return None,
    })
}

impl Player {
    fn play(&mut self, words: &[&str]) -> String {
        let attempt = |at: &str| self.queue.attempts(offset(at)) + 1;
        let config = |change: &dyn Fn(&mut QueueConfig)| {
            let mut config = self.queue.config().clone();
            change(&mut config);
            Input::Reconfigure(Box::new(config))
        };
        let input = match *words {
            ["enqueue", count, ref with @ ..] => {
                return self.enqueue(count.parse().expect("a count"), with);
            }
            ["stall"] => {
                let stall = self.queue.why_no_progress();
                return stall.map_or("none".to_owned(), |stall| stall.to_string());
            }
            ["why", at] => return self.why(offset(at)),
            ["peek", from] => {
                let shown = self.queue.peek(offset(from)).map(|message| {
                    format!("{}:{:?}/{}", message.offset, message.state, message.attempts)
                });
                return shown.collect::<Vec<_>>().join(" ");
            }
            ["clock"] => Input::Clock(self.wall()),
            ["purge", from, to, ref key @ ..] => {
                let range = offset(from)..offset(to);
                let scope = match key {
                    [key] => Scope::Key(range, Key(key.parse().expect("a key"))),
                    _ => Scope::Range(range),
                };
                Input::Purge { scope, max: 1000 }
            }
            ["rewind", to] => Input::Rewind(offset(to)),
            ["redriven", at] => Input::Redriven(offset(at)),
            ["ledger"] => return show_ledger(&self.queue.ledger()),
            ["deadline"] => {
                let left =
                    |deadline: Instant| format!("{}ms", deadline.since(self.now).as_millis());
                return self.queue.next_deadline().map_or("none".to_owned(), left);
            }
            ["wait", time] => {
                let time = stdx::parse_duration(time).expect("a duration");
                self.now = self.now + time;
                Input::Tick
            }
            ["attach", name, credit] => Input::Attach {
                consumer: consumer(name),
                max_inflight: credit.parse().expect("a number"),
            },
            ["detach", name, ref written @ ..] => Input::Detach {
                consumer: consumer(name),
                written: written.iter().map(|at| offset(at)).collect(),
            },
            [verdict, name, at] if let Some(outcome) = outcome(verdict) => Input::Settle {
                consumer: consumer(name),
                offset: offset(at),
                attempt: attempt(at),
                outcome,
            },
            ["late", nth, verdict, name, at] => Input::Settle {
                consumer: consumer(name),
                offset: offset(at),
                attempt: nth.parse().expect("a number"),
                outcome: outcome(verdict).expect("a verdict"),
            },
            ["too_large", name, at] => Input::TooLarge {
                consumer: consumer(name),
                offset: offset(at),
                attempt: attempt(at),
            },
            ["dropped", at] => Input::DeadLetterDropped { offset: offset(at) },
            ["pause"] => Input::Pause,
            ["resume"] => Input::Resume,
            ["max_inflight", number] => {
                config(&|config| config.max_inflight = number.parse().expect("a number"))
            }
            ["max_attempts", number] => {
                config(&|config| config.max_attempts = number.parse().expect("a number"))
            }
            ["ack_timeout", time] => {
                config(&|config| config.ack_timeout = stdx::parse_duration(time).expect("a time"))
            }
            ["retry_delay", time] => {
                config(&|config| config.retry_delay = stdx::parse_duration(time).expect("a time"))
            }
            ["retention", time] => {
                config(&|config| config.retention = stdx::parse_duration(time).expect("a time"))
            }
            ["keep_settled", time] => {
                config(&|config| config.keep_settled = stdx::parse_duration(time).expect("a time"))
            }
            ["key_inflight", number] => {
                config(&|config| config.key_inflight = number.parse().expect("a number"))
            }
            ["max_messages", number] => config(&|config| config.max_messages = number.parse().ok()),
            ["last_value", on] => config(&|config| config.last_value = on == "on"),
            ["generation", number] => {
                config(&|config| config.key_generation = number.parse().expect("a number"))
            }
            ["rekey", keys] => return self.rekey(keys),
            ["strategy", number] => config(&|config| {
                let strategy = DispatchStrategy::from_number(number.parse().expect("a number"));
                config.dispatch_strategy = strategy.expect("a known number");
            }),
            _ => panic!("unknown command {words:?}"),
        };
        self.handle(input)
    }

    fn why(&self, offset: Offset) -> String {
        let name = |consumer: ConsumerId| char::from(consumer.0 as u8);
        let standing = self.queue.standing(offset);
        match standing {
            Standing::InFlight { consumer, since, until } => {
                let ago = self.now.since(since).as_millis();
                let left = until.map_or("never".to_owned(), |until| {
                    format!("{}ms", until.since(self.now).as_millis())
                });
                format!("in flight at {} since {ago}ms until {left}", name(consumer))
            }
            Standing::Ready(waits) => {
                let at = waits.blocker().and_then(|blocker| blocker.consumer).map(name);
                format!("ready: {waits}{}", at.map(|at| format!(" at {at}")).unwrap_or_default())
            }
            other => other.to_string(),
        }
    }

    fn wall(&self) -> UnixMillis {
        UnixMillis(1_800_000_000_000 + self.now.as_millis())
    }

    /// So many of the messages that are asked for get these keys, one after the other.
    fn rekey(&mut self, keys: &str) -> String {
        let keys: Vec<&str> = keys.split(',').collect();
        let Some(part) = self.queue.to_rekey(100 * keys.len() as u64) else {
            return "none".to_owned();
        };
        let made = part.bodies.iter().zip(keys).map(|((offset, ..), key)| MadeKey {
            offset: *offset,
            key: Key(key.parse().unwrap_or(77)),
            is_unkeyed: key == "none",
        });
        self.handle(Input::Rekey { round: part.round, made: made.collect() })
    }

    /// `key=1,2` gives keys in turn, `ttl=5s`, `delay=5s`, `id=7` and `of=1`, their making, the same to all.
    fn enqueue(&mut self, count: u64, with: &[&str]) -> String {
        let with: BTreeMap<&str, &str> =
            with.iter().map(|word| word.split_once('=').expect("a name and a value")).collect();
        let later = |name: &str| {
            let time = with.get(name).map(|time| stdx::parse_duration(time).expect("a time"));
            time.map(|time| self.wall() + time)
        };
        let (expires, not_before) = (later("ttl"), later("delay"));
        let id = with.get("id").map(|id| MessageId::new(id.parse().expect("a number")));
        let keys: Vec<u64> = with.get("key").map_or(vec![0], |keys| {
            let number = |key: &str| match key {
                "none" => Key::NONE.0,
                number => number.parse().expect("a number"),
            };
            keys.split(',').map(number).collect()
        });
        let mut shown = Vec::new();
        for n in 0..count {
            let at = stored_at(self.queue.next_offset().0);
            let key = Key(keys[n as usize % keys.len()]);
            let message = NewMessage::new(at, 100, self.wall());
            let message = NewMessage { key, expires, not_before, message_id: id, ..message };
            let is_unkeyed = with.get("key") == Some(&"none");
            let key_generation = with.get("of").map_or(0, |of| of.parse().expect("a number"));
            let message = NewMessage { is_unkeyed, key_generation, ..message };
            shown.push(self.handle(Input::Enqueue(message)));
        }
        shown.retain(|actions| !actions.is_empty());
        shown.join(" ")
    }

    fn handle(&mut self, input: Input) -> String {
        let mut actions = Vec::new();
        let before = self.queue.ledger();
        if let Err(error) = self.queue.handle(self.now, input, &mut actions) {
            assert_eq!(
                (actions, self.queue.ledger()),
                (vec![], before),
                "a refused input changes nothing"
            );
            return format!("refused: {error}");
        }
        show_all(&actions)
    }
}

fn show_all(actions: &[Action]) -> String {
    actions.iter().map(show_action).collect::<Vec<_>>().join(" ")
}

fn show_action(action: &Action) -> String {
    let body =
        |offset: Offset, at: StoredAt| assert_eq!(at, stored_at(offset.0), "the body of {offset}");
    match *action {
        Action::Deliver { consumer, offset, at, attempt } => {
            body(offset, at);
            let again = if attempt == 1 { String::new() } else { format!("#{attempt}") };
            format!("{}{offset}{again}", char::from(consumer.0 as u8))
        }
        Action::Settled { offset, at } => {
            body(offset, at);
            format!("settled:{offset}")
        }
        Action::Expired { offset, at } => {
            body(offset, at);
            format!("expired:{offset}")
        }
        Action::DeadLetter { offset, at, reason, attempts } => {
            body(offset, at);
            format!("dead:{offset}={}/{attempts}", reason.as_str())
        }
        Action::Attempted { offset, attempts, .. } => format!("tried:{offset}={attempts}"),
        Action::Rewound { to, count } => format!("rewound:{to}+{count}"),
        Action::Duplicate { .. } => "duplicate".to_owned(),
        Action::Kept { offset, at } => {
            body(offset, at);
            format!("kept:{offset}")
        }
        Action::Forgotten { offset, at } => {
            body(offset, at);
            format!("forgotten:{offset}")
        }
        Action::Dropped { offset, at } => {
            body(offset, at);
            format!("dropped:{offset}")
        }
        Action::Replaced { offset, at } => {
            body(offset, at);
            format!("replaced:{offset}")
        }
        Action::Purged { offset, at } => {
            body(offset, at);
            format!("purged:{offset}")
        }
    }
}

/// What is not 0, but for `enqueued` and `consumers`.
fn show_ledger(ledger: &Ledger) -> String {
    let terms = [
        ("ready", ledger.ready),
        ("in_flight", ledger.in_flight),
        ("delayed", ledger.delayed),
        ("settled", ledger.settled),
        ("expired", ledger.expired),
        ("dropped", ledger.dropped),
        ("replaced", ledger.replaced),
        ("purged", ledger.purged),
        ("dead_lettered", ledger.dead_lettered),
        ("redelivered", ledger.redelivered),
        ("bytes", ledger.bytes),
    ];
    let terms = terms.iter().filter(|(_, number)| *number != 0);
    terms.map(|(name, number)| format!("{name}={number}")).collect::<Vec<_>>().join(" ")
}

/// The defaults, with that strategy.
pub(crate) fn config(strategy: DispatchStrategy) -> QueueConfig {
    QueueConfig { dispatch_strategy: strategy, ..QueueConfig::default() }
}
