//! Bodies of a stream's messages: those at hand, and deliveries that wait for theirs. It must not know the engine.

use std::collections::VecDeque;

use hashbrown::HashMap;
use log_api::{Position, ShardId};
use mqtt_router::SinkId;
use mqtt_types::Message;
use queue_engine::ConsumerId;
use smallvec::SmallVec;
use stream_engine::{MemberId, Offset, StoredAt};

use super::ReadAhead;
use crate::mail::{Lease, Letter};
use crate::turn::Turn;

/// Messages read ahead for one reader at once. When it comes to the first of them, as many again are read.
const AHEAD_MAX: usize = 128;

/// A delivery that the engine has granted.
struct Granted {
    offset: Offset,
    attempt: u32,
    /// Its body, once it is there.
    message: Option<Message>,
}

struct Member {
    at: ShardId,
    /// What it is to get, in order.
    waiting: VecDeque<Granted>,
    /// Up to there it was read ahead.
    ahead_to: Option<Offset>,
    /// There more is to be read ahead.
    short_at: Option<Offset>,
}

/// What is at hand, and what is on its way. Members wait for bodies each on its own: one that reads what is long past does
/// not hold up those that keep up.
pub(super) struct Bodies {
    ahead: ReadAhead,
    members: HashMap<MemberId, Member>,
    /// The newest message, while it is handed out.
    fresh: Option<(Offset, Message)>,
    at_hand: HashMap<Offset, Message>,
    bytes: usize,
    /// What is at hand, the first to come first. Some of it may be gone.
    order: VecDeque<Offset>,
    /// What is asked of the log, or about to be, and who waits for it.
    wanted: HashMap<Offset, SmallVec<[MemberId; 1]>>,
    to_ask: VecDeque<(Offset, StoredAt, u32)>,
    /// What was asked, in the order of the answers.
    reading: VecDeque<(Offset, StoredAt, u32)>,
    reading_bytes: usize,
}

impl Bodies {
    pub(super) fn new(ahead: ReadAhead) -> Self {
        Self {
            ahead,
            members: HashMap::new(),
            fresh: None,
            at_hand: HashMap::new(),
            bytes: 0,
            order: VecDeque::new(),
            wanted: HashMap::new(),
            to_ask: VecDeque::new(),
            reading: VecDeque::new(),
            reading_bytes: 0,
        }
    }

    pub(super) fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (MemberId, ShardId)> {
        self.members.iter().map(|(id, member)| (*id, member.at))
    }

    pub(super) fn attach(&mut self, id: MemberId, at: ShardId) {
        let waiting = VecDeque::new();
        let member = Member { at, waiting, ahead_to: None, short_at: None };
        self.members.insert(id, member);
    }

    pub(super) fn detach(&mut self, id: MemberId) {
        self.members.remove(&id);
        if self.members.is_empty() {
            self.clear();
        }
    }

    /// Nobody is about to be given what is at hand.
    pub(super) fn clear(&mut self) {
        if !self.order.is_empty() {
            self.at_hand = HashMap::new();
            self.order = VecDeque::new();
            self.bytes = 0;
        }
    }

    /// The newest message has come.
    pub(super) fn begin_fresh(&mut self, offset: Offset, message: &Message) {
        self.fresh = Some((offset, self.ahead.memory.keep(message)));
    }

    /// All who have credit got it. Others may want it soon.
    pub(super) fn end_fresh(&mut self, is_wanted: bool) {
        if let Some((offset, message)) = self.fresh.take().filter(|_| is_wanted)
            && self.at_hand.len() < self.ahead.messages
            && self.bytes < self.ahead.bytes()
        {
            self.keep(offset, message);
        }
    }

    fn keep(&mut self, offset: Offset, message: Message) {
        self.bytes += message.bytes().len();
        if let Some(known) = self.at_hand.insert(offset, message) {
            self.bytes -= known.bytes().len();
            return;
        }
        self.order.push_back(offset);
        while self.at_hand.len() > self.ahead.messages
            || (self.bytes > self.ahead.bytes() && self.at_hand.len() > 1)
        {
            let Some(first) = self.order.pop_front() else { return };
            self.forget(first);
        }
    }

    /// A message has left.
    pub(super) fn forget(&mut self, offset: Offset) {
        if let Some(message) = self.at_hand.remove(&offset) {
            self.bytes -= message.bytes().len();
        }
        if self.order.len() > 2 * self.at_hand.len() + 64 {
            self.order.retain(|offset| self.at_hand.contains_key(offset));
        }
    }

    fn body(&self, offset: Offset) -> Option<Message> {
        match &self.fresh {
            Some((fresh, message)) if *fresh == offset => Some(message.clone()),
            _ => self.at_hand.get(&offset).cloned(),
        }
    }

    /// A member is to get a message. False when its body has to be read.
    pub(super) fn grant(
        &mut self,
        id: MemberId,
        offset: Offset,
        attempt: u32,
        turn: &mut Turn,
    ) -> bool {
        let message = self.body(offset);
        let Some(member) = self.members.get_mut(&id) else { return true };
        let is_there = message.is_some();
        member.waiting.push_back(Granted { offset, attempt, message });
        member.send(id, turn);
        is_there
    }

