//! Messages that an operator publishes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ApiError;

/// Messages of one request at most.
pub const MESSAGES_MAX: usize = 1_000;

/// A message to publish: the body of `POST /api/v1/publish`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageSpec {
    /// Where to publish it.
    pub topic: String,
    /// What it says, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// What it says, as any bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// The QoS to publish it with.
    #[serde(default)]
    pub qos: u8,
    /// Whether it is to be the topic's retained message.
    #[serde(default)]
    pub retain: bool,
    /// Its properties.
    #[serde(default)]
    pub properties: MessageProperties,
}

/// The properties of a message.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MessageProperties {
    /// 1 when the payload is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_format_indicator: Option<u8>,
    /// Seconds after which it is not delivered any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_expiry_interval: Option<u32>,
    /// What the payload is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Where to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_topic: Option<String>,
    /// What an answer is to bear, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_data: Option<String>,
    /// Names and values of the publisher's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_properties: Vec<(String, String)>,
}

/// Messages to publish in their order: the body of `POST /api/v1/publish/bulk`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkSpec {
    /// The messages.
    pub messages: Vec<MessageSpec>,
}

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PublishOutcome {
    /// The reason code that a publisher at QoS 1 would get.
    pub reason_code: u8,
    /// The same in words.
    pub reason: String,
    /// The field of the message that is wrong, when it is: it would be refused again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What became of several.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BulkOutcome {
    /// An outcome for each, in their order.
    pub data: Vec<PublishOutcome>,
}

impl PublishOutcome {
    /// The error that it is, if the message was refused.
    #[must_use]
    pub fn refusal(&self) -> Option<ApiError> {
        const RETRY_AFTER: Duration = Duration::from_secs(5);
        match (self.reason_code, &self.field) {
            (0..0x80, _) => None,
            (_, Some(field)) => Some(ApiError::invalid(field.clone(), self.reason.clone())),
            (0x90, None) => Some(ApiError::invalid("topic", "is an address of the broker's own")),
            _ => Some(ApiError::Unavailable {
                message: self.reason.clone(),
                retry_after: RETRY_AFTER,
            }),
        }
    }
}

impl MessageSpec {
    /// The payload's bytes.
    ///
    /// # Errors
    /// It is given twice, or is not base64.
    pub fn payload_bytes(&self) -> Result<Vec<u8>, ApiError> {
        match (&self.payload, &self.payload_base64) {
            (Some(_), Some(_)) => Err(ApiError::invalid(
                "payload_base64",
                "cannot be given beside payload; give one of them",
            )),
            (Some(text), None) => Ok(text.clone().into_bytes()),
            (None, Some(text)) => bytes_of("payload_base64", text),
            (None, None) => Ok(Vec::new()),
        }
    }
}

impl MessageProperties {
    /// The bytes of the correlation data.
    ///
    /// # Errors
    /// It is not base64.
    pub fn correlation_bytes(&self) -> Result<Option<Vec<u8>>, ApiError> {
        let field = "properties.correlation_data";
        self.correlation_data.as_deref().map(|text| bytes_of(field, text)).transpose()
    }

    /// Gives it that correlation data.
    pub fn set_correlation_bytes(&mut self, data: &[u8]) {
        self.correlation_data = Some(STANDARD.encode(data));
    }
}

fn bytes_of(field: &str, text: &str) -> Result<Vec<u8>, ApiError> {
    STANDARD
        .decode(text)
        .map_err(|error| ApiError::invalid(field, format!("is not base64: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_text_or_base64_or_nothing() {
        let spec = |payload: Option<&str>, payload_base64: Option<&str>| MessageSpec {
            payload: payload.map(str::to_owned),
            payload_base64: payload_base64.map(str::to_owned),
            ..MessageSpec::default()
        };
        assert_eq!(spec(None, None).payload_bytes(), Ok(vec![]));
        assert_eq!(spec(Some("hé"), None).payload_bytes(), Ok("hé".as_bytes().to_vec()));
        assert_eq!(spec(None, Some("AP8=")).payload_bytes(), Ok(vec![0, 255]));
        for wrong in [spec(Some("a"), Some("AP8=")), spec(None, Some("AP8")), spec(None, Some("?"))]
        {
            let error = wrong.payload_bytes().expect_err("refused");
            assert_eq!(error.body().details.field.as_deref(), Some("payload_base64"));
        }
    }
}
