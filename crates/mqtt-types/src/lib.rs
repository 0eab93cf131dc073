//! The words of MQTT as types that cannot be wrong. It must not know bytes on the wire.

mod address;
mod filter;
mod message;
mod packet_id;
mod property;
mod qos;
mod reason_code;
mod topic;
mod version;

pub use address::{Address, AddressError, QueueName, StreamOffset};
pub use filter::{FilterError, TopicFilter};
pub use message::{Message, MessageHead};
pub use packet_id::PacketId;
pub use property::{Property, PropertyId};
pub use qos::QoS;
pub use reason_code::ReasonCode;
pub use topic::{TopicError, TopicName};
pub use version::ProtocolVersion;
