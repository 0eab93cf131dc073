//! The naive twin: a stream as a plain list of messages, and readers that look through all they have for each decision.

mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stdx::{Instant, UnixMillis};
use stream_engine::{
    Action, Behind, Departure, Input, Key, MemberId, NewMessage, Offset, Outlook, Progress,
    ReaderName, Scope, Start, Stream, StreamConfig,
};

pub(crate) use reader::Reader;

/// What a reader may look at.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) config: &'a StreamConfig,
    pub(crate) messages: &'a [Message],
    pub(crate) now: Instant,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) new: NewMessage,
    pub(crate) is_here: bool,
    /// Whether its key is to be made anew.
    is_stale: bool,
}

/// The twin.
pub(crate) struct Model {
    config: StreamConfig,
    /// Whether nothing is delivered for the first time without a permit.
    asks: bool,
    now: Instant,
    clock: Option<(Instant, UnixMillis)>,
    messages: Vec<Message>,
    readers: BTreeMap<ReaderName, Reader>,
    counts: BTreeMap<u8, u64>,
    redelivered: u64,
    is_rekeying: bool,
    /// What a replay or other properties leave to be done with the next input.
    replaced: Vec<Offset>,
    removed: BTreeSet<(Offset, u8)>,
    forgotten: BTreeSet<ReaderName>,
    looked_at: BTreeSet<ReaderName>,
}

impl Model {
    pub(crate) fn new(config: StreamConfig, asks: bool) -> Self {
        Self {
            config,
            asks,
            now: Instant::ZERO,
            clock: None,
            messages: Vec::new(),
            readers: BTreeMap::new(),
            counts: BTreeMap::new(),
            redelivered: 0,
            is_rekeying: false,
            replaced: Vec::new(),
            removed: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            looked_at: BTreeSet::new(),
        }
    }

    /// What members have, by member and offset.
    pub(crate) fn in_flight(&self) -> Vec<(MemberId, Offset)> {
        self.readers.values().flat_map(Reader::in_flight).collect()
    }

    pub(crate) fn restart(&mut self) {
        self.clock = None;
        self.replaced.clear();
        self.find_replaced();
        self.readers.values_mut().for_each(Reader::restart);
        self.readers.values_mut().filter(|_| self.asks).for_each(Reader::withhold);
    }

    fn wall(&self) -> Option<UnixMillis> {
        let (told, shows) = self.clock?;
        Some(shows + self.now.since(told))
    }

    fn next(&self) -> Offset {
        Offset(self.messages.len() as u64)
    }

    fn here(&self) -> impl Iterator<Item = (Offset, &NewMessage)> {
        let all = self.messages.iter().zip(0..);
        let here = all.filter(|(message, _)| message.is_here);
        here.map(|(message, offset)| (Offset(offset), &message.new))
    }

    fn earliest(&self) -> Offset {
        self.here().next().map_or(self.next(), |(offset, _)| offset)
    }

    fn remove(&mut self, offset: Offset, how: Departure) {
        let message = &mut self.messages[offset.0 as usize];
        if std::mem::take(&mut message.is_here) {
            *self.counts.entry(how.number()).or_default() += 1;
            self.removed.insert((offset, how.number()));
        }
    }

    fn is_last_value(&self) -> bool {
        self.config.last_value && !self.is_rekeying
    }

    fn find_replaced(&mut self) {
        let mut newest = BTreeMap::new();
        let mut replaced = Vec::new();
        if self.is_last_value() {
            for (offset, message) in self.here().filter(|(_, message)| message.key != Key::NONE) {
                replaced.extend(newest.insert(message.key, offset));
            }
        }
        self.replaced = replaced;
    }

