//! What the broker says of itself under `$SYS/broker/`: the topics that mosquitto made known, and some of ours. The
//! control shard alone publishes it; the log never has it.

use std::fmt::Write as _;

use mqtt_router::Router;
use mqtt_types::{Message, MessageHead, TopicName};
use stdx::Instant;

use super::Shard;
use super::live::Live;
use super::retain::Retained;
use crate::outbox::Outbox;
use crate::retained::{Change, Found};
use crate::stats::Counts;
use crate::timers::Timer;

/// The spans that loads are averaged over, in seconds, with their names.
const SPANS: [(f64, &str); 3] = [(60.0, "1min"), (300.0, "5min"), (900.0, "15min")];

/// Which of the counts.
type Count = fn(&Counts) -> u64;

/// What loads are told of.
const LOADS: [(&str, Count); 5] = [
    ("publish/received", |counts| counts.publishes_received_total),
    ("publish/sent", |counts| counts.publishes_sent_total),
    ("bytes/received", |counts| counts.bytes_received_total),
    ("bytes/sent", |counts| counts.bytes_sent_total),
    ("connections", |counts| counts.connects_total),
];

/// What must be remembered from one time to the next.
#[derive(Default)]
pub(crate) struct Status {
    started: Option<Instant>,
    /// When it was said last, and what the counts were then.
    last: Option<(Instant, Counts)>,
    clients_max: u64,
    /// A minute's worth of each of the loads, over each of the spans.
    loads: [[f64; SPANS.len()]; LOADS.len()],
}

impl Status {
    /// Takes the newest counts into the averages, as mosquitto does: older ones fade by the share of the span that has
    /// passed.
    fn advance(&mut self, now: Instant, counts: &Counts) {
        self.started.get_or_insert(now);
        self.clients_max = self.clients_max.max(counts.connections);
        if let Some((at, before)) = self.last.replace((now, *counts)) {
            let seconds = now.since(at).as_secs_f64();
            if seconds <= 0.0 {
                return;
            }
            for (averages, (_, count)) in self.loads.iter_mut().zip(LOADS) {
                let new = count(counts).saturating_sub(count(&before)) as f64;
                let a_minute = new * 60.0 / seconds;
                for (average, (span, _)) in averages.iter_mut().zip(SPANS) {
                    let fades_to = (-seconds / span).exp();
                    *average = *average * fades_to + a_minute * (1.0 - fades_to);
                }
            }
        }
    }
}

impl Shard {
    /// Publishes the status, and sees to it that it is published again.
    pub(super) fn status_due<O: Outbox>(&mut self, out: &mut O) {
        let interval = self.shared.config.status_interval;
        self.timers.set(self.turn.now + interval, Timer::Status);
        let mut counts = Counts::default();
        self.shared.counts.iter().for_each(|shard| counts += shard.read());
        self.status.advance(self.turn.now, &counts);
        let router = self.shared.routes.read(Router::counts);
        let log = self.shared.log.stats();
        let uptime = self.status.started.map_or(0, |start| self.turn.now.since(start).as_secs());
        self.say_status("version", &format!("weir version {}", self.shared.config.version), out);
        self.say_status("uptime", &format!("{uptime} seconds"), out);
        let disconnected = counts.sessions.saturating_sub(counts.connections);
        let numbers = [
            ("clients/total", counts.sessions),
            ("clients/connected", counts.connections),
            ("clients/active", counts.connections),
            ("clients/disconnected", disconnected),
            ("clients/inactive", disconnected),
            ("clients/maximum", self.status.clients_max),
            ("sessions/durable", counts.durable_sessions),
            ("publish/messages/received", counts.publishes_received_total),
            ("publish/messages/sent", counts.publishes_sent_total),
            ("publish/messages/dropped", counts.live_dropped_total + counts.session_overflow_total),
            ("publish/messages/refused", counts.publishes_refused_total),
            ("bytes/received", counts.bytes_received_total),
            ("bytes/sent", counts.bytes_sent_total),
            ("subscriptions/count", router.subscriptions as u64),
            ("shared_subscriptions/count", router.members as u64),
            ("retained messages/count", self.shared.retained.numbers().messages),
            ("queues/count", self.shared.directory.len() as u64),
            ("log/disk_bytes", log.disk_bytes),
            ("log/backlog_bytes", self.shared.log.backlog_bytes()),
        ];
        for (topic, number) in numbers {
            self.say_status(topic, &number.to_string(), out);
        }
        self.say_alarms(out);
        self.say_loads(out);
    }

    fn say_alarms<O: Outbox>(&mut self, out: &mut O) {
        let counts = self.shared.alarms.counts();
        let standing: u64 = counts.iter().map(|(_, counts)| counts.standing).sum();
        self.say_status("alarms/count", &standing.to_string(), out);
        for (name, counts) in counts {
            self.say_status(&format!("alarms/{name}"), &counts.standing.to_string(), out);
        }
    }

    fn say_loads<O: Outbox>(&mut self, out: &mut O) {
        let loads = self.status.loads;
        for ((name, _), averages) in LOADS.iter().zip(loads) {
            for ((_, span), average) in SPANS.iter().zip(averages) {
                let mut topic = String::new();
                let _ = write!(topic, "load/{name}/{span}");
                self.say_status(&topic, &format!("{average:.2}"), out);
            }
        }
    }

    /// Publishes one value, unless it is what was said last.
    fn say_status<O: Outbox>(&mut self, topic: &str, value: &str, out: &mut O) {
        let topic = format!("$SYS/broker/{topic}");
        let Ok(topic) = TopicName::new(&topic) else { return };
        if let Some((_, Found::Message(known))) =
            self.shared.retained.find(topic, self.turn.unix_ms)
            && known.payload() == value.as_bytes()
        {
            return;
        }
        let head = MessageHead {
            retain: true,
            received_at_ms: self.turn.unix_ms,
            ..MessageHead::default()
        };
        let Some(message) = Message::new(head, topic, &[], value.as_bytes()) else { return };
        let Some(mut live) = Live::of(&message, None, self.turn.unix_ms) else { return };
        let route = loop {
            let route = self.routes.route(&self.shared.routes, topic);
            if !matches!(self.retain(&route, &mut live, Change::Unlogged), Retained::Rerouted) {
                break route;
            }
        };
        let picks = self.pick_members(&route, &live);
        self.fan_out(&route, &picks, &mut live, out);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_steady_load_is_what_the_averages_come_to() {
        let mut status = Status::default();
        let mut counts = Counts::default();
        for second in 0..7200_u64 {
            counts.publishes_received_total = second * 5;
            status.advance(Instant::ZERO + Duration::from_secs(second), &counts);
        }
        for average in status.loads[0] {
            assert!((average - 300.0).abs() < 0.5, "{average}");
        }
        assert_eq!(status.loads[1], [0.0; 3]);
        // Silence fades by 1/e in each span.
        let end = Instant::ZERO + Duration::from_secs(7199 + 60);
        status.advance(end, &counts);
        assert!((status.loads[0][0] - 300.0 * (-1.0_f64).exp()).abs() < 1.0);
    }
}
