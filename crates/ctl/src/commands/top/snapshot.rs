//! What is to be seen of a broker: the numbers of now, and rates since a moment before. It must not know how it looks.

use std::cmp::Reverse;
use std::time::Duration;

use admin_api::AlarmView;
use serde::Serialize;

use super::sample::{Numbers, Sample};

/// A broker at one moment. A rate is null when there is nothing to compare with.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Snapshot {
    /// Its version.
    pub version: String,
    /// Whether it takes traffic.
    pub ready: bool,
    pub connections: u64,
    pub sessions: u64,
    pub subscriptions: u64,
    pub messages_in_per_second: Option<f64>,
    pub messages_out_per_second: Option<f64>,
    pub bytes_in_per_second: Option<f64>,
    pub bytes_out_per_second: Option<f64>,
    /// Bytes that wait for clients in memory.
    pub buffered_bytes: u64,
    /// Bytes of the log on disk.
    pub log_disk_bytes: u64,
    /// Those with the most that waits first.
    pub queues: Vec<QueueLine>,
    /// Those that readers are behind the most first.
    pub streams: Vec<StreamLine>,
    pub alarms: Vec<AlarmView>,
}

/// A queue at one moment.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct QueueLine {
    pub name: String,
    pub ready: u64,
    pub in_flight: u64,
    pub delayed: u64,
    pub consumers: u64,
    pub lag_seconds: f64,
    pub oldest_age_seconds: f64,
    pub enqueued_per_second: Option<f64>,
    pub settled_per_second: Option<f64>,
}

/// A stream at one moment.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StreamLine {
    pub name: String,
    pub kept: u64,
    pub bytes: u64,
    pub readers: u64,
    pub members: u64,
    pub lag: u64,
    pub oldest_age_seconds: f64,
    pub appended_per_second: Option<f64>,
}

/// The numbers of one thing, now and before.
struct Of<'a> {
    now: &'a Numbers,
    before: Option<(&'a Numbers, Duration)>,
}

impl Of<'_> {
    fn number(&self, name: &str) -> f64 {
        self.now.get(name).copied().unwrap_or(0.0)
    }

    fn count(&self, name: &str) -> u64 {
        // A count on the page is a whole number.
        self.number(name) as u64
    }

    /// How fast a counter grows. After a restart it begins anew.
    fn rate(&self, name: &str) -> Option<f64> {
        let (before, elapsed) = self.before?;
        let grown = self.number(name) - before.get(name).copied().unwrap_or(0.0);
        (!elapsed.is_zero()).then(|| (grown / elapsed.as_secs_f64()).max(0.0))
    }
}

impl Snapshot {
    /// What a sample says, and how fast it came from the one before, which is so old.
    pub fn new(now: &Sample, before: Option<(&Sample, Duration)>, alarms: Vec<AlarmView>) -> Self {
        let node =
            Of { now: &now.node, before: before.map(|(before, elapsed)| (&before.node, elapsed)) };
        let mut queues: Vec<QueueLine> = (now.queues.iter())
            .map(|(name, now)| {
                let known = before.and_then(|(all, by)| Some((all.queues.get(name)?, by)));
                QueueLine::new(name, &Of { now, before: known })
            })
            .collect();
        queues.sort_by(|a, b| {
            let key = |line: &QueueLine| Reverse((line.ready, line.delayed, line.in_flight));
            key(a).cmp(&key(b)).then(b.lag_seconds.total_cmp(&a.lag_seconds))
        });
        let mut streams: Vec<StreamLine> = (now.streams.iter())
            .map(|(name, now)| {
                let known = before.and_then(|(all, by)| Some((all.streams.get(name)?, by)));
                StreamLine::new(name, &Of { now, before: known })
            })
            .collect();
        streams.sort_by_key(|line| Reverse((line.lag, line.kept)));
        Self {
            version: now.version.clone(),
            ready: node.count("node_ready") == 1,
            connections: node.count("mqtt_connections"),
            sessions: node.count("mqtt_sessions"),
            subscriptions: node.count("mqtt_subscriptions"),
            messages_in_per_second: node.rate("mqtt_messages_received_total"),
            messages_out_per_second: node.rate("mqtt_messages_sent_total"),
            bytes_in_per_second: node.rate("mqtt_received_bytes_total"),
            bytes_out_per_second: node.rate("mqtt_sent_bytes_total"),
            buffered_bytes: node.count("mqtt_buffered_bytes"),
            log_disk_bytes: node.count("log_disk_bytes"),
            queues,
            streams,
            alarms,
        }
    }
}

