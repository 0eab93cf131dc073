//! The mailboxes by which shards, the log and the outside reach a shard: one wake for all that gathers while it works.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use log_api::{EventSink, LogEvent, ShardId};
use parking_lot::Mutex;

use crate::mail::Mail;

type Wake = Box<dyn Fn() + Send + Sync>;

/// All shards' mailboxes. A clone is another handle on the same ones.
#[derive(Clone)]
pub struct Post {
    inboxes: Arc<[Inbox]>,
}

#[derive(Default)]
struct Inbox {
    mail: Mutex<Vec<Mail>>,
    /// Bytes of live messages in `mail`.
    live_bytes: AtomicUsize,
    wake: OnceLock<Wake>,
}

impl Post {
    /// Mailboxes for that many shards.
    #[must_use]
    pub fn new(shards: u16) -> Self {
        Self { inboxes: (0..shards.max(1)).map(|_| Inbox::default()).collect() }
    }

    /// Number of shards.
    #[must_use]
    pub fn shards(&self) -> u16 {
        u16::try_from(self.inboxes.len()).unwrap_or(u16::MAX)
    }

    /// Says how the shard's thread is woken. Only the first call for a shard counts.
    pub fn on_mail(&self, shard: ShardId, wake: impl Fn() + Send + Sync + 'static) {
        if let Some(inbox) = self.inboxes.get(usize::from(shard.0)) {
            let _ = inbox.wake.set(Box::new(wake));
        }
    }

    /// Puts a letter into a mailbox, and wakes the shard if it was empty.
    pub fn send(&self, to: ShardId, mail: Mail) {
        let Some(inbox) = self.inboxes.get(usize::from(to.0)) else { return };
        let was_empty = {
            let mut queue = inbox.mail.lock();
            queue.push(mail);
            queue.len() == 1
        };
        if was_empty {
            inbox.wake();
        }
    }

    /// Puts a turn's letters into a mailbox at once.
    pub(crate) fn send_all(&self, to: ShardId, letters: &mut Vec<Mail>, live_bytes: usize) {
        let Some(inbox) = self.inboxes.get(usize::from(to.0)) else { return };
        let was_empty = {
            let mut queue = inbox.mail.lock();
            let was_empty = queue.is_empty();
            queue.append(letters);
            inbox.live_bytes.fetch_add(live_bytes, Ordering::Relaxed);
            was_empty
        };
        if was_empty {
            inbox.wake();
        }
    }

    /// Bytes of live messages that wait in a mailbox.
    pub(crate) fn live_bytes(&self, shard: ShardId) -> usize {
        self.inboxes
            .get(usize::from(shard.0))
            .map_or(0, |inbox| inbox.live_bytes.load(Ordering::Relaxed))
    }

    /// Takes all that has come. `into` must be empty; its room is left to the mailbox.
    pub fn take(&self, shard: ShardId, into: &mut Vec<Mail>) {
        if let Some(inbox) = self.inboxes.get(usize::from(shard.0)) {
            let mut mail = inbox.mail.lock();
            std::mem::swap(&mut *mail, into);
            inbox.live_bytes.store(0, Ordering::Relaxed);
        }
    }
}

impl Inbox {
    fn wake(&self) {
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }
}

impl EventSink for Post {
    fn deliver(&self, shard: ShardId, event: LogEvent) {
        self.send(shard, Mail::from(event));
    }
}
