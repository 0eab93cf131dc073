//! A bound on the sum of what clients can make the node keep: each taker is held to a share of what is left, so that the
//! first ones cannot take it all and a thousand of them cannot either. It must not know what is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use mqtt_types::Message;

/// One taker gets at most one part in so many of what is left. With `n` takers that want all they can get, each comes to
/// `max / (n + 8)`, and together they never come to `max`.
const SHARE: usize = 8;

/// Bytes that may be kept in all, and that are. A clone is another handle on the same budget.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max: usize,
    used: AtomicUsize,
}

impl Budget {
    /// A budget of that many bytes, all of them left.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Inner { max, used: AtomicUsize::new(0) }))
    }

    /// The most that may be kept.
    #[must_use]
    pub fn max(&self) -> usize {
        self.0.max
    }

    /// What is kept now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most that one taker may have now.
    #[must_use]
    #[inline]
    pub fn share(&self) -> usize {
        self.share_beside(0)
    }

    /// The same when so much more is kept than was noted.
    #[must_use]
    #[inline]
    pub fn share_beside(&self, more: usize) -> usize {
        self.0.max.saturating_sub(self.used().saturating_add(more)) / SHARE
    }

    /// Whether more is kept than may be: packets are taken whole, so that a little more can come together.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.used() > self.0.max
    }

    /// Notes that so much more is kept.
    pub fn charge(&self, bytes: usize) {
        self.0.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that so much of what was charged is not kept any more.
    pub fn release(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Notes that a taker has so much now, of whom `known` was noted before.
    pub fn note(&self, known: &mut usize, now: usize) {
        match now.checked_sub(*known) {
            Some(0) => {}
            Some(more) => self.charge(more),
            None => self.release(*known - now),
        }
        *known = now;
    }

    /// The message, charged until its last copy is gone: copies share their bytes.
    pub(crate) fn keep(&self, message: &Message) -> Message {
        let bytes = message.bytes().clone();
        self.charge(bytes.len());
        message.with_same_bytes(Bytes::from_owner(Kept { bytes, budget: self.clone() }))
    }
}

/// A message's bytes that a budget knows of.
struct Kept {
    bytes: Bytes,
    budget: Budget,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.budget.release(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use mqtt_types::{MessageHead, TopicName};

    use super::*;

    #[test]
    fn takers_share_what_there_is_and_never_take_all() {
        for takers in [1_usize, 10, 10_000] {
            let budget = Budget::new(1 << 28);
            let mut has = vec![0_usize; takers];
            for _ in 0..200 {
                for one in &mut has {
                    // A byte or a part of what it may have, as long as it may have more.
                    let more = budget.share().saturating_sub(*one).div_ceil(4);
                    let now = *one + more;
                    budget.note(one, now);
                }
            }
            assert!(!budget.is_over());
            let fair = budget.max() / (takers + SHARE);
            let most = has.iter().max().expect("one");
            assert!(*most >= fair / 2, "{takers}: {most} of {fair}");
        }
    }

    #[test]
    fn a_message_is_charged_once_until_its_last_copy_is_gone() {
        let budget = Budget::new(1000);
        let topic = TopicName::new("a/b").expect("legal");
        let message = Message::new(MessageHead::default(), topic, &[], &[7; 97]).expect("small");
        let kept = budget.keep(&message);
        let copy = kept.clone();
        assert_eq!((budget.used(), &copy), (100, &message));
        drop(kept);
        assert_eq!(budget.used(), 100);
        drop(copy);
        assert_eq!(budget.used(), 0);
    }
}
