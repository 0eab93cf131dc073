//! The stream of a simulation: what it counts, and at the end what is in it. It must not know who breaks what.

use std::sync::Arc;

use broker::{NewStream, StreamLook, StreamMessage, StreamProperties};
use parking_lot::Mutex;

use super::World;
use crate::message;
use crate::plan::{STREAM, STREAM_MESSAGES};

/// Messages that are asked for at once.
const PAGE: usize = 1000;

impl World {
    pub(super) fn create_stream(&mut self) {
        let mut properties = StreamProperties::default();
        properties.config.max_messages = self.stream_messages_max();
        let (name, filter) = (STREAM.0.to_owned(), Some(STREAM.1.to_owned()));
        let stream = NewStream { name, topic_filter: filter, properties };
        self.node.handle.create_stream(stream, Box::new(|made| drop(made.expect("it is new"))));
    }

    /// How many messages the stream keeps, if not all.
    const fn stream_messages_max(&self) -> Option<u64> {
        if self.seed.is_multiple_of(2) { None } else { Some(STREAM_MESSAGES) }
    }

    /// The account holds at least what was acknowledged.
    pub(super) fn check_stream_ledger(&self) {
        let name = STREAM.0;
        let ledger = self.node.stream_ledger(name).unwrap_or_else(|| panic!("{name} is lost"));
        let nowhere = ledger.expired + ledger.replaced + ledger.purged;
        let may_drop = self.stream_messages_max().is_some();
        assert!(
            ledger.balances() && nowhere == 0 && (may_drop || ledger.dropped == 0),
            "stream {name}: {ledger:?}"
        );
        // Its filter is the first queue's.
        let ((taken, _), most) = (self.auditor.least(0), self.auditor.most(0));
        assert!(
            (taken..=most).contains(&ledger.appended),
            "stream {name} counts not from {taken} to {most} messages: {ledger:?}"
        );
    }

    /// Sees all that is in the stream. False when some of it cannot be read.
    pub(super) fn read_stream(&mut self) -> bool {
        self.auditor.begin_stream(self.stream_messages_max().is_none());
        let mut is_whole = true;
        let mut from = Some(0);
        let mut before = None;
        while let Some(first) = from {
            let found = Arc::new(Mutex::new(None));
            let keep = Arc::clone(&found);
            let look = StreamLook { from: first, limit: PAGE };
            let reply = Box::new(move |page| *keep.lock() = Some(page));
            self.node.handle.peek_stream(STREAM.0, look, reply);
            self.run();
            let page = found.lock().take().expect("it is answered").expect("it is there");
            for one in &page.data {
                assert!(before < Some(one.offset), "{} comes after {before:?}", one.offset);
                before = Some(one.offset);
                is_whole &= self.see_in_stream(one);
            }
            from = page.next;
        }
        self.check_stream_ledger();
        is_whole
    }

    fn see_in_stream(&mut self, one: &StreamMessage) -> bool {
        let offset = one.offset;
        let Some(message) = &one.message else { return false };
        let number = message::number(message.topic(), message.payload());
        let number = number.unwrap_or_else(|| panic!("altered: offset {offset} of the stream"));
        self.auditor.in_stream(number, message.topic());
        self.seen.note("message in the stream", 1);
        true
    }

    /// Nothing of it is needed any more.
    pub(super) fn delete_stream(&mut self) {
        let reply = Box::new(|deleted: Result<_, _>| deleted.expect("it is there"));
        self.node.handle.delete_stream(STREAM.0.to_owned(), reply);
        self.run();
    }
}
