//! `property=value` on the command line, and the JSON it becomes.

use std::str::FromStr;

use serde_json::{Map, Value};

/// Properties whose value is a text, whatever it looks like.
const TEXTS: &[&str] = &["dead_letter", "key_expression", "topic_filter", "name"];

/// Properties that can have no value, which the configuration and the guide call `none`.
const OPTIONAL: &[&str] = &["max_messages", "max_bytes", "dedup_window", "key_expression"];

/// One property with its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    name: String,
    value: Value,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("is not of the form property=value")?;
        if name.is_empty() {
            return Err("has no property before the '='".to_owned());
        }
        let literal = match serde_json::from_str(value) {
            Ok(literal @ (Value::Null | Value::Bool(_) | Value::Number(_))) => Some(literal),
            _ if value == "none" && OPTIONAL.contains(&name) => Some(Value::Null),
            _ => None,
        };
        let value = match literal {
            Some(literal) if literal.is_null() || !TEXTS.contains(&name) => literal,
            _ => Value::from(value),
        };
        Ok(Self { name: name.to_owned(), value })
    }
}

/// The object with all of them; the last of a name wins.
pub fn object(assignments: &[Assignment]) -> Map<String, Value> {
    assignments.iter().map(|Assignment { name, value }| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_the_json_they_look_like() {
        for (text, name, value) in [
            ("max_inflight=5", "max_inflight", json!(5)),
            ("paused=true", "paused", json!(true)),
            ("max_messages=null", "max_messages", json!(null)),
            ("max_messages=none", "max_messages", json!(null)),
            ("max_bytes=none", "max_bytes", json!(null)),
            ("dedup_window=none", "dedup_window", json!(null)),
            ("dead_letter=none", "dead_letter", json!("none")),
            ("key_expression=none", "key_expression", json!(null)),
            ("ack_timeout=5m", "ack_timeout", json!("5m")),
            ("dead_letter=5", "dead_letter", json!("5")),
            ("topic_filter=null", "topic_filter", json!(null)),
            (
                "key_expression=concat(\"a=\", topic)",
                "key_expression",
                json!("concat(\"a=\", topic)"),
            ),
            ("x=[1]", "x", json!("[1]")),
        ] {
            let expected = Assignment { name: name.to_owned(), value };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["paused", "=5", ""] {
            assert!(text.parse::<Assignment>().is_err(), "{text}");
        }
    }
}
