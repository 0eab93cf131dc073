//! What can be asked, and what makes no question.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::SinkWord;
use crate::bounds::number;
use crate::{ApiError, Timestamp};

/// The query of `GET /api/v1/explain`. Texts, so that a wrong value is refused with the field named.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// What would a publish to this topic come to?
    #[param(min_length = 1)]
    pub topic: Option<String>,
    /// With `topic`: published by this client. Alone: what does this client have?
    #[param(min_length = 1)]
    pub client_id: Option<String>,
    /// Why does this queue deliver, or not? With `topic`: only what this queue would do.
    #[param(min_length = 1)]
    pub queue: Option<String>,
    /// The same of a stream; not beside `queue`.
    #[param(min_length = 1)]
    pub stream: Option<String>,
    /// With `queue` or `stream`: where does this message stand, and why? Not beside `topic`.
    #[param(value_type = Option<u64>)]
    pub offset: Option<String>,
    /// Only alarms that were raised then or later; of a queue or a stream also the first message that was stored since.
    #[param(value_type = Option<Timestamp>)]
    pub since: Option<String>,
}

/// The question, as it was understood.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ExplainQuestion {
    /// The topic of a publish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// From when on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// The name of a queue or a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SinkName {
    /// Which it is.
    pub kind: SinkWord,
    /// Its name.
    pub name: String,
}

/// What is asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExplainAbout {
    /// A publish that would come now.
    Publish {
        /// Where to.
        topic: String,
        /// Who would publish.
        client_id: Option<String>,
        /// What only that queue or stream would do.
        only: Option<SinkName>,
    },
    /// A queue or a stream, and one of its messages if there is an offset.
    Source(SinkName, Option<u64>),
    /// A client.
    Client(String),
}

/// A question that makes sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExplainRequest {
    /// What it is about.
    pub about: ExplainAbout,
    /// From when on.
    pub since: Option<Timestamp>,
}

impl ExplainQuery {
    /// What the client wants to know.
    ///
    /// # Errors
    /// A value that cannot be, or values that make no question together; the field is named.
    pub fn request(self) -> Result<ExplainRequest, ApiError> {
        let Self { topic, client_id, queue, stream, offset, since } = self;
        for (field, value) in
            [("topic", &topic), ("client_id", &client_id), ("queue", &queue), ("stream", &stream)]
        {
            if value.as_ref().is_some_and(String::is_empty) {
                return Err(ApiError::invalid(field, "is empty"));
            }
        }
        let since = since.as_deref().map(time).transpose()?;
        let offset = offset.as_deref().map(|text| number("offset", text)).transpose()?;
        let sink = sink(queue, stream)?;
        let about = match (topic, sink, client_id) {
            (Some(_), _, _) if offset.is_some() => {
                let message = "cannot stand beside topic: a topic asks what would happen to a message that has no place yet";
                return Err(ApiError::invalid("offset", message));
            }
            (Some(topic), only, client_id) => ExplainAbout::Publish { topic, client_id, only },
            (None, Some(sink), None) => ExplainAbout::Source(sink, offset),
            (None, Some(_), Some(_)) => {
                let message =
                    "stands beside topic or alone; the consumers of a queue are in its answer";
                return Err(ApiError::invalid("client_id", message));
            }
            (None, None, _) if offset.is_some() => {
                return Err(ApiError::invalid("offset", "wants queue or stream beside it"));
            }
            (None, None, Some(client_id)) => ExplainAbout::Client(client_id),
            (None, None, None) => {
                let message = "is missing; give topic, queue, stream or client_id";
                return Err(ApiError::invalid("topic", message));
            }
        };
        Ok(ExplainRequest { about, since })
    }
}

