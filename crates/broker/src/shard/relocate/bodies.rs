//! Whose bodies lie in the log, and where: those of queues, streams, durable sessions' inboxes and delayed messages. It must
//! not know when they are moved.

use log_api::Position;
use mqtt_router::SinkId;
use mqtt_session::{Inbox, KeptPlace};
use queue_engine::{Offset, StoredAt};
use smallvec::SmallVec;

use super::super::Shard;
use super::SESSIONS_MAX;
use crate::ids::SessionNumber;
use crate::listing::DelayedId;
use crate::needed::Needed;
use crate::record::{Delayed, Lying, MoreTargets, PublishRecord, Relocated, SessionTarget};

/// Messages of an inbox, or delayed ones, that are looked at in one part.
const PART: usize = 1_024;

/// The body of a message that is here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Body {
    pub(super) of: Relocated,
    pub(super) at: Position,
    pub(super) size: u32,
}

/// Who has bodies, and from where on they are still to be looked at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holder {
    /// A queue or a stream.
    Hosted(SinkId, Offset),
    /// The sessions from a place on; of the first one, if it is that, the messages from a number on.
    Inboxes(usize, Option<(SessionNumber, u64)>),
    /// The messages that are to be published later.
    Delayed(Option<DelayedId>),
}

/// A part of what is to be looked at.
pub(super) struct Part {
    pub(super) bodies: Vec<Body>,
    /// How much was passed by beside them.
    pub(super) passed: usize,
    /// What is still to be looked at then.
    pub(super) rest: Option<Holder>,
}

impl Shard {
    /// All that wait here but for those in inboxes, and their bytes; each counts for everybody who has it.
    pub(super) fn live_beside_inboxes(&self) -> Needed {
        let (messages, bytes) = self.hosting.live();
        let hosted = Needed { messages, bytes };
        let delayed = &self.delayed;
        let delayed = Needed { messages: delayed.len() as u64, bytes: delayed.bytes() };
        [hosted, delayed].into_iter().sum()
    }

    pub(super) fn holders(&self) -> Vec<Holder> {
        let hosted = self.hosting.sinks().into_iter();
        let hosted = hosted.map(|sink| Holder::Hosted(sink, Offset(0)));
        hosted.chain([Holder::Inboxes(0, None), Holder::Delayed(None)]).collect()
    }

    /// A part of what somebody has, and what is still to be looked at then.
    pub(super) fn bodies(&self, holder: Holder) -> Part {
        let passed = 1;
        match holder {
            Holder::Hosted(sink, from) => {
                let (found, next) = self.hosting.bodies(sink, from);
                let body = |(offset, at, size): (Offset, StoredAt, u32)| {
                    let of = Relocated::Hosted { sink, offset };
                    Body { of, at: Position::from_u64(at.0), size }
                };
                let rest = next.map(|next| Holder::Hosted(sink, next));
                Part { bodies: found.into_iter().map(body).collect(), passed, rest }
            }
            Holder::Inboxes(place, within) => self.bodies_of_inboxes(place, within),
            Holder::Delayed(after) => {
                let found: Vec<_> = self.delayed.after(after).take(PART).collect();
                let last = found.last().filter(|_| found.len() == PART);
                let rest = last.map(|(id, _)| Holder::Delayed(Some(*id)));
                let body = |(id, lying): (DelayedId, Lying)| {
                    let DelayedId { due_ms, number } = id;
                    let of = Relocated::Delayed(Delayed { number, due_ms });
                    Body { of, at: lying.at, size: lying.size }
                };
                Part { bodies: found.into_iter().map(body).collect(), passed, rest }
            }
        }
    }

