//! One kept message. It must not know its number.

use mqtt_types::QoS;

use super::Kept;

/// How far the client is with a message.
///
/// ```text
///            connection lost
///        ┌─────────────────────┐
///        ▼                     │
///     Waiting ── PUBLISH ──▶ Sent ── PUBACK, or a PUBREC >= 0x80 ────────────────▶ Gone
///        │                     │                                                     ▲
///        └ expired, too large, │ PUBREC                             PUBCOMP          │
///          overflow ──▶ Gone   └──▶ Receiving ── stored, PUBREL ──▶ Received ────────┘
///                                  │      ▲
///                       not stored └──────┘ Unstored, until it is tried again
/// ```
/// A message of a shared subscription goes from `Waiting` or `Sent` to `Lent` when another member gets it, and from there
/// back, or to `Gone` with that one's acknowledgement; if this client was sent it on this connection, to `Given`, until it
/// answers or its connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Waiting,
    Sent,
    /// The client has it, which is being stored.
    Receiving,
    /// The client has it, which could not be stored: that is to be tried again.
    Unstored,
    /// The client has it, which is stored: PUBREL went out, or goes out on the next connection.
    Received,
    /// Another session delivers it.
    Lent,
    /// Another session has delivered it; this client has it unanswered on the wire.
    Given,
    Gone,
}

const QOS: u8 = 0b0000_0011;
const RETAIN: u8 = 0b0000_0100;
const IDENTIFIERS: u8 = 0b0000_1000;
const WAS_SENT: u8 = 0b0001_0000;
const COUNTED: u8 = 0b0010_0000;
const SHARED: u8 = 0b0100_0000;
const HELD: u8 = 0b1000_0000;

/// 16 bytes: there may be very many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Where storage has the message; when the client has it, the place of its PUBREC among others.
    pub(super) at: u64,
    pub(super) size: u32,
    flags: u8,
    /// Which of the session's copies it is; or the higher part of a number of identifiers, see [`Entry::set`].
    copy: u8,
    /// The lower part of that number, from 1 on; 0 when there is none.
    set: u8,
    pub(super) state: State,
}

impl Entry {
    pub(super) const GONE: Self =
        Self { at: 0, size: 0, flags: 0, copy: 0, set: 0, state: State::Gone };

    /// One that the client has, with the place of its PUBREC among others.
    pub(super) const fn received(place: u64) -> Self {
        Self { at: place, state: State::Received, ..Self::GONE }
    }

    pub(super) fn new(kept: Kept) -> Self {
        let mut flags = kept.qos.as_u8();
        flags |= if kept.retain { RETAIN } else { 0 };
        flags |= if kept.has_identifiers { IDENTIFIERS } else { 0 };
        flags |= if kept.is_shared { SHARED } else { 0 };
        flags |= if kept.is_held { HELD } else { 0 };
        let (copy, set) = match kept.set {
            // One that came by a shared subscription goes by its copy.
            Some(set) if !kept.is_shared => ((set / 255) as u8, (set % 255) as u8 + 1),
            _ => (kept.copy, 0),
        };
        Self { at: kept.at, size: kept.size, flags, copy, set, state: State::Waiting }
    }

    /// Which of the inbox's combinations of identifiers goes along.
    pub(super) const fn set(&self) -> Option<u16> {
        match self.set {
            0 => None,
            set => Some(self.copy as u16 * 255 + set as u16 - 1),
        }
    }

    /// Where storage has it and which copy it is, if it goes by that; one whose identifiers the inbox knows does not, and no
    /// other session gets it.
    pub(super) fn place(&self) -> Option<(u64, u8)> {
        self.set().is_none().then_some((self.at, self.copy))
    }

    /// Which of the session's copies it is, of one that goes by that.
    pub(super) const fn copy(&self) -> u8 {
        if self.set == 0 { self.copy } else { 0 }
    }

    /// Its body lies there from now on, in a record of its own: so it is its session's first copy.
    pub(super) const fn lies_at(&mut self, at: u64) {
        self.at = at;
        if self.set == 0 {
            self.copy = 0;
        }
    }

    /// The message, but for its identifier.
    pub(super) fn kept(&self) -> Kept {
        Kept {
            at: self.at,
            size: self.size,
            qos: self.qos(),
            retain: self.flags & RETAIN != 0,
            has_identifiers: self.flags & IDENTIFIERS != 0,
            copy: self.copy(),
            set: self.set(),
            is_shared: self.is_shared(),
            is_held: self.is_held(),
            identifier: None,
        }
    }

    /// Whether another member of a shared subscription may have it.
    pub(super) const fn is_shared(&self) -> bool {
        self.flags & SHARED != 0
    }

    /// Whether another session could have it: one at QoS 2 is finished with this client.
    pub(super) fn may_be_lent(&self) -> bool {
        self.is_shared() && self.qos() == QoS::AtLeastOnce
    }

    /// Whether its body is there for something else and held.
    pub(super) const fn is_held(&self) -> bool {
        self.flags & HELD != 0
    }

    pub(super) fn qos(&self) -> QoS {
        if self.flags & QOS == 2 { QoS::ExactlyOnce } else { QoS::AtLeastOnce }
    }

    pub(super) const fn was_sent(&self) -> bool {
        self.flags & WAS_SENT != 0
    }

    /// Whether the client may hold its packet id.
    pub(super) fn is_begun(&self) -> bool {
        self.was_sent() && self.qos() == QoS::ExactlyOnce
    }

    /// It is on the wire, or may have been.
    pub(super) fn set_sent(&mut self) {
        self.flags |= WAS_SENT;
        self.set_counted(self.state == State::Sent);
    }

    /// Whether it counts against the client's Receive Maximum on this connection.
    pub(super) const fn is_counted(&self) -> bool {
        self.flags & COUNTED != 0
    }

    pub(super) const fn set_counted(&mut self, counted: bool) {
        self.flags = if counted { self.flags | COUNTED } else { self.flags & !COUNTED };
    }

    /// Whether its body is still needed.
    pub(super) fn has_body(&self) -> bool {
        matches!(self.state, State::Waiting | State::Sent | State::Lent)
    }
}
