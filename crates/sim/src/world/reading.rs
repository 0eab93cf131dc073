//! Clients that read streams: from where, what they do with what comes, and where the broker says that they are. It must not know
//! how a stream keeps a reader.

use std::sync::mpsc::channel;

use log_api::{Log, LogState};

use super::World;
use super::hearing::STANDING;
use crate::auditor::Arrival;
use crate::client::{Asked, Role, Source};
use crate::plan::{MEMBER, READER, SHARER, Start};
use crate::streams::{LOG, READERS, READS_ON, STREAMS, TEAM};
use crate::wire::{self, FromStream};

/// More readers than a stream has.
const READERS_MAX: usize = 100;

/// For whom a client reads.
pub(super) const fn reader_of(role: Role) -> Option<usize> {
    match role {
        Role::Reads(reader) => Some(reader),
        Role::ReadsOn => Some(READS_ON),
        Role::Member => Some(TEAM),
        _ => None,
    }
}

impl World {
    /// A client that keeps no session reads its stream, from there on.
    pub(super) fn read_from(&mut self, reader: usize, start: Start, qos: u8) {
        let n = READER + reader;
        self.connect(n);
        if !self.clients[n].is_greeted {
            return;
        }
        let address = STREAMS[READERS[reader].stream].address();
        if self.clients[n].is_subscribed {
            self.stop_reading(n, &address);
        }
        if !self.clients[n].is_greeted || self.machine.is_off() {
            return;
        }
        let text = self.begin_to_read(reader, start);
        self.auditor.reads_blindly(reader, qos == 0);
        self.say(format!("{} reads from {text} at QoS {qos}", READERS[reader].name));
        self.send(n, wire::subscribe_with(STANDING, &address, qos, &[("stream-offset", &text)]));
        // Another SUBSCRIBE before the answer could bring messages of both.
        self.clients[n].is_subscribed = true;
    }

    /// What is on its way then is heard, and comes again: the client is lost to it at once.
    fn stop_reading(&mut self, n: usize, address: &str) {
        if let Some(socket) = self.socket(n) {
            socket.is_blocked = false;
        }
        let id = self.clients[n].next_id();
        self.send(n, wire::unsubscribe(id, address));
        self.run();
        self.listen();
        self.forget_asking(n);
        self.clients[n].is_subscribed = false;
        self.clients[n].leases.clear();
    }

    /// A client hears no more where it reads from.
    pub(super) fn forget_asking(&mut self, n: usize) {
        if let Some(reader) = reader_of(self.clients[n].role)
            && self.clients[n].is_asking.take().is_some()
        {
            self.auditor.may_not_have_moved(reader);
        }
    }

    /// Notes where a reader begins, and says it as its client does.
    fn begin_to_read(&mut self, reader: usize, start: Start) -> String {
        let stream = READERS[reader].stream;
        let end = self.appended(stream);
        let n = READER + reader;
        let (text, least, at_ms, asked) = match start {
            Start::Next => {
                self.auditor.reads_on(reader);
                return "next".to_owned();
            }
            Start::Earliest => ("earliest".to_owned(), 0, None, Asked::Offset(0)),
            Start::Latest => ("latest".to_owned(), end, None, Asked::Offset(u64::MAX)),
            Start::Offset(hundredths) => {
                let offset = end * hundredths / 100;
                (offset.to_string(), offset, None, Asked::Offset(offset))
            }
            Start::Time(hundredths) => {
                let ms = self.auditor.some_time(stream, hundredths);
                (format!("@{ms}"), 0, Some(ms), Asked::Time(ms))
            }
        };
        self.sought[reader] += 1;
        self.auditor.is_to_read_from(reader, least, at_ms);
        self.clients[n].is_asking = Some(asked);
        text
    }

    /// A reader hears that it reads.
    pub(super) fn has_begun_to_read(&mut self, n: usize) {
        if let Some(reader) = reader_of(self.clients[n].role)
            && let Some(asked) = self.clients[n].is_asking.take()
        {
            let stream = READERS[reader].stream;
            self.note_dropped();
            let most = match asked {
                Asked::Offset(offset) => offset,
                Asked::Time(ms) => self.auditor.first_stored_at(stream, ms),
            };
            self.auditor.reads_from(reader, most.min(self.appended(stream)));
        }
    }