    /// A body is to be read, for a member if one waits for it.
    pub(super) fn want(
        &mut self,
        (offset, at, size): (Offset, StoredAt, u32),
        by: Option<MemberId>,
    ) {
        let is_new = !self.wanted.contains_key(&offset);
        if is_new && by.is_none() && self.at_hand.contains_key(&offset) {
            return;
        }
        self.wanted.entry(offset).or_default().extend(by);
        if is_new {
            self.to_ask.push_back((offset, at, size));
        }
    }

    /// Whether more is to be read ahead for a member, which was just granted a message that is at hand or is not.
    pub(super) fn is_short(&mut self, id: MemberId, offset: Offset, is_there: bool) -> bool {
        let Some(member) = self.members.get_mut(&id) else { return false };
        if !is_there && !self.wanted.contains_key(&offset) {
            // It went elsewhere, or begins, or what was read ahead for it had to go.
            member.ahead_to = None;
            return true;
        }
        member.short_at.take_if(|at| *at <= offset).is_some()
    }

    /// After which message, and how many, may be read ahead for a member.
    pub(super) fn ahead_of(&self, id: MemberId) -> (Option<Offset>, usize) {
        let share = self.ahead.messages / 4 / self.members.len().max(1);
        (self.members.get(&id).and_then(|member| member.ahead_to), share.clamp(1, AHEAD_MAX))
    }

    /// What comes next for a member is to be read.
    pub(super) fn read_ahead(&mut self, id: MemberId, upcoming: &[(Offset, StoredAt, u32)]) {
        let bytes_max = self.ahead.bytes() / 4;
        let mut bytes = 0;
        let mut ahead_to = None;
        for one in upcoming {
            self.want(*one, None);
            ahead_to = Some(one.0);
            bytes += one.2 as usize;
            if bytes > bytes_max {
                break;
            }
        }
        if let (Some(member), Some(to)) = (self.members.get_mut(&id), ahead_to) {
            member.ahead_to = Some(to);
            member.short_at = upcoming.first().map(|(first, ..)| *first);
        }
    }

    /// Whether something is to be asked of the log.
    pub(super) fn has_to_ask(&self) -> bool {
        !self.to_ask.is_empty()
    }

    /// Asks the log for what is wanted, for one at least and no more than may be kept.
    pub(super) fn ask(&mut self, sink: SinkId, turn: &mut Turn) {
        let mut positions = Vec::new();
        while self.reading.is_empty() || self.reading_bytes < self.ahead.bytes() {
            let Some((offset, at, size)) = self.to_ask.pop_front() else { break };
            self.reading.push_back((offset, at, size));
            self.reading_bytes += size as usize;
            positions.push((Position::from_u64(at.0), size));
        }
        if !positions.is_empty() {
            turn.read_heads(u64::from(sink.0), positions);
        }
    }

    /// Which body was answered, and where it was asked for.
    pub(super) fn answered(&mut self) -> Option<(Offset, StoredAt)> {
        let (offset, at, size) = self.reading.pop_front()?;
        self.reading_bytes -= size as usize;
        Some((offset, at))
    }

    /// A body lies elsewhere than where it was asked for.
    pub(super) fn ask_again(&mut self, offset: Offset, at: StoredAt, size: u32) {
        self.to_ask.push_front((offset, at, size));
    }

    /// A body has come.
    pub(super) fn came(&mut self, offset: Offset, message: &Message, turn: &mut Turn) {
        let message = self.ahead.memory.keep(message);
        for id in self.wanted.remove(&offset).unwrap_or_default() {
            let Some(member) = self.members.get_mut(&id) else { continue };
            for granted in member.waiting.iter_mut().filter(|granted| granted.offset == offset) {
                granted.message = Some(message.clone());
            }
            member.send(id, turn);
        }
        if self.has_members() {
            self.keep(offset, message);
        }
    }

    /// A body will not come: those who wait for it go on without. Gives who they are.
    pub(super) fn gone(&mut self, offset: Offset, turn: &mut Turn) -> SmallVec<[MemberId; 1]> {
        let waiting = self.wanted.remove(&offset).unwrap_or_default();
        for id in &waiting {
            if let Some(member) = self.members.get_mut(id) {
                member.waiting.retain(|granted| granted.offset != offset);
                member.send(*id, turn);
            }
        }
        waiting
    }

    /// Checks the sums.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn check(&self, is_here: impl Fn(Offset) -> bool) -> Result<(), String> {
        let bytes: usize = self.at_hand.values().map(|message| message.bytes().len()).sum();
        if bytes != self.bytes {
            return Err(format!("counts {} bytes of bodies, not {bytes}", self.bytes));
        }
        if let Some(offset) = self.at_hand.keys().find(|offset| !is_here(**offset)) {
            return Err(format!("keeps the body of offset {offset}, which has left"));
        }
        Ok(())
    }
}

impl Member {
    /// Hands on what is there, in order.
    fn send(&mut self, id: MemberId, turn: &mut Turn) {
        while let Some(message) = self.waiting.front_mut().and_then(|front| front.message.take()) {
            let Some(Granted { offset, attempt, .. }) = self.waiting.pop_front() else { return };
            let lease = Lease { consumer: ConsumerId(id.0), offset, attempt, message };
            turn.mail(self.at, Letter::Lease(lease));
        }
    }
}
