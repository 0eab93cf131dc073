//! `POST …/seek`: where a reader of a stream goes on.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ReaderKind;
use crate::bounds::moment;
use crate::{ApiError, QueueEnd, Seek, SeekBody, Timestamp};

/// The body of a seek: who, and where to; one of each.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StreamSeekBody {
    /// The client of that id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
    /// The group of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// To the message of that offset; the oldest if that is gone, the next to come if it has not come yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// To the first message that was stored then or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = moment)]
    pub time: Option<Timestamp>,
    /// To one of the ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<QueueEnd>,
}

/// What a seek of a reader asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamSeek {
    /// What kind of reader.
    pub kind: ReaderKind,
    /// The client id, or the name of the group.
    pub name: String,
    /// Where it is to go on.
    pub to: Seek,
}

/// What a seek did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct StreamSeekResult {
    /// The offset at which the reader goes on.
    pub position: u64,
}

impl StreamSeekBody {
    /// What the client wants.
    ///
    /// # Errors
    /// Not one reader and one place; the field is named.
    pub fn seek(&self) -> Result<StreamSeek, ApiError> {
        let Self { reader, group, offset, time, to } = self;
        let (kind, name) = match (reader, group) {
            (Some(client), None) => (ReaderKind::Client, client.clone()),
            (None, Some(group)) => (ReaderKind::Group, group.clone()),
            (None, None) => {
                return Err(ApiError::invalid(
                    "reader",
                    "is missing; give one of reader and group",
                ));
            }
            (Some(_), Some(_)) => {
                let message = "cannot stand beside reader; give one of reader and group";
                return Err(ApiError::invalid("group", message));
            }
        };
        let to = SeekBody { offset: *offset, time: *time, to: *to }.seek()?;
        Ok(StreamSeek { kind, name, to })
    }
}