impl ExplainRequest {
    /// The question as the answer repeats it.
    #[must_use]
    pub fn question(&self) -> ExplainQuestion {
        let mut question = ExplainQuestion { since: self.since, ..ExplainQuestion::default() };
        let sink = match &self.about {
            ExplainAbout::Publish { topic, client_id, only } => {
                (question.topic, question.client_id) = (Some(topic.clone()), client_id.clone());
                only.as_ref()
            }
            ExplainAbout::Source(sink, offset) => {
                question.offset = *offset;
                Some(sink)
            }
            ExplainAbout::Client(client_id) => {
                question.client_id = Some(client_id.clone());
                None
            }
        };
        match sink {
            Some(SinkName { kind: SinkWord::Queue, name }) => question.queue = Some(name.clone()),
            Some(SinkName { kind: SinkWord::Stream, name }) => question.stream = Some(name.clone()),
            None => {}
        }
        question
    }
}

fn sink(queue: Option<String>, stream: Option<String>) -> Result<Option<SinkName>, ApiError> {
    match (queue, stream) {
        (Some(_), Some(_)) => {
            Err(ApiError::invalid("stream", "cannot stand beside queue; give one of them"))
        }
        (Some(name), None) => Ok(Some(SinkName { kind: SinkWord::Queue, name })),
        (None, Some(name)) => Ok(Some(SinkName { kind: SinkWord::Stream, name })),
        (None, None) => Ok(None),
    }
}

/// RFC 3339, or milliseconds since 1970.
fn time(text: &str) -> Result<Timestamp, ApiError> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return number("since", text).map(|ms| Timestamp(stdx::UnixMillis(ms)));
    }
    text.parse().map_err(|error| {
        ApiError::invalid("since", format!("'{text}' is no time: {error}; write RFC 3339"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `topic=a&offset=1` and so on.
    fn query(text: &str) -> ExplainQuery {
        let mut query = ExplainQuery::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').expect("a name and a value");
            let place = match name {
                "topic" => &mut query.topic,
                "client_id" => &mut query.client_id,
                "queue" => &mut query.queue,
                "stream" => &mut query.stream,
                "offset" => &mut query.offset,
                "since" => &mut query.since,
                other => panic!("unknown {other}"),
            };
            *place = Some(value.to_owned());
        }
        query
    }

    #[test]
    fn a_question_is_repeated_as_it_was_understood() {
        for text in [
            r#"topic=a/b => {"topic":"a/b"}"#,
            r#"topic=a/b&client_id=c&queue=q => {"topic":"a/b","client_id":"c","queue":"q"}"#,
            r#"topic=a/b&stream=s => {"topic":"a/b","stream":"s"}"#,
            r#"queue=q => {"queue":"q"}"#,
            r#"queue=a/+&offset=7 => {"queue":"a/+","offset":7}"#,
            r#"stream=s&offset=0&since=1795516620500 => {"stream":"s","offset":0,"since":"2026-11-24T10:37:00.500Z"}"#,
            r#"client_id=c&since=2026-11-24T11:37:00.5+01:00 => {"client_id":"c","since":"2026-11-24T10:37:00.500Z"}"#,
        ] {
            let (asked, expected) = text.split_once(" => ").expect("an arrow");
            let question = query(asked).request().expect(asked).question();
            assert_eq!(serde_json::to_string(&question).expect("JSON"), expected, "{asked}");
        }
    }

    #[test]
    fn what_makes_no_question_is_refused_with_the_field_named() {
        for (asked, field) in [
            ("", "topic"),
            ("since=0", "topic"),
            ("topic=", "topic"),
            ("topic=a&offset=1", "offset"),
            ("topic=a&queue=q&offset=1", "offset"),
            ("queue=q&stream=s", "stream"),
            ("queue=q&client_id=c", "client_id"),
            ("offset=1", "offset"),
            ("client_id=c&offset=1", "offset"),
            ("queue=q&offset=-1", "offset"),
            ("queue=q&offset=", "offset"),
            ("queue=q&since=soon", "since"),
            ("queue=&offset=1", "queue"),
            ("client_id=", "client_id"),
        ] {
            let error = query(asked).request().expect_err(asked);
            assert_eq!(error.body().details.field.as_deref(), Some(field), "{asked}: {error}");
        }
    }
}
