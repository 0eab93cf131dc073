//! Numbers that a shard counts and anyone may read.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A shard's own counts: plain numbers, published once a turn.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The counts as other threads see them.
        #[derive(Default)]
        pub(crate) struct PublishedCounts {
            $($name: AtomicU64,)*
        }

        impl PublishedCounts {
            pub(crate) fn publish(&self, counts: &Counts) {
                $(self.$name.store(counts.$name, Ordering::Relaxed);)*
            }

            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }

        impl std::ops::AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counters! {
    /// Connections that are past CONNECT.
    connections,
    /// Sessions, connected or not.
    sessions,
    /// Connections accepted since the start.
    connects_total,
    /// Clients let in without saying who they are.
    sign_ins_anonymous_total,
    /// Clients signed in, and signed in again.
    sign_ins_accepted_total,
    /// Clients refused for what they brought: password, proof, method.
    sign_ins_wrong_total,
    /// Clients refused for who they are: anonymous, or not the session's owner.
    sign_ins_not_allowed_total,
    /// Clients refused because too many waited, or that took too long.
    sign_ins_busy_total,
    /// Clients refused because too many from their address had failed.
    sign_ins_limited_total,
    /// Bytes of packets taken.
    bytes_received_total,
    /// Bytes of packets written.
    bytes_sent_total,
    /// PUBLISH packets taken.
    publishes_received_total,
    /// PUBLISH packets sent.
    publishes_sent_total,
    /// Live messages dropped: a slow reader at QoS 0, a full session, an expired message.
    live_dropped_total,
    /// Messages refused to their publisher because they could not be stored.
    publishes_refused_total,
    /// QoS 0 messages that a queue should have taken but the log could not store.
    unstored_qos0_total,
    /// Connections ended for a malformed packet or a protocol error.
    protocol_errors_total,
    /// Messages that waited in sessions and were dropped for room.
    session_overflow_total,
    /// Messages of shared subscriptions that went from one member to another.
    shared_handed_over_total,
    /// Messages of queues and streams whose bodies were written anew, so that a segment of the log could go.
    relocated_total,
    /// Messages of shared subscriptions dropped because no member was left.
    shared_dropped_total,
    /// Messages that a subscriber refused with a reason code of 0x80 or above, and nobody else gets.
    negative_acks_total,
    /// Messages that are to be published later.
    delayed_messages,
    /// The bytes of those.
    delayed_bytes,
    /// Sessions that outlive their connections.
    durable_sessions,
    /// Clients refused for the length of their client id.
    connects_client_id_total,
    /// Clients refused for their will: too large, or all wills take as much as they may.
    connects_will_total,
    /// Clients refused because there are as many sessions as may be.
    connects_sessions_total,
    /// Clients refused because more waits for others than may.
    connects_memory_total,
    /// Clients refused for what else their CONNECT asks.
    connects_other_total,
    /// Subscriptions refused for their number, of one session or of all.
    subscriptions_over_quota_total,
    /// Subscriptions refused for their filter: malformed, too deep, too long, bound elsewhere.
    subscriptions_invalid_total,
    /// Subscriptions refused for another reason.
    subscriptions_refused_total,
    /// Connections ended because the client was silent for too long.
    ended_keep_alive_total,
    /// Connections ended because another one took the session over.
    ended_taken_over_total,
    /// Connections ended because there was no room for what the client sent.
    ended_quota_total,
    /// Connections ended because the client did not read.
    ended_slow_total,
    /// Connections ended by the broker for any other reason.
    ended_other_total,
    /// Messages refused because a queue that takes them is full.
    publishes_queue_full_total,
    /// Messages without what their key expression asks for.
    keys_missing_total,
    /// Messages whose key expression asks for JSON, which they are not.
    keys_not_json_total,
    /// Messages whose key expression leads to an object or an array.
    keys_not_scalar_total,
    /// Messages whose key would be too long.
    keys_too_long_total,
    /// Retained messages not kept because there are as many as may be.
    retained_refused_total,
}
