//! What a queue or a stream says of itself and of one of its messages. What that costs is bounded, however much is in it,
//! but for its consumers and readers, which are put in order. It must not know who asks.

mod words;

use hashbrown::HashSet;
use mqtt_router::SinkId;
use queue_engine::{Ledger, MessageState, Offset, Standing};
use stdx::UnixMillis;
use stream_engine::{ReaderName, ReaderStanding};

use super::{HostedQueue, HostedStream, Hosting};
use crate::explain::{
    Explained, Inquiry, MessageExplained, MessageStands, ReaderExplained, Reason,
};
use crate::operate::Attached;
use crate::turn::Turn;
use words::{of_reader, of_stall, of_standing, wall};

const DAMAGED: &str = "a stored message cannot be read: see the broker's messages for the file; nothing is delivered until \
                       it is deleted, or the broker is started over a sound log";

impl Hosting {
    /// What there is to say of a queue or a stream, and its consumers; none when it is not here.
    pub(crate) fn explain(
        &self,
        sink: SinkId,
        inquiry: Inquiry,
        turn: &Turn,
    ) -> Option<(Explained, Vec<Attached>)> {
        let explained = match self.queues.get(&sink) {
            Some(queue) => queue.explain(inquiry, turn),
            None => self.streams.get(&sink)?.explain(inquiry, turn),
        };
        let attached = self.attached(sink, &explained, inquiry.limit);
        Some((explained, attached))
    }

    /// The first consumers, and those that the answer speaks of.
    fn attached(&self, sink: SinkId, explained: &Explained, limit: usize) -> Vec<Attached> {
        let message = explained.message.iter();
        let reasons = message.clone().flat_map(|message| &message.reasons);
        let reasons = reasons.chain(explained.readers.iter().filter_map(|one| one.reason.as_ref()));
        let spoken_of = reasons.filter_map(|reason| reason.consumer);
        let spoken_of = spoken_of.chain(message.filter_map(|message| message.consumer));
        let spoken_of: HashSet<u64> = spoken_of.collect();
        if limit == 0 && spoken_of.is_empty() {
            return Vec::new();
        }
        let (all, _) = self.consumers(sink, None, usize::MAX);
        let is_wanted = |(place, one): &(usize, Attached)| {
            *place < limit || spoken_of.contains(&one.consumer.0)
        };
        let wanted = all.into_iter().enumerate().filter(is_wanted);
        wanted.map(|(_, one)| one).collect()
    }
}

impl HostedQueue {
    fn explain(&self, inquiry: Inquiry, turn: &Turn) -> Explained {
        let engine = &self.engine;
        let ledger = engine.ledger();
        let first_since = inquiry.since.map(|since| engine.offset_at(since));
        Explained {
            at: UnixMillis(turn.unix_ms),
            held: self.held(turn),
            counts: vec![
                ("ready", ledger.ready),
                ("in_flight", ledger.in_flight),
                ("delayed", ledger.delayed),
                ("consumers", ledger.consumers),
            ],
            left_as: left_as(&ledger),
            earliest: engine.earliest().0,
            next_offset: engine.next_offset().0,
            first_since: first_since.filter(|at| *at < engine.next_offset()).map(|at| at.0),
            replaces: inquiry.key.is_some_and(|key| engine.replaceable(key).is_some()),
            message: inquiry.offset.map(|offset| self.message(Offset(offset), turn)),
            readers: Vec::new(),
            consumers: Vec::new(),
        }
    }

    /// Why it delivers nothing.
    fn held(&self, turn: &Turn) -> Vec<Reason> {
        self.host_holds().into_iter().chain(self.engine_holds(turn)).collect()
    }

    /// What keeps it beyond what its engine knows.
    fn host_holds(&self) -> Option<Reason> {
        if self.damaged {
            return Some(Reason::new("damaged", DAMAGED));
        }
        if self.is_seeking {
            let message =
                "the queue is being set elsewhere by a seek, and delivers nothing meanwhile";
            return Some(Reason::new("seeking", message));
        }
        let offset = self.awaited()?;
        let message = format!("the log has not given the message at offset {offset} yet");
        Some(Reason { offset: Some(offset.0), ..Reason::new("awaiting_body", message) })
    }

    fn engine_holds(&self, turn: &Turn) -> Option<Reason> {
        let is_paused_for = self.damaged || self.is_seeking;
        let stall = self.engine.why_no_progress().filter(|_| !is_paused_for)?;
        Some(of_stall(&stall, turn))
    }

    fn message(&self, offset: Offset, turn: &Turn) -> MessageExplained {
        let standing = self.engine.standing(offset);
        let is_moving = standing == Standing::Left && self.moves.get(offset).is_some();
        let (consumer, since) = match &standing {
            Standing::InFlight { consumer, since, .. } => {
                (Some(consumer.0), Some(wall(turn, *since)))
            }
            _ => (None, None),
        };
        let is_kept = standing == Standing::Settled;
        MessageExplained {
            offset: offset.0,
            stands: if is_moving { MessageStands::Moving } else { stands(&standing) },
            reasons: self.reasons(offset, &standing, is_moving, turn),
            attempts: if is_kept { 0 } else { self.engine.attempts(offset) },
            stored: self.engine.message(offset).map(|(.., stored)| stored),
            expires: self.engine.expires(offset),
            consumer,
            since,
        }
    }