    /// Messages of the first inbox from a place on that has some, if it is not too far.
    fn bodies_of_inboxes(&self, place: usize, within: Option<(SessionNumber, u64)>) -> Part {
        let mut passed = 0;
        for (slot, entry) in self.sessions.slots(place, SESSIONS_MAX) {
            passed += 1;
            let Some(entry) = entry else { continue };
            let Some((number, inbox)) = entry.id.number().zip(entry.session.inbox()) else {
                continue;
            };
            if inbox.messages() == 0 {
                continue;
            }
            // Another session may have come to the place since.
            let from = within.filter(|(of, _)| *of == number).map_or(0, |(_, from)| from);
            let (found, next) = inbox.bodies(from, PART);
            let body = |(place, size): (KeptPlace, u32)| {
                let of = Relocated::Kept(number, place);
                Body { of, at: Position::from_u64(place.at), size }
            };
            let rest = match next {
                Some(next) => Holder::Inboxes(slot as usize, Some((number, next))),
                None => Holder::Inboxes(slot as usize + 1, None),
            };
            let bodies = found.into_iter().map(body).collect();
            return Part { bodies, passed, rest: Some(rest) };
        }
        let is_end = place + SESSIONS_MAX >= self.sessions.slot_count();
        let rest = Holder::Inboxes(place + SESSIONS_MAX, None);
        Part { bodies: Vec::new(), passed, rest: Some(rest).filter(|_| !is_end) }
    }

    /// Whether the message is here, and its body lies there still.
    pub(super) fn is_at(&self, body: &Body) -> bool {
        match body.of {
            Relocated::Hosted { sink, offset } => {
                self.hosting.body_at(sink, offset) == Some(body.at)
            }
            Relocated::Delayed(delayed) => {
                let Delayed { number, due_ms } = delayed;
                let lying = self.delayed.find(DelayedId { due_ms, number });
                lying.is_some_and(|lying| lying.at == body.at)
            }
            Relocated::Kept(number, place) => {
                self.inbox(number).is_some_and(|inbox| inbox.is_at(&place))
            }
        }
    }

    /// What a record must say by which the body of a message lies elsewhere: all that the one before says of that message. `None`
    /// when that does not say it.
    pub(super) fn what_moves(
        &self,
        body: &Body,
        (publish, before): (&PublishRecord, Option<&MoreTargets>),
    ) -> Option<MoreTargets> {
        let mut more = MoreTargets { relocated: Some(body.of), ..MoreTargets::default() };
        match body.of {
            Relocated::Hosted { sink, .. } => {
                // Its key goes along, for when it becomes a dead letter.
                let keys = before.map(|before| before.keys.as_slice()).unwrap_or_default();
                more.keys = keys.iter().filter(|made| made.sink == sink).copied().collect();
            }
            Relocated::Delayed(delayed) => {
                more.delayed = Some(delayed);
                more.delayed_by = before?.delayed_by.clone();
            }
            Relocated::Kept(number, place) => {
                let inbox = self.inbox(number)?;
                let kept = inbox.at_place(&place)?;
                let identifiers = match kept.set {
                    Some(set) => SmallVec::from_slice(inbox.identifiers(set)),
                    None => publish.identifiers(number, kept.copy).ok()??,
                };
                let shared = match kept.is_shared {
                    true => Some(before?.session(number, kept.copy)?.shared?),
                    false => None,
                };
                let (qos, retain, in_place_of) = (kept.qos, kept.retain, None);
                more.sessions =
                    vec![SessionTarget { number, qos, retain, identifiers, shared, in_place_of }];
            }
        }
        Some(more)
    }

    /// The body of a message lies there from now on, if the message is still here.
    pub(in super::super) fn relocated(&mut self, of: Relocated, to: Position) {
        let before = match of {
            Relocated::Hosted { sink, offset } => self.hosting.relocate(sink, offset, to),
            Relocated::Delayed(delayed) => self.delayed.relocate(delayed, to),
            Relocated::Kept(number, place) => {
                self.relocation.arrived(number, &place);
                let entry = self.sessions.get_mut(self.sessions.durable_id(number));
                let inbox = entry.and_then(|entry| entry.session.inbox_mut());
                let is_there = inbox.is_some_and(|inbox| inbox.relocate(&place, to.as_u64()));
                is_there.then(|| Position::from_u64(place.at))
            }
        };
        self.turn.release(before.unwrap_or(to));
    }

    fn inbox(&self, number: SessionNumber) -> Option<&Inbox> {
        self.sessions.get(self.sessions.durable_id(number))?.session.inbox()
    }
}