    /// A client with a standing subscription to a stream has been greeted.
    pub(super) fn read_on(&mut self, n: usize) {
        let (more, qos): (&[(&str, &str)], u8) = match self.clients[n].role {
            Role::Member => (&[("stream-offset", "earliest"), ("stream-group", "team")], 1),
            _ => (&[("stream-offset", "next")], 2),
        };
        self.send(n, wire::subscribe_with(STANDING, &STREAMS[LOG].address(), qos, more));
    }

    /// A message of a stream has come.
    pub(super) fn has_read(
        &mut self,
        n: usize,
        message: u32,
        from: &FromStream,
        is_again: bool,
    ) -> Source {
        let client = &self.clients[n];
        let reader = reader_of(client.role).expect("somebody who reads");
        let FromStream { offset, attempt, stored_ms, .. } = *from;
        let of = READERS[reader];
        assert_eq!(from.stream, STREAMS[of.stream].name, "{} reads another stream", client.name);
        let name = client.name.clone();
        self.say(format!("{name} gets {message} at {offset}, attempt {attempt}: {is_again}"));
        if is_again && self.auditor.has_others(reader) {
            // It stays with its client, and may count where the reader is now or not.
            self.auditor.may_have_settled(reader, offset);
            return Source::Topic;
        }
        self.note_dropped();
        let now_ms = self.machine.now_ms();
        self.auditor.read(reader, Arrival { number: message, offset, attempt, stored_ms, now_ms });
        self.seen.note("message comes to a reader", 1);
        self.seen.note("message comes to a reader again", u64::from(attempt > 1));
        self.seen.note("message comes to a group of readers", u64::from(of.is_group));
        if reader == READS_ON && !is_again {
            self.auditor.reads_once(offset);
        }
        Source::Stream(reader, offset)
    }

    /// All is at rest: whether the reader with a session has answered all that it had.
    pub(super) fn note_others(&mut self) {
        // What cannot be read, or for which no packet id can be stored, does not come.
        let log = &self.node.log;
        if log.state() != LogState::Writable || log.stats().damaged_reads_total > 0 {
            return;
        }
        let client = &self.clients[READER + READS_ON];
        let has_none = client.leases.is_empty() && client.received.is_empty();
        if client.is_subscribed && client.at.is_some() && !client.was_blocked && has_none {
            self.auditor.has_no_others(READS_ON);
        }
    }

    /// No two members of a group have the same message.
    pub(super) fn check_members(&self) {
        let members = &self.clients[MEMBER..SHARER];
        let all = members.iter().flat_map(|client| client.leases.iter().map(|lease| lease.source));
        let mut all: Vec<Source> = all.collect();
        while let Some(one) = all.pop() {
            assert!(!all.contains(&one), "two members of a group have {one:?}");
        }
    }

    /// After a start an operator looks where readers are.
    pub(super) fn check_positions(&mut self) {
        for (stream, of) in STREAMS.iter().enumerate() {
            let (tell, answer) = channel();
            let reply = Box::new(move |page| drop(tell.send(page)));
            self.node.handle.stream_readers(of.name, (None, READERS_MAX), reply);
            for shard in 0..self.node.shards.len() {
                self.node.turn(shard, &self.limits);
            }
            let page = answer.try_recv().expect("it is answered at once").expect("it is there");
            let ledger = self.node.stream_ledger(of.name).unwrap_or_default();
            self.note_dropped();
            let readers = READERS.iter().enumerate().filter(|(_, one)| one.stream == stream);
            for (n, one) in readers {
                let name = one.reader_name();
                let found = page.data.iter().find(|reader| reader.name == name);
                let position = found.map(|reader| reader.position);
                self.say(format!("{} goes on at {position:?}", one.name));
                self.auditor.is_found_at(n, position);
                assert!(
                    position.is_none_or(|position| position <= ledger.appended),
                    "{} goes on behind the end: {ledger:?}",
                    one.name
                );
            }
        }
    }

    fn note_dropped(&mut self) {
        for (stream, of) in STREAMS.iter().enumerate() {
            let dropped = self.node.stream_ledger(of.name).map_or(0, |one| one.dropped);
            self.auditor.note_dropped(stream, dropped);
        }
    }

    pub(super) fn appended(&self, stream: usize) -> u64 {
        self.node.stream_ledger(STREAMS[stream].name).map_or(0, |ledger| ledger.appended)
    }
}
