//! The alarm resource.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// Something that an operator should do something about now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlarmView {
    /// What it is, such as `disk_full`.
    pub name: String,
    /// What it is about: a client id, a listener, a queue.
    pub resource: String,
    /// Since when it stands.
    pub since: Timestamp,
    /// Why, and what to do.
    pub reason: String,
}
