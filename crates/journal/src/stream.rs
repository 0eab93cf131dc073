//! What is known of a stream apart from its messages. It must not know records.

use key_expression::KeyExpression;
use stream_engine::StreamConfig;

use crate::queue::{Definition, Durability};

/// A stream's definition as everyone may see it.
pub type StreamDefinition = Definition<StreamProperties>;

/// The properties of a stream.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct StreamProperties {
    /// What its engine goes by. Whether a key expression was given is `keyed`.
    pub config: StreamConfig,
    /// What makes the keys of its messages, if it keeps keys.
    pub key_expression: KeyExpression,
    /// What an acknowledgement stands for.
    pub durability: Durability,
}
