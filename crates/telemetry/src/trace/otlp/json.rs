//! Spans as OTLP's JSON: ids in hexadecimal, 64-bit numbers as texts.

use serde_json::{Value as Json, json};

use super::OtlpConfig;
use crate::trace::span::{Span, Value};

/// The body of one request.
pub(super) fn request(config: &OtlpConfig, spans: &[Span]) -> Json {
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            attribute("service.name", &Value::Text(config.service_name.clone())),
            attribute("service.version", &Value::from(config.version)),
        ]},
        "scopeSpans": [{
            "scope": {"name": "weirmq", "version": config.version},
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}

fn span(span: &Span) -> Json {
    let nanoseconds = |ms: u64| (u128::from(ms) * 1_000_000).to_string();
    let attributes = span.attributes.iter().map(|(key, value)| attribute(key, value));
    let mut object = json!({
        "traceId": format!("{:032x}", span.context.trace),
        "spanId": span.context.span.to_string(),
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": nanoseconds(span.start_ms),
        "endTimeUnixNano": nanoseconds(span.end_ms),
        "attributes": attributes.collect::<Vec<_>>(),
    });
    if let Some(parent) = span.parent {
        object["parentSpanId"] = json!(parent.to_string());
    }
    if let Some(error) = span.error {
        object["status"] = json!({"code": 2, "message": error});
    }
    object
}

fn attribute(key: &str, value: &Value) -> Json {
    let text = |text: &String| json!({"stringValue": text});
    let value = match value {
        Value::Text(of) => text(of),
        Value::Number(number) => json!({"intValue": number.to_string()}),
        Value::Texts(texts) => {
            json!({"arrayValue": {"values": texts.iter().map(text).collect::<Vec<_>>()}})
        }
    };
    json!({"key": key, "value": value})
}
