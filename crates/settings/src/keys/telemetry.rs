//! Keys of traces.

use std::time::Duration;

use super::Section;
use crate::key::{Key, Slot};
use crate::settings::Settings;

/// The collector's base; `None` for none.
fn endpoint(text: &str) -> Result<Option<String>, String> {
    if text == "none" {
        return Ok(None);
    }
    let rest = text.strip_prefix("http://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    let is_legal = |character: char| character.is_ascii_graphic() && !"?#@".contains(character);
    if host.is_empty() || host.starts_with(':') || !rest.chars().all(is_legal) {
        return Err(format!(
            "'{text}' is no endpoint: write it as http://127.0.0.1:4318; https is for a collector beside the broker"
        ));
    }
    Ok(Some(text.to_owned()))
}

/// `name=value`, divided by commas, as OTEL_EXPORTER_OTLP_HEADERS has them.
fn headers(text: &str) -> Result<Vec<(String, String)>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let header = |item: &str| {
        let (name, value) = item.trim().split_once('=')?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_legal = !name.is_empty()
            && name.bytes().all(is_token)
            && value.chars().all(|character| character == ' ' || character.is_ascii_graphic());
        is_legal.then(|| (name.to_owned(), value.to_owned()))
    };
    let items = text.split(',').filter(|item| !item.trim().is_empty());
    // The value may be a secret: it is not said again.
    items.map(|item| header(item).ok_or_else(|| "a header is `name=value`".to_owned())).collect()
}

pub(super) const SECTION: Section<Settings> = Section {
    name: "telemetry.otlp",
    doc: "Traces of messages, sent to an OpenTelemetry collector by OTLP over HTTP.",
    keys: &[
        Key {
            name: "telemetry.otlp.endpoint",
            default: "none",
            doc: "The base URL of the collector, such as `http://127.0.0.1:4318`; spans go to `/v1/traces` below it. \
                  With `none` nothing is traced.",
            slot: Slot::Text {
                what: "URL or `none`",
                set: |settings, text| {
                    settings.otlp.endpoint = endpoint(text)?;
                    Ok(())
                },
            },
        },
        Key {
            name: "telemetry.otlp.sample_ratio",
            default: "0.0",
            doc: "The share of publishes without a `traceparent` that begin a trace, from `0.0` to `1.0`; one with a \
                  sampled `traceparent` is traced always.",
            slot: Slot::Ratio(|settings| &mut settings.otlp.sample_millionths),
        },
        Key {
            name: "telemetry.otlp.service_name",
            default: "weirmq",
            doc: "The `service.name` of the spans.",
            slot: Slot::Text {
                what: "text",
                set: |settings, text| {
                    if text.is_empty() {
                        return Err("a service name cannot be empty".to_owned());
                    }
                    settings.otlp.service_name = text.to_owned();
                    Ok(())
                },
            },
        },
        Key {
            name: "telemetry.otlp.headers",
            default: "none",
            doc: "HTTP headers of each request, such as `x-tenant=one,authorization=Bearer abc`.",
            slot: Slot::Text {
                what: "`name=value`, divided by commas, or `none`",
                set: |settings, text| {
                    settings.otlp.headers = headers(text)?;
                    Ok(())
                },
            },
        },
        Key {
            name: "telemetry.otlp.timeout",
            default: "10s",
            doc: "How long a request may take before its spans are given up.",
            slot: Slot::Span {
                min: Duration::from_millis(100),
                max: Duration::from_secs(300),
                at: |settings| &mut settings.otlp.timeout,
            },
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::millionths;

    #[test]
    fn endpoints_ratios_and_headers_are_checked() {
        assert_eq!(endpoint("none"), Ok(None));
        assert!(endpoint("http://[::1]:4318/base").is_ok_and(|of| of.is_some()));
        for wrong in
            ["", "127.0.0.1:4318", "https://a", "http://", "http://:1", "http://a b", "http://u@h"]
        {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
        for (text, ratio) in [("0", 0), ("0.0", 0), ("0.01", 10_000), ("1", 1_000_000)] {
            assert_eq!(millionths(text), Ok(ratio));
        }
        for wrong in ["", "-0.1", "1.1", "NaN", "10%"] {
            assert!(millionths(wrong).is_err(), "{wrong}");
        }
        let two = headers("a=1, authorization=Bearer x=y").expect("legal");
        assert_eq!(two[1], ("authorization".to_owned(), "Bearer x=y".to_owned()));
        assert_eq!(headers(""), Ok(Vec::new()));
        for wrong in ["a", "=b", "a b=c", "a=x\ny"] {
            assert!(headers(wrong).is_err(), "{wrong}");
        }
    }
}
