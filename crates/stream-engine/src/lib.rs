//! One stream as a pure machine: no clock, no randomness, no I/O, no threads.
//!
//! A stream keeps messages by offset until they are too old or too many, whoever reads them. [`Stream::handle`] is the one
//! way in, the [`Action`]s it asks for are the one way out, and [`Stream::next_deadline`] says when it wants an
//! [`Input::Tick`]. Same inputs, same actions. It must not know packets, files or clocks.
//!
//! ```text
//!  Append ──▶ 0 1 2 3 4 5 6 7 8 9 …              the oldest expire or are dropped; others are replaced or purged
//!                 ▲       ▲     ▲
//!   reader "a": position  │   cursor            between them: in flight, delayed, or settled already
//!   group "g":         position = cursor        several members, one position
//! ```
//! A *reader* ([`ReaderName`]) is a client, or a group of clients that share the messages; it has a position, which is
//! durable. A *member* ([`MemberId`]) is a subscription that reads for a reader, with a window of messages in flight. Each
//! message goes to every reader, and to one member of it.
//!
//! # Order
//! A client gets messages in the order of their offsets. One that it releases comes again after a back-off, before what it
//! was not yet given; meanwhile it takes a place in the window, so with a window of 1 the order is strict. A group gives
//! each message to the next member that has credit. If the stream keeps keys ([`StreamConfig::needs_keys`]), a group has at
//! most one message of a key unsettled, so the order of a key is kept, under retries too.
//!
//! # What the caller logs
//! | record | when | in a replay |
//! |---|---|---|
//! | the message, with the list of those that take it | before [`Input::Append`] | [`Stream::replay_append`], once each, in order |
//! | offsets that left, by [`Departure`] (its numbers are those of queues) | [`Action::Removed`], within 50 ms | [`Stream::replay_removed`] |
//! | a [`Report`] of a reader | [`Action::Position`] and [`Action::Settled`], within 50 ms | [`Stream::replay_report`] |
//! | reader name | [`Action::Forgotten`] | [`Stream::replay_forgotten`] |
//! | definition: name, filter, [`StreamConfig`] | before [`Input::Reconfigure`] | [`Stream::replay_reconfigure`] |
//!
//! A checkpoint has a [`Snapshot`]; what was said in actions before it must be logged before it. [`Stream::end_replay`] ends a
//! replay, and [`Input::Clock`] makes good what the log does not say yet. The bodies of [`Stream::stored`] are needed then.
//!
//! After a crash attempt 1 means that there was no delivery before, if reports say *beforehand* up to where a reader may be given
//! messages, and nothing beyond is delivered: see [`Stream::ask_for_permits`].
//!
//! # What the caller asks
//! [`Stream::would_fit`] before a message is stored. A subscription that is new gives [`Input::Attach`] the start that its
//! address or user property names; one that a durable session brings back, or that lost its connection, starts with
//! [`Start::Next`]. A SUBSCRIBE of what is subscribed already, with an offset, is [`Input::Seek`]. A delivery at QoS 0 is
//! settled when it is written.

mod action;
mod busy_keys;
mod config;
mod ids;
mod input;
pub mod invariants;
mod ledger;
mod progress;
mod reader;
mod readers;
mod runs;
mod snapshot;
mod stream;
mod window;

pub use action::Action;
pub use config::StreamConfig;
pub use ids::{MemberId, Place, ReaderId, ReaderName};
pub use input::{Input, InputError, NewMessage, Outcome, Scope, Start};
pub use ledger::{Departure, Ledger};
pub use message_index::{Key, Offset, StalePart, StoredAt};
pub use progress::{Outlook, Progress, Report};
pub use reader::{MemberState, ReaderStanding, ReaderWaits};
pub use runs::Runs;
pub use snapshot::{Snapshot, SnapshotError};
pub use stream::{Behind, Full, Losses, PACE_WINDOW, Peeked, ReaderState, Stream};
