//! An inbox as plain data, for a store to keep. It must not know how it is stored.

use super::entry::{Entry, State};
use super::identifiers::Identifiers;
use super::line::Line;
use super::{Inbox, Kept};

/// What [`Inbox::image`] gives and [`Inbox::from_image`] takes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InboxImage {
    /// The number of the first entry.
    pub first: u64,
    /// The messages, in order of their numbers.
    pub entries: Vec<InboxEntryImage>,
    /// The combinations of Subscription Identifiers that they come with, see [`Kept::set`].
    pub identifiers: Vec<Box<[u32]>>,
    /// Messages below that number may have been sent, whatever the entries say.
    pub unsure_to: u64,
}

/// One message of an inbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InboxEntryImage {
    /// It is still to be delivered.
    Kept {
        /// The message.
        kept: Kept,
        /// Whether it may have been sent.
        was_sent: bool,
    },
    /// The client has it, at QoS 2; PUBREL is to be sent again, in the order of these numbers. `[MQTT-4.6.0-4]`
    Received(u64),
    /// So many have left.
    Gone(u64),
}

impl Inbox {
    /// What is to be stored of it. What the client has and is being stored counts as stored: its record follows.
    #[must_use]
    pub fn image(&self) -> InboxImage {
        let image = |sequence: u64, entry: &Entry| match entry.state {
            // Who has it on loan is not there after a restart.
            State::Waiting | State::Sent | State::Lent => InboxEntryImage::Kept {
                kept: self.kept(sequence, entry),
                was_sent: entry.was_sent(),
            },
            State::Receiving | State::Unstored | State::Received => {
                InboxEntryImage::Received(entry.at)
            }
            State::Given | State::Gone => InboxEntryImage::Gone(1),
        };
        let mut entries = Vec::with_capacity(self.line.places());
        let mut sequence = self.line.oldest();
        for (gone, entry) in self.line.with_gaps() {
            entries.extend((gone > 0).then_some(InboxEntryImage::Gone(gone)));
            sequence += gone;
            entries.extend(entry.map(|entry| image(sequence, entry)));
            sequence += 1;
        }
        let first = self.line.oldest();
        let unsure_to = if self.unsure_to > first { self.unsure_to } else { 0 };
        let identifiers = self.sets.as_ref().map(|sets| sets.all().to_vec()).unwrap_or_default();
        InboxImage { first, entries, identifiers, unsure_to }
    }

    /// The inbox of an image, with nobody connected.
    #[must_use]
    pub fn from_image(image: &InboxImage) -> Self {
        let (line, unsure_to) = (Line::starting_at(image.first), image.unsure_to);
        let sets =
            (!image.identifiers.is_empty()).then(|| Box::new(Identifiers::of(&image.identifiers)));
        let mut inbox = Self { line, unsure_to, sets, ..Self::default() };
        for one in &image.entries {
            let entry = match *one {
                InboxEntryImage::Kept { mut kept, was_sent } => {
                    kept.set = kept.set.filter(|set| !inbox.identifiers(*set).is_empty());
                    inbox.messages += 1;
                    inbox.bytes += u64::from(kept.size);
                    let sequence = inbox.line.end();
                    let identifier = kept.identifier.filter(|_| kept.is_held);
                    inbox.identifiers.extend(identifier.map(|identifier| (sequence, identifier)));
                    let mut entry = Entry::new(kept);
                    if was_sent {
                        entry.set_sent();
                    }
                    entry
                }
                InboxEntryImage::Received(place) => {
                    inbox.pubrecs = inbox.pubrecs.max(place.saturating_add(1));
                    Entry::received(place)
                }
                InboxEntryImage::Gone(count) => {
                    inbox.line.skip(count);
                    continue;
                }
            };
            inbox.line.push(entry);
        }
        inbox.next = inbox.line.oldest();
        inbox
    }
}
