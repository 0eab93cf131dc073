//! What a network connection is ([`Connection`]) and what survives it ([`Session`]), as pure state machines of
//! MQTT 3.1, 3.1.1 and 5.0. It must not know the router, queues, storage, sockets or a clock.

mod acknowledgements;
mod aliases;
mod connection;
mod delivery;
mod image;
mod in_flight;
mod inbox;
mod incoming;
pub mod invariants;
mod limits;
mod negotiate;
mod packet_id_set;
mod pending;
mod session;
mod subscriptions;
mod unwritten;
pub mod version;
mod will;

pub use acknowledgements::{AckTicket, ReadyAck};
pub use aliases::OutgoingAlias;
pub use connection::Connection;
pub use delivery::{Delivery, Origin, OutgoingFlags, Released, Taken};
pub use image::SessionImage;
pub use in_flight::Resend;
pub use inbox::{Gone, Inbox, InboxEntryImage, InboxImage, Kept, KeptPlace, NextKept};
pub use incoming::Incoming2;
pub use limits::{Room, ServerLimits};
pub use negotiate::{ConnectRefusal, ConnectRequest, Negotiated, WillRequest, negotiate};
pub use pending::{Overflow, PendingDelivery};
pub use session::{
    Admission, AfterDisconnect, Closing, Completed, DropReason, PendingSend, PubRecVerdict,
    Session, WillVerdict,
};
pub use subscriptions::{RetainHandling, SubscriptionRecord};
pub use will::Will;
