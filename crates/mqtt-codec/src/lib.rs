//! Bytes on the wire to packets and back, for MQTT 3.1, 3.1.1 and 5.0. It must not know sessions or sockets.
//!
//! Decoding borrows from the caller's buffer and is one pass: what [`decode`] returns is checked, so nobody checks
//! again. Encoding appends to a `Vec<u8>`; the property block of a message passes through as it came.
//!
//! ```
//! use mqtt_codec::{Limits, Packet, decode};
//! use mqtt_types::ProtocolVersion;
//!
//! let received = b"\x30\x08\x00\x03a/bhey\xC0";
//! let limits = Limits::default();
//! let (packet, len) = decode(received, ProtocolVersion::V3_1_1, &limits)?.expect("whole");
//! assert!(matches!(packet, Packet::Publish(publish) if publish.payload == b"hey"));
//! // What is left is half a PINGREQ: more must come.
//! assert_eq!(decode(&received[len..], ProtocolVersion::V3_1_1, &limits)?, None);
//! # Ok::<(), mqtt_codec::DecodeError>(())
//! ```

mod ack;
mod connack;
mod connect;
mod decode;
mod disconnect;
mod encode;
mod error;
mod forwardable;
mod frame;
mod limits;
mod outgoing;
mod packet;
mod packet_type;
mod properties;
mod property;
mod property_block;
mod property_owner;
mod publish;
mod publish_properties;
mod reader;
mod suback;
mod subscribe;
mod subscribe_filters;
mod template;
mod unsubscribe;
mod varint;
mod writer;

pub use ack::{Ack, AckKind, encode_ack};
pub use connack::{ConnAck, ConnAckProperties, connect_return_code};
pub use connect::{Connect, ConnectProperties, Will, WillProperties};
pub use decode::decode;
pub use disconnect::{Auth, Disconnect};
pub use encode::encode;
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use forwardable::Forwardable;
pub use frame::{FrameStatus, frame};
pub use limits::{Limits, Peer};
pub use outgoing::{EncodedPublish, OutgoingPublish, encode_publish, encoded_publish_len};
pub use packet::Packet;
pub use packet_type::PacketType;
pub use properties::{Properties, PropertyIter};
pub use property_block::PropertyBlock;
pub use property_owner::PropertyOwner;
pub use publish::Publish;
pub use publish_properties::PublishProperties;
pub use suback::{SubAck, UnsubAck};
pub use subscribe::Subscribe;
pub use subscribe_filters::{
    RetainHandling, SubscribeFilters, SubscribeFiltersIter, SubscribeOptions,
};
pub use template::PublishTemplate;
pub use unsubscribe::{Unsubscribe, UnsubscribeFilters, UnsubscribeFiltersIter};
