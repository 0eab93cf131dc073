//! `POST …/seek`: where a queue goes on.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bounds::{NUMBER_MAX, moment};
use crate::{ApiError, Timestamp};

/// The body of a seek: one of the three.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SeekBody {
    /// To the message of that offset.
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

/// An end of a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueEnd {
    /// The oldest message that is still here, or settled and kept.
    Earliest,
    /// Behind the newest message: nothing waits then.
    Latest,
}

/// Where a queue is to go on. Forward, what is passed over counts as purged; back, what was settled and is still kept
/// becomes ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seek {
    /// At that offset.
    Offset(u64),
    /// At the first message that was stored then or later.
    Time(Timestamp),
    /// At an end.
    End(QueueEnd),
}

/// What a seek did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SeekResult {
    /// The offset at which the queue goes on.
    pub offset: u64,
    /// Messages that were passed over.
    pub purged: u64,
    /// Messages that were settled and are ready again.
    pub restored: u64,
}

impl SeekBody {
    /// What the client wants.
    ///
    /// # Errors
    /// Nothing is given, or more than one thing; the field is named.
    pub fn seek(&self) -> Result<Seek, ApiError> {
        if self.offset.is_some_and(|offset| offset > NUMBER_MAX) {
            return Err(ApiError::invalid("offset", format!("must be up to {NUMBER_MAX}")));
        }
        if self.time.is_some_and(|time| time.0.0 > NUMBER_MAX) {
            return Err(ApiError::invalid("time", format!("must be up to {NUMBER_MAX}")));
        }
        let given = [
            self.offset.map(|offset| ("offset", Seek::Offset(offset))),
            self.time.map(|time| ("time", Seek::Time(time))),
            self.to.map(|end| ("to", Seek::End(end))),
        ];
        let mut given = given.into_iter().flatten();
        let Some((first, seek)) = given.next() else {
            return Err(ApiError::invalid("offset", "is missing; give one of offset, time and to"));
        };
        match given.next() {
            Some((second, _)) => {
                let message =
                    format!("cannot stand beside {first}; give one of offset, time and to");
                Err(ApiError::invalid(second, message))
            }
            None => Ok(seek),
        }
    }
}
