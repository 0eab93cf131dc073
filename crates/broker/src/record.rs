//! What the bodies of the broker's log records mean: layouts, versions, readers. The log itself does not know.

mod codec;
mod definition;
mod publish;
mod settle;

pub(crate) use definition::{DefinitionRecord, decode_deleted, encode_deleted};
pub(crate) use publish::PublishRecord;
pub(crate) use settle::{Left, SettleRecord, ranges};

pub use codec::RecordError;
