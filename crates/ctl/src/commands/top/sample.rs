//! The numbers of `/metrics`, taken apart. It must not know what they mean.

use std::collections::{BTreeMap, HashMap};

/// The numbers of one thing, by the name of the metric behind what all of its kind begin with.
pub type Numbers = HashMap<String, f64>;

/// What a broker's metrics were at one moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sample {
    /// The broker's version.
    pub version: String,
    /// Those of the node, by the name of the metric behind `weir_`.
    pub node: Numbers,
    /// Those of each queue, behind `weir_queue_`.
    pub queues: BTreeMap<String, Numbers>,
    /// Those of each stream, behind `weir_stream_`.
    pub streams: BTreeMap<String, Numbers>,
}

impl Sample {
    /// Reads a page; what is not understood is passed over.
    pub fn read(page: &str) -> Self {
        let mut sample = Self::default();
        for line in page.lines() {
            if let Some((name, label, value)) = parse(line) {
                sample.add(name, label, value);
            }
        }
        sample
    }

    fn add(&mut self, name: &str, label: Option<Label<'_>>, value: f64) {
        let Some(name) = name.strip_prefix("weir_") else { return };
        let (things, name, of) = match label {
            None => {
                self.node.insert(name.to_owned(), value);
                return;
            }
            Some(("version", version)) => return self.version = version,
            Some(("queue", of)) => (&mut self.queues, name.strip_prefix("queue_"), of),
            Some(("stream", of)) => (&mut self.streams, name.strip_prefix("stream_"), of),
            Some(_) => return,
        };
        if let Some(name) = name {
            things.entry(of).or_default().insert(name.to_owned(), value);
        }
    }
}

/// The name and the value of a label.
type Label<'a> = (&'a str, String);

/// A line of the page: name, label, number.
fn parse(line: &str) -> Option<(&str, Option<Label<'_>>, f64)> {
    if line.starts_with('#') {
        return None;
    }
    // A label's value may have spaces; the number has none.
    let (head, number) = line.rsplit_once(' ')?;
    let number = number.parse().ok()?;
    let Some((name, rest)) = head.split_once('{') else { return Some((head, None, number)) };
    let (key, text) = rest.strip_suffix("\"}")?.split_once("=\"")?;
    Some((name, Some((key, unescaped(text))), number))
}

/// A label's value without its escapes.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        plain.push(match character {
            '\\' => match rest.next() {
                Some('n') => '\n',
                Some(escaped) => escaped,
                None => '\\',
            },
            other => other,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_taken_apart_and_what_is_strange_is_passed_over() {
        let page = "# HELP weir_mqtt_connections Connections.\n\
                    weir_mqtt_connections 3\n\
                    weir_build_info{version=\"1.2.3\"} 1\n\
                    weir_queue_ready{queue=\"a b \\\"c\\\\\\n{x}\"} 7\n\
                    weir_queue_lag_seconds{queue=\"jobs\"} 61.005\n\
                    weir_stream_kept{stream=\"logs\"} 9\n\
                    weir_alarms{name=\"disk_full\"} 1\n\
                    go_threads 5\n\
                    weir_queue_ready{queue=\"cut\n\
                    \n\
                    weir_mqtt_sessions many\n";
        let sample = Sample::read(page);
        assert_eq!(sample.version, "1.2.3");
        assert_eq!(sample.node, HashMap::from([("mqtt_connections".to_owned(), 3.0)]));
        let names: Vec<&str> = sample.queues.keys().map(String::as_str).collect();
        assert_eq!(names, ["a b \"c\\\n{x}", "jobs"]);
        assert_eq!(sample.queues["jobs"]["lag_seconds"], 61.005);
        assert_eq!(sample.streams["logs"]["kept"], 9.0);
    }
}