impl QueueLine {
    fn new(name: &str, of: &Of<'_>) -> Self {
        Self {
            name: name.to_owned(),
            ready: of.count("ready"),
            in_flight: of.count("in_flight"),
            delayed: of.count("delayed"),
            consumers: of.count("consumers"),
            lag_seconds: of.number("lag_seconds"),
            oldest_age_seconds: of.number("oldest_age_seconds"),
            enqueued_per_second: of.rate("enqueued_total"),
            settled_per_second: of.rate("settled_total"),
        }
    }
}

impl StreamLine {
    fn new(name: &str, of: &Of<'_>) -> Self {
        Self {
            name: name.to_owned(),
            kept: of.count("kept"),
            bytes: of.count("bytes"),
            readers: of.count("readers"),
            members: of.count("members"),
            lag: of.count("reader_lag"),
            oldest_age_seconds: of.number("oldest_age_seconds"),
            appended_per_second: of.rate("appended_total"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(received: u64, jobs: u64) -> Sample {
        Sample::read(&format!(
            "weir_node_ready 1\nweir_mqtt_messages_received_total {received}\n\
             weir_queue_ready{{queue=\"jobs\"}} {jobs}\nweir_queue_enqueued_total{{queue=\"jobs\"}} {jobs}\n\
             weir_queue_ready{{queue=\"full\"}} 50\nweir_queue_lag_seconds{{queue=\"full\"}} 2.5\n\
             weir_stream_kept{{stream=\"a\"}} 9\nweir_stream_kept{{stream=\"b\"}} 1\n\
             weir_stream_reader_lag{{stream=\"b\"}} 1\n"
        ))
    }

    #[test]
    fn what_waits_most_is_first_and_counters_become_rates() {
        let (before, now) = (sample(100, 10), sample(300, 30));
        let elapsed = Duration::from_secs(2);
        let seen = Snapshot::new(&now, Some((&before, elapsed)), Vec::new());
        assert!(seen.ready);
        assert_eq!(seen.messages_in_per_second, Some(100.0));
        let lines: Vec<_> =
            seen.queues.iter().map(|line| (&*line.name, line.ready, line.lag_seconds)).collect();
        assert_eq!(lines, [("full", 50, 2.5), ("jobs", 30, 0.0)]);
        assert_eq!(seen.queues[1].enqueued_per_second, Some(10.0));
        let names: Vec<_> = seen.streams.iter().map(|line| &*line.name).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn there_is_no_rate_without_a_moment_before_and_none_below_zero() {
        let now = sample(100, 10);
        let seen = Snapshot::new(&now, None, Vec::new());
        assert_eq!((seen.messages_in_per_second, seen.queues[1].enqueued_per_second), (None, None));
        // The queue is new.
        let mut before = sample(500, 10);
        before.queues.clear();
        let seen = Snapshot::new(&now, Some((&before, Duration::from_secs(1))), Vec::new());
        assert_eq!(seen.queues[1].enqueued_per_second, None);
        assert_eq!(seen.messages_in_per_second, Some(0.0), "the broker was started again");
        let seen = Snapshot::new(&now, Some((&before, Duration::ZERO)), Vec::new());
        assert_eq!(seen.messages_in_per_second, None);
    }
}
