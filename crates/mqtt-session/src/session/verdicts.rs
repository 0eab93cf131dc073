//! The answers of a session. It must not know how it comes to them.

use std::sync::Arc;

use mqtt_types::{PacketId, ReasonCode};
use stdx::UnixMillis;

use crate::delivery::{Delivery, Origin};
use crate::inbox::Gone;
use crate::will::Will;

/// What to do with an outgoing message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// Send it, at QoS 1 and 2 with this packet id.
    Send(Option<PacketId>),
    /// Queue it: the window is closed, others wait before it, or the client is away.
    Queue,
    /// Drop and count it.
    Drop(DropReason),
}

/// Why a message at QoS 0 is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DropReason {
    /// The client is away.
    Offline,
    /// The client reads too slowly.
    SlowConsumer,
}

/// A waiting message that may go out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingSend {
    /// Its packet id, at QoS 1 and 2.
    pub packet_id: Option<PacketId>,
    /// The message.
    pub delivery: Arc<Delivery>,
    /// Where it came from.
    pub origin: Origin,
}

/// The client answered for a message; a reason below 0x80 accepts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completed {
    /// Where the message came from.
    pub origin: Origin,
    /// What the client said.
    pub reason: ReasonCode,
}

/// What a PUBREC leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PubRecVerdict {
    /// Send PUBREL. `settled` is the outcome to report, once: nothing for a repeated PUBREC.
    SendPubRel {
        /// The outcome.
        settled: Option<Completed>,
    },
    /// The client has a message of the inbox: store that, then say [`received_stored`](crate::Inbox::received_stored)
    /// and send PUBREL.
    Store(Gone),
    /// That is being stored already: send nothing now.
    BeingStored,
    /// That could not be stored: try again, for the message of that number.
    StoreAgain(u64),
    /// The client refused the message: report it, send nothing. `[MQTT-4.4.0-2]`
    Completed(Completed),
}

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closing {
    /// By the client's DISCONNECT with reason 0x00: the will is deleted. `[MQTT-3.14.4-3]`
    Normal,
    /// In any other way, also by DISCONNECT 0x04 and by takeover: the will is published. `[MQTT-3.1.2-8]`
    WithWill,
}

/// What to do after a connection ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AfterDisconnect {
    /// What becomes of the will.
    pub will: WillVerdict,
    /// Whether the session ends now: unsubscribe and drop it.
    pub session_ends: bool,
}

/// What becomes of the will.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WillVerdict {
    /// There is none, or it was deleted.
    None,
    /// Publish it now.
    Publish(Box<Will>),
    /// Ask [`take_due_will`](crate::Session::take_due_will) at that time.
    At(UnixMillis),
}
