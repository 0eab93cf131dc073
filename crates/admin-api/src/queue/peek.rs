//! `GET …/messages`: which messages to look at. Looking changes nothing.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::bounds::number;
use crate::{ApiError, PageRequest};

/// Where a message stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// It waits for a consumer.
    Ready,
    /// A consumer has it, unsettled.
    InFlight,
    /// It waits for its time.
    Delayed,
    /// It was settled and is kept for a while.
    Settled,
}

/// The query of a peek. Texts, so that a wrong value is refused with the field named.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PeekQuery {
    /// The first offset to look at; 0 if not given.
    #[param(value_type = Option<u64>)]
    pub offset: Option<String>,
    /// The `next` of the page before, instead of an offset.
    #[param(value_type = Option<u64>)]
    pub cursor: Option<String>,
    /// How many at most; 100 if not given.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1_000)]
    pub limit: Option<String>,
    /// Only messages that stand so.
    #[param(value_type = Option<MessageState>)]
    pub state: Option<String>,
}

/// What a peek asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeekRequest {
    /// The first offset to look at.
    pub offset: u64,
    /// How many at most.
    pub limit: usize,
    /// Only messages that stand so.
    pub state: Option<MessageState>,
}

impl MessageState {
    const ALL: [(&str, Self); 4] = [
        ("ready", Self::Ready),
        ("in_flight", Self::InFlight),
        ("delayed", Self::Delayed),
        ("settled", Self::Settled),
    ];
}

impl PeekQuery {
    /// What the client wants.
    ///
    /// # Errors
    /// A value that cannot be; the field is named.
    pub fn request(&self) -> Result<PeekRequest, ApiError> {
        let Self { offset, cursor, limit, state } = self;
        let (offset, limit) = part(offset.as_deref(), cursor.as_deref(), limit.as_deref())?;
        let state = state.as_deref().map(state_of).transpose()?;
        Ok(PeekRequest { offset, limit, state })
    }
}

/// From which offset on, and how many at most.
pub(crate) fn part(
    offset: Option<&str>,
    cursor: Option<&str>,
    limit: Option<&str>,
) -> Result<(u64, usize), ApiError> {
    // The first page has none before.
    let offset = match (offset, cursor.filter(|text| !text.is_empty())) {
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("cursor", "cannot stand beside offset"));
        }
        (Some(text), None) => number("offset", text)?,
        (None, Some(text)) => number("cursor", text)?,
        (None, None) => 0,
    };
    let limit = limit.map(|text| number("limit", text)).transpose()?;
    let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    Ok((offset, PageRequest { limit, after: None }.limit()?))
}

fn state_of(text: &str) -> Result<MessageState, ApiError> {
    let found = MessageState::ALL.iter().find(|(name, _)| *name == text).map(|(_, state)| *state);
    found.ok_or_else(|| {
        let message = format!("'{text}' is none of ready, in_flight, delayed and settled");
        ApiError::invalid("state", message)
    })
}