    fn reasons(
        &self,
        offset: Offset,
        standing: &Standing,
        is_moving: bool,
        turn: &Turn,
    ) -> Vec<Reason> {
        if is_moving {
            let message = "the queue has given it up, or it is sent back, and the record that stores it in the other queue is on its way";
            return vec![Reason::new("moving", message)];
        }
        let is_ready = self.engine.state(offset) == Some(MessageState::Ready);
        let is_granted = self.granted.iter().any(|granted| granted.offset == offset);
        match self.host_holds() {
            // Its engine is paused for it, or a body keeps all that is granted behind it.
            Some(reason) if is_ready && (self.damaged || self.is_seeking) => vec![reason],
            Some(reason) if is_granted => vec![of_standing(standing, turn), reason],
            _ => vec![of_standing(standing, turn)],
        }
    }
}

impl HostedStream {
    fn explain(&self, inquiry: Inquiry, turn: &Turn) -> Explained {
        let engine = &self.engine;
        let ledger = engine.ledger();
        let first_since = inquiry.since.map(|since| engine.offset_at(since));
        let left = [
            ("expired", ledger.expired),
            ("dropped", ledger.dropped),
            ("replaced", ledger.replaced),
            ("purged", ledger.purged),
        ];
        let offset = inquiry.offset.map(Offset);
        Explained {
            at: UnixMillis(turn.unix_ms),
            held: self.held(ledger.members),
            counts: vec![
                ("kept", ledger.kept),
                ("readers", ledger.readers),
                ("consumers", ledger.members),
            ],
            left_as: left.into_iter().filter(|(_, count)| *count > 0).collect(),
            earliest: engine.earliest().0,
            next_offset: engine.next_offset().0,
            first_since: first_since.filter(|at| *at < engine.next_offset()).map(|at| at.0),
            replaces: false,
            message: offset.map(|offset| self.message(offset)),
            readers: offset
                .map_or_else(Vec::new, |offset| self.readers_at(offset, inquiry.limit, turn)),
            consumers: Vec::new(),
        }
    }

    fn held(&self, members: u64) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if self.damaged {
            reasons.push(Reason::new("damaged", DAMAGED));
        } else if self.engine.config().paused {
            reasons.push(Reason::new("paused", "the stream is paused"));
        }
        if members == 0 {
            reasons.push(Reason::new("no_consumers", "nobody reads it at this moment"));
        }
        reasons
    }

    fn message(&self, offset: Offset) -> MessageExplained {
        let known = self.engine.message(offset);
        let (stands, reason) = match known {
            Some(_) => (MessageStands::Kept, None),
            None if offset >= self.engine.next_offset() => {
                (MessageStands::NotYet, Some(of_not_here("not_yet", &Standing::NotYet)))
            }
            None => (MessageStands::Left, Some(of_not_here("left", &Standing::Left))),
        };
        MessageExplained {
            offset: offset.0,
            stands,
            reasons: reason.into_iter().collect(),
            attempts: 0,
            stored: known.map(|message| message.stored),
            expires: self.engine.expires(offset),
            consumer: None,
            since: None,
        }
    }

    /// The first readers by name, and how the message stands to each, if it is here.
    fn readers_at(&self, offset: Offset, limit: usize, turn: &Turn) -> Vec<ReaderExplained> {
        if !self.engine.is_here(offset) {
            return Vec::new();
        }
        let mut names: Vec<&ReaderName> = self.engine.reader_names().collect();
        names.sort_unstable();
        names.truncate(limit);
        let explain = |name: &ReaderName| {
            let position = self.engine.position(self.engine.reader_id(name)?)?;
            let standing = self.engine.standing(name, offset)?;
            let reason = of_reader(&standing, turn);
            // Its engine is paused for the damage.
            let is_damaged = self.damaged && matches!(standing, ReaderStanding::Waits(_));
            let reason = if is_damaged { Some(Reason::new("damaged", DAMAGED)) } else { reason };
            let has_settled = reason.is_none();
            Some(ReaderExplained { name: name.clone(), position: position.0, has_settled, reason })
        };
        names.into_iter().filter_map(explain).collect()
    }
}

fn of_not_here(code: &'static str, standing: &Standing) -> Reason {
    Reason::new(code, standing.to_string())
}

const fn stands(standing: &Standing) -> MessageStands {
    match standing {
        Standing::NotYet => MessageStands::NotYet,
        Standing::Left => MessageStands::Left,
        Standing::Ready(_) => MessageStands::Ready,
        Standing::InFlight { .. } => MessageStands::InFlight,
        Standing::BackingOff { .. } | Standing::HeldBack { .. } | Standing::Announced => {
            MessageStands::Delayed
        }
        Standing::Settled => MessageStands::Settled,
    }
}

/// How messages have left a queue, as far as any have.
fn left_as(ledger: &Ledger) -> Vec<(&'static str, u64)> {
    let left = [
        ("settled", ledger.settled),
        ("expired", ledger.expired),
        ("dropped", ledger.dropped),
        ("replaced", ledger.replaced),
        ("dead_lettered", ledger.dead_lettered),
        ("purged", ledger.purged),
    ];
    left.into_iter().filter(|(_, count)| *count > 0).collect()
}