    /// Takes an input and what the stream made of it; panics where that is wrong.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        input: &Input,
        outcome: Result<&[Action], ()>,
        stream: &Stream,
    ) {
        self.now = now;
        self.removed.clear();
        self.forgotten.clear();
        self.looked_at.clear();
        let is_legal = self.apply(input, stream);
        assert_eq!(is_legal, outcome.is_ok(), "whether {input:?} is legal");
        let actions = outcome.unwrap_or_default();
        if is_legal {
            self.time_passes();
            self.end_rekeying();
            for offset in std::mem::take(&mut self.replaced) {
                self.remove(offset, Departure::Replaced);
            }
            self.drop_oldest();
        } else {
            self.looked_at.clear();
        }
        self.check_actions(actions, stream);
        self.check_stream(stream);
    }

    fn apply(&mut self, input: &Input, stream: &Stream) -> bool {
        match input {
            Input::Append(message) => self.append(*message),
            Input::Attach { member, reader, start, window } => {
                return self.attach(*member, reader, *start, *window);
            }
            Input::Detach { member, written } => {
                let wall = self.wall();
                let Some(reader) = self.reader_of(*member) else { return false };
                reader.detach(*member, written, wall);
            }
            Input::Settle { member, offset, outcome } => {
                let (config, now) = (self.config.clone(), self.now);
                let Some(reader) = self.reader_of(*member) else { return false };
                let sight = Sight { config: &config, messages: &[], now };
                return reader.settle(*member, *offset, *outcome, &sight);
            }
            Input::Seek { reader, to } => {
                let to = self.offset_of(*to);
                self.looked_at.insert(reader.clone());
                let asks = self.asks;
                let Some(reader) = self.readers.get_mut(reader) else { return false };
                to.into_iter().for_each(|to| reader.begin(to, asks));
            }
            Input::Permit(permits) => {
                for (id, to) in permits.iter().filter(|_| self.asks) {
                    let name = stream.reader_name(*id).expect("it is known");
                    self.readers.get_mut(name).expect("it is known").permitted = *to;
                    self.looked_at.insert(name.clone());
                }
            }
            Input::Forget(name) => {
                if self.readers.get(name).is_none_or(|reader| !reader.members.is_empty()) {
                    return false;
                }
                self.readers.remove(name);
                self.forgotten.insert(name.clone());
            }
            Input::PutBack { reader: name, report } => {
                let wall = self.wall();
                let reader = self.readers.entry(name.clone()).or_insert_with(|| {
                    let mut reader = Reader::new(name.clone(), Offset(0));
                    reader.gone_since = wall;
                    reader
                });
                reader.put_back(report, self.asks);
                self.looked_at.insert(name.clone());
            }
            Input::Purge { scope, max } => self.purge(scope, *max),
            Input::Tick => {
                let now = self.now;
                for reader in self.readers.values_mut() {
                    if reader.wake(now) {
                        self.looked_at.insert(reader.name.clone());
                    }
                }
            }
            Input::Clock(shows) => self.clock = Some((self.now, *shows)),
            Input::Pause => self.config.paused = true,
            Input::Resume => {
                self.config.paused = false;
                self.looked_at.extend(self.readers.keys().cloned());
            }
            Input::Reconfigure(config) => self.reconfigure((**config).clone()),
            Input::Rekey { made, .. } => {
                for (offset, key) in made {
                    let message = &mut self.messages[offset.0 as usize];
                    (message.new.key, message.is_stale) = (*key, false);
                }
            }
        }
        true
    }

    fn reader_of(&mut self, member: MemberId) -> Option<&mut Reader> {
        let mut readers = self.readers.values_mut();
        let reader =
            readers.find(|reader| reader.members.iter().any(|known| known.id == member))?;
        self.looked_at.insert(reader.name.clone());
        Some(reader)
    }

    fn append(&mut self, mut message: NewMessage) {
        let needs_keys = self.config.needs_keys();
        let is_stale = needs_keys && message.key_generation != self.config.key_generation;
        if is_stale && !self.is_rekeying {
            self.is_rekeying = true;
            self.find_replaced();
        }
        if !needs_keys {
            message.key = Key::NONE;
        }
        message.expires = message.expires.map(|expires| expires.max(message.stored));
        let older = self.here().filter(|(_, older)| older.key == message.key).last();
        let older = older.map(|(offset, _)| offset);
        if self.is_last_value()
            && message.key != Key::NONE
            && let Some(older) = older
        {
            self.remove(older, Departure::Replaced);
        }
        self.messages.push(Message { new: message, is_here: true, is_stale });
        let hungry = self.readers.values().filter(|reader| reader.is_hungry);
        self.looked_at.extend(hungry.map(|reader| reader.name.clone()));
    }

    fn attach(&mut self, member: MemberId, name: &ReaderName, start: Start, window: u32) -> bool {
        if self.reader_of(member).is_some() || window == 0 {
            return false;
        }
        let (to, asks) = (self.offset_of(start), self.asks);
        let count = self.readers.len();
        let earliest = self.earliest();
        self.looked_at.insert(name.clone());
        if let Some(reader) = self.readers.get_mut(name) {
            if !name.is_group() {
                if !reader.members.is_empty() {
                    return false;
                }
                to.into_iter().for_each(|to| reader.begin(to, asks));
            }
            reader.attach(member, window);
            return true;
        }
        if count >= self.config.readers_max {
            return false;
        }
        let to = to.unwrap_or(earliest);
        let mut reader = Reader::new(name.clone(), to);
        reader.begin(to, asks);
        reader.attach(member, window);
        self.readers.insert(name.clone(), reader);
        true
    }

    fn offset_of(&self, start: Start) -> Option<Offset> {
        match start {
            Start::Earliest => Some(self.earliest()),
            Start::Latest => Some(self.next()),
            Start::Next => None,
            Start::Offset(offset) => Some(offset.max(self.earliest()).min(self.next())),
            Start::Time(time) => {
                let found = self.here().find(|(_, message)| message.stored >= time);
                Some(found.map_or(self.next(), |(offset, _)| offset))
            }
        }
    }

    fn purge(&mut self, scope: &Scope, max: usize) {
        let here = self.here().map(|(offset, message)| (offset, message.key));
        let meant = |(offset, key): &(Offset, Key)| match scope {
            Scope::Range(range) => range.contains(offset),
            Scope::Key(range, of) => range.contains(offset) && key == of,
            Scope::Offsets(offsets) => offsets.contains(offset),
        };
        let purged: Vec<Offset> = here.filter(meant).take(max).map(|(offset, _)| offset).collect();
        purged.into_iter().for_each(|offset| self.remove(offset, Departure::Purged));
    }

    fn reconfigure(&mut self, config: StreamConfig) {
        let before = std::mem::replace(&mut self.config, config);
        let was_rekeying = self.is_rekeying;
        self.find_stale(&before);
        if self.config.last_value != before.last_value || self.is_rekeying != was_rekeying {
            self.find_replaced();
        }
        if self.config.needs_keys() != before.needs_keys() {
            let sight = Sight { config: &self.config, messages: &self.messages, now: self.now };
            self.readers.values_mut().for_each(|reader| reader.rekey(&sight));
        }
        self.looked_at.extend(self.readers.keys().cloned());
    }

    fn is_any_stale(&self) -> bool {
        self.messages.iter().any(|message| message.is_stale && message.is_here)
    }

    fn find_stale(&mut self, before: &StreamConfig) {
        let config = &self.config;
        let is_new = !before.needs_keys() || before.key_generation != config.key_generation;
        if !config.needs_keys() || is_new {
            let is_stale = config.needs_keys();
            self.messages.iter_mut().for_each(|message| message.is_stale = is_stale);
        }
        self.is_rekeying = self.is_any_stale();
    }

    fn end_rekeying(&mut self) {
        if !self.is_rekeying || self.is_any_stale() {
            return;
        }
        self.is_rekeying = false;
        self.find_replaced();
        let sight = Sight { config: &self.config, messages: &self.messages, now: self.now };
        self.readers.values_mut().for_each(|reader| reader.rekey(&sight));
        self.looked_at.extend(self.readers.keys().cloned());
    }

    fn time_passes(&mut self) {
        let Some(now) = self.wall() else { return };
        let retention = self.config.retention;
        let is_over = |message: &NewMessage| {
            message.expires.is_some_and(|expires| expires <= now)
                || !retention.is_zero() && message.stored + retention <= now
        };
        let here = self.here().filter(|(_, message)| is_over(message));
        let over: Vec<Offset> = here.map(|(offset, _)| offset).collect();
        over.into_iter().for_each(|offset| self.remove(offset, Departure::Expired));
        let keep = self.config.keep_positions;
        for reader in self.readers.values_mut().filter(|reader| reader.members.is_empty()) {
            let since = *reader.gone_since.get_or_insert(now);
            if keep != Duration::ZERO && since + keep <= now {
                self.forgotten.insert(reader.name.clone());
            }
        }
        self.readers.retain(|name, _| !self.forgotten.contains(name));
    }

    fn drop_oldest(&mut self) {
        loop {
            let count = self.here().count() as u64;
            let bytes: u64 = self.here().map(|(_, message)| u64::from(message.size)).sum();
            let is_over = self.config.max_messages.is_some_and(|max| count > max)
                || self.config.max_bytes.is_some_and(|max| bytes > max);
            let oldest = self.here().next().map(|(offset, _)| offset);
            match oldest.filter(|_| is_over) {
                Some(oldest) => self.remove(oldest, Departure::Dropped),
                None => return,
            }
        }
    }

    fn check_actions(&mut self, actions: &[Action], stream: &Stream) {
        let mut delivered: BTreeMap<ReaderName, Vec<Action>> = BTreeMap::new();
        let mut told: BTreeMap<ReaderName, (Progress, bool)> = BTreeMap::new();
        let mut settled: BTreeMap<ReaderName, Vec<Offset>> = BTreeMap::new();
        let (mut removed, mut forgotten) = (BTreeSet::new(), BTreeSet::new());
        for action in actions {
            match action {
                Action::Deliver { member, offset, at, .. } => {
                    assert_eq!(*at, self.messages[offset.0 as usize].new.at);
                    let id = stream.reader_of(*member).expect("a member reads for a reader");
                    let name = stream.reader_name(id).expect("it has a name").clone();
                    delivered.entry(name).or_default().push(action.clone());
                }
                Action::Position { reader, progress, begins } => {
                    let name = stream.reader_name(*reader).expect("it has a name").clone();
                    assert_eq!(told.insert(name, (*progress, *begins)), None, "told twice");
                }
                Action::Settled { reader, offset } => {
                    let name = stream.reader_name(*reader).expect("it has a name").clone();
                    settled.entry(name).or_default().push(*offset);
                }
                Action::Removed { offset, at, how } => {
                    assert_eq!(*at, self.messages[offset.0 as usize].new.at);
                    assert!(removed.insert((*offset, how.number())), "removed twice");
                }
                Action::Forgotten { name, .. } => {
                    assert!(forgotten.insert(name.clone()), "forgotten twice");
                }
            }
        }
        assert_eq!((&removed, &forgotten), (&self.removed, &self.forgotten));
        let sight = Sight { config: &self.config, messages: &self.messages, now: self.now };
        for name in &self.looked_at {
            let Some(reader) = self.readers.get_mut(name) else { continue };
            let awaits_keys = self.is_rekeying && reader.goes_by_keys(&self.config);
            (reader.is_hungry, reader.is_withheld) = (false, false);
            let expected = if awaits_keys { Vec::new() } else { reader.deliver(&sight) };
            self.redelivered += expected
                .iter()
                .filter(|action| matches!(action, Action::Deliver { attempt: 2.., .. }))
                .count() as u64;
            assert_eq!(delivered.remove(name).unwrap_or_default(), expected, "to {name}");
            let mut settled = settled.remove(name).unwrap_or_default();
            settled.sort_unstable();
            assert_eq!((told.remove(name), settled), reader.news(), "of {name}");
        }
        let nothing = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        assert_eq!((delivered, told, settled), nothing);
    }

    fn check_stream(&self, stream: &Stream) {
        let here: Vec<Offset> = self.here().map(|(offset, _)| offset).collect();
        assert_eq!(stream.peek(Offset(0)).map(|peeked| peeked.offset).collect::<Vec<_>>(), here);
        let ledger = stream.ledger();
        assert_eq!(ledger.appended, self.messages.len() as u64);
        let counts = [ledger.dropped, ledger.expired, ledger.replaced, ledger.purged];
        for (how, count) in Departure::ALL.into_iter().zip(counts) {
            let counted = self.counts.get(&how.number()).copied().unwrap_or(0);
            assert_eq!(count, counted, "{how:?}");
        }
        assert_eq!(ledger.redelivered, self.redelivered);
        let names: BTreeSet<&ReaderName> = stream.reader_names().collect();
        assert!(names.into_iter().eq(self.readers.keys()));
        let mut behind = Behind::default();
        for (name, reader) in &self.readers {
            let state = stream.reader(name).expect("it is known");
            assert_eq!(state.progress, reader.progress(), "{name}");
            let id = stream.reader_id(name).expect("it is known");
            let outlook = stream.outlook(id).expect("it is known");
            let expected = Outlook {
                dispatched_to: reader.progress().delivered_to,
                has_members: !reader.members.is_empty(),
                is_hungry: reader.is_hungry,
                awaits_permit: reader.is_withheld,
            };
            assert_eq!(outlook, expected, "{name}");
            let position = state.progress.position;
            let is_unsettled = |offset: &Offset| {
                *offset >= position
                    && !reader.is_done(*offset)
                    && (*offset >= reader.cursor || reader.is_unsettled(*offset))
            };
            let lag: Vec<&Offset> = here.iter().filter(|offset| is_unsettled(offset)).collect();
            assert_eq!(state.lag, lag.len() as u64, "{name}");
            let sizes = lag.iter().map(|offset| self.messages[offset.0 as usize].new.size);
            assert_eq!(state.lag_bytes, sizes.map(u64::from).sum::<u64>(), "{name}");
            behind.messages = behind.messages.max(state.lag);
            behind.bytes = behind.bytes.max(state.lag_bytes);
            behind.readers += u64::from(!lag.is_empty());
            let oldest = lag.first().copied().copied();
            behind.oldest = [behind.oldest, oldest].into_iter().flatten().min();
            let age = lag.first().zip(self.wall()).map(|(offset, now)| {
                now.since(self.messages[offset.0 as usize].new.stored).as_millis() as u64
            });
            assert_eq!(state.lag_ms, age.unwrap_or(0), "{name}");
        }
        behind.since = behind.oldest.map(|offset| self.messages[offset.0 as usize].new.stored);
        assert_eq!(stream.behind(), behind);
    }
}
