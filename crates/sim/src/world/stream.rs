//! The streams of a simulation: what they count, and at the end what is in them. It must not know who breaks what.

use std::sync::mpsc::channel;

use broker::{NewStream, StreamLook, StreamMessage};

use super::World;
use crate::message;
use crate::queues::{MEMORY, OS};
use crate::streams::{FLEETING, LOG, NEWEST, STREAMS, StreamOf, WRITTEN, log_messages_max};

/// Messages that are asked for at once.
const PAGE: usize = 1000;

impl World {
    pub(super) fn create_streams(&mut self) {
        for of in STREAMS {
            let (name, filter) = (of.name.to_owned(), Some(of.filter.to_owned()));
            let properties = of.properties(self.seed);
            let stream = NewStream { name, topic_filter: filter, properties };
            self.node.handle.create_stream(stream, Box::new(|made| drop(made.expect("it is new"))));
        }
    }

    /// The accounts hold at least what was acknowledged.
    pub(super) fn check_stream_ledgers(&self) {
        for (stream, StreamOf { name, .. }) in STREAMS.iter().enumerate() {
            let ledger = self.node.stream_ledger(name).unwrap_or_else(|| panic!("{name} is lost"));
            let may_drop = match stream {
                LOG if log_messages_max(self.seed).is_some() => u64::MAX,
                FLEETING => self.auditor.begun_at().fleeting,
                _ => 0,
            };
            assert!(
                ledger.balances()
                    && ledger.expired + ledger.purged == 0
                    && ledger.dropped <= may_drop
                    && (stream != FLEETING || ledger.dropped == may_drop)
                    && (stream == NEWEST || ledger.replaced == 0),
                "stream {name}: {ledger:?}"
            );
            // This queue takes the same.
            let queue = [0, 0, OS, MEMORY][stream];
            let ((taken, _), most) = (self.auditor.least(queue), self.auditor.most(queue));
            assert!(
                (taken..=most).contains(&ledger.appended),
                "stream {name} counts not from {taken} to {most} messages: {ledger:?}"
            );
        }
    }

    /// Sees all that is in the streams. False when some of it cannot be read.
    pub(super) fn look_at_streams(&mut self) -> bool {
        let mut is_whole = true;
        for stream in [LOG, NEWEST, WRITTEN, FLEETING] {
            self.auditor.begin_look(stream, log_messages_max(self.seed).is_none());
            let is_all = self.look_at(stream);
            let ledger = self.node.stream_ledger(STREAMS[stream].name).unwrap_or_default();
            if is_all {
                self.auditor.check_look(stream, ledger.appended);
            }
            is_whole &= is_all;
        }
        self.check_stream_ledgers();
        is_whole
    }

    fn look_at(&mut self, stream: usize) -> bool {
        let mut is_whole = true;
        let mut from = Some(0);
        let mut before = None;
        while let Some(first) = from {
            let (tell, answer) = channel();
            let look = StreamLook { from: first, limit: PAGE };
            let reply = Box::new(move |page| drop(tell.send(page)));
            self.node.handle.peek_stream(STREAMS[stream].name, look, reply);
            self.run();
            let page = answer.try_recv().expect("it is answered").expect("it is there");
            for one in &page.data {
                assert!(before < Some(one.offset), "{} comes after {before:?}", one.offset);
                before = Some(one.offset);
                is_whole &= self.see_in_stream(stream, one);
            }
            from = page.next;
        }
        is_whole
    }

    fn see_in_stream(&mut self, stream: usize, one: &StreamMessage) -> bool {
        let offset = one.offset;
        let Some(message) = &one.message else { return false };
        let number = message::number(message.topic(), message.payload());
        let number = number.unwrap_or_else(|| panic!("altered: offset {offset} of the stream"));
        assert_eq!(message.topic(), self.auditor.topic(number), "offset {offset} of the stream");
        self.auditor.is_kept(stream, offset, number);
        self.seen.note("message in the stream", 1);
        true
    }

    /// Nothing of them is needed any more.
    pub(super) fn delete_streams(&mut self) {
        for of in STREAMS {
            let reply = Box::new(|deleted: Result<_, _>| deleted.expect("it is there"));
            self.node.handle.delete_stream(of.name.to_owned(), reply);
        }
        self.run();
    }
}
