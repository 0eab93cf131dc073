//! `/metrics`: the broker's numbers under the catalogue's names.

use std::sync::Arc;

use admin_api::{AlarmMetrics, AuthenticationMetrics, NodeMetrics, QueueStats, StreamStats};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use telemetry::{Exposition, Metric};

use crate::failure::Failure;
use crate::openapi::Refused;
use crate::shared::Shared;

type AlarmNumber = fn(&AlarmMetrics) -> u64;
type QueueNumber = (Metric, fn(&QueueStats) -> u64);
type StreamNumber = (Metric, fn(&StreamStats) -> u64);
type StreamLoss = (Metric, fn(&StreamStats) -> Option<u64>);

/// Which number of a queue goes under which name.
const QUEUE_NUMBERS: &[QueueNumber] = &[
    (Metric::QueueEnqueued, |stats| stats.enqueued),
    (Metric::QueueSettled, |stats| stats.settled),
    (Metric::QueueExpired, |stats| stats.expired),
    (Metric::QueueDropped, |stats| stats.dropped),
    (Metric::QueueReplaced, |stats| stats.replaced),
    (Metric::QueueDeadLettered, |stats| stats.dead_lettered),
    (Metric::QueuePurged, |stats| stats.purged),
    (Metric::QueueRedelivered, |stats| stats.redelivered),
    (Metric::QueueReady, |stats| stats.ready),
    (Metric::QueueInFlight, |stats| stats.in_flight),
    (Metric::QueueDelayed, |stats| stats.delayed),
    (Metric::QueueBytes, |stats| stats.bytes),
    (Metric::QueueConsumers, |stats| stats.consumers),
];

/// The same for those that are in milliseconds and go out in seconds.
const QUEUE_TIMES: &[QueueNumber] = &[
    (Metric::QueueOldestAge, |stats| stats.oldest_age_ms),
    (Metric::QueueLag, |stats| stats.lag_ms),
];

/// Which number of a stream goes under which name.
const STREAM_NUMBERS: &[StreamNumber] = &[
    (Metric::StreamAppended, |stats| stats.appended),
    (Metric::StreamExpired, |stats| stats.expired),
    (Metric::StreamDropped, |stats| stats.dropped),
    (Metric::StreamReplaced, |stats| stats.replaced),
    (Metric::StreamPurged, |stats| stats.purged),
    (Metric::StreamRedelivered, |stats| stats.redelivered),
    (Metric::StreamKept, |stats| stats.kept),
    (Metric::StreamBytes, |stats| stats.bytes),
    (Metric::StreamReaders, |stats| stats.readers),
    (Metric::StreamReadersBehind, |stats| stats.readers_behind),
    (Metric::StreamMembers, |stats| stats.members),
    (Metric::StreamReaderLag, |stats| stats.lag),
    (Metric::StreamReaderLagBytes, |stats| stats.lag_bytes),
];

/// The same for those that are in milliseconds and go out in seconds.
const STREAM_TIMES: &[StreamNumber] = &[
    (Metric::StreamOldestAge, |stats| stats.oldest_age_ms),
    (Metric::StreamReaderLagTime, |stats| stats.lag_ms),
];

/// When messages of a stream are lost, where they are.
const STREAM_LOSSES: &[StreamLoss] = &[
    (Metric::StreamTimeToDataLoss, |stats| stats.time_to_data_loss_ms),
    (Metric::StreamRetentionLoss, |stats| stats.data_loss_by.retention_ms),
    (Metric::StreamMaxMessagesLoss, |stats| stats.data_loss_by.max_messages_ms),
    (Metric::StreamMaxBytesLoss, |stats| stats.data_loss_by.max_bytes_ms),
];

/// The numbers of the node, in the text format of Prometheus. From this machine no sign-in is needed.
#[utoipa::path(
    get, path = "/metrics", tag = "node", operation_id = "metrics", security((), ("bearer" = [])),
    responses((status = 200, body = String, content_type = "text/plain", description = "The numbers."), Refused),
)]
pub async fn metrics(State(shared): State<Arc<Shared>>) -> Result<impl IntoResponse, Failure> {
    let numbers = shared.backend.metrics().await?;
    let ready = shared.backend.health().ready;
    let page = render(&numbers, ready, shared.config.version);
    Ok(([(header::CONTENT_TYPE, Exposition::CONTENT_TYPE)], page))
}

fn render(numbers: &NodeMetrics, ready: bool, version: &str) -> String {
    let mut page = Exposition::new();
    page.labelled(Metric::BuildInfo, [(version, 1)]);
    page.value(Metric::NodeReady, u64::from(ready));
    for (metric, value) in node_numbers(numbers) {
        page.value(metric, value);
    }
    page.labelled(Metric::Authentications, authentications(&numbers.authentications));
    page.labelled(Metric::ConnectsRefused, numbers.connects_refused_total);
    page.labelled(Metric::KeysMissing, numbers.keys_missing_total);
    page.labelled(Metric::SubscriptionsRefused, numbers.subscriptions_refused_total);
    page.labelled(Metric::ConnectionsEnded, numbers.connections_ended_total);
    page.labelled(Metric::ConnectionsRefused, numbers.connections_refused_total.iter().copied());
    for (metric, values) in [
        (Metric::ListenerConnections, &numbers.listener_connections),
        (Metric::TlsCertificateExpiry, &numbers.certificate_expiries),
    ] {
        page.labelled(metric, values.iter().map(|(listener, value)| (listener.as_str(), *value)));
    }
    alarms(&mut page, &numbers.alarms);
    let queues = || numbers.queues.iter().map(|queue| (queue.name.as_str(), &queue.stats));
    for (metric, number) in QUEUE_NUMBERS {
        page.labelled(*metric, queues().map(|(name, stats)| (name, number(stats))));
    }
    for (metric, number) in QUEUE_TIMES {
        page.labelled_seconds(*metric, queues().map(|(name, stats)| (name, number(stats))));
    }
    let losses = queues().filter_map(|(name, stats)| Some((name, stats.time_to_data_loss_ms?)));
    page.labelled_seconds(Metric::QueueTimeToDataLoss, losses);
    let streams = || numbers.streams.iter().map(|stream| (stream.name.as_str(), &stream.stats));
    for (metric, number) in STREAM_NUMBERS {
        page.labelled(*metric, streams().map(|(name, stats)| (name, number(stats))));
    }
    for (metric, number) in STREAM_TIMES {
        page.labelled_seconds(*metric, streams().map(|(name, stats)| (name, number(stats))));
    }
    for (metric, loss) in STREAM_LOSSES {
        let losses = streams().filter_map(|(name, stats)| Some((name, loss(stats)?)));
        page.labelled_seconds(*metric, losses);
    }
    page.finish()
}

fn alarms(page: &mut Exposition, alarms: &[AlarmMetrics]) {
    let numbers: [(Metric, AlarmNumber); 3] = [
        (Metric::Alarms, |alarm| alarm.standing),
        (Metric::AlarmsRaised, |alarm| alarm.raised_total),
        (Metric::AlarmsUnlisted, |alarm| alarm.unlisted_total),
    ];
    for (metric, number) in numbers {
        page.labelled(metric, alarms.iter().map(|alarm| (alarm.name, number(alarm))));
    }
}

const fn authentications(numbers: &AuthenticationMetrics) -> [(&'static str, u64); 6] {
    [
        ("accepted", numbers.accepted),
        ("anonymous", numbers.anonymous),
        ("wrong", numbers.wrong),
        ("not_allowed", numbers.not_allowed),
        ("limited", numbers.limited),
        ("busy", numbers.busy),
    ]
}

/// Which number of the node goes under which name.
fn node_numbers(numbers: &NodeMetrics) -> Vec<(Metric, u64)> {
    let log = &numbers.log;
    vec![
        (Metric::Connections, numbers.connections),
        (Metric::Connects, numbers.connects_total),
        (Metric::Sessions, numbers.sessions),
        (Metric::Subscriptions, numbers.subscriptions),
        (Metric::MessagesReceived, numbers.messages_received_total),
        (Metric::MessagesSent, numbers.messages_sent_total),
        (Metric::BytesReceived, numbers.bytes_received_total),
        (Metric::BytesSent, numbers.bytes_sent_total),
        (Metric::LiveDropped, numbers.live_dropped_total),
        (Metric::PublishesRefused, numbers.publishes_refused_total),
        (Metric::Qos0Unstored, numbers.qos0_unstored_total),
        (Metric::SessionOverflow, numbers.session_overflow_total),
        (Metric::SharedHandedOver, numbers.shared_handed_over_total),
        (Metric::Relocated, numbers.relocated_total),
        (Metric::OtlpSpansExported, numbers.spans.exported),
        (Metric::OtlpSpansFailed, numbers.spans.failed),
        (Metric::OtlpSpansDropped, numbers.spans.dropped),
        (Metric::SharedDropped, numbers.shared_dropped_total),
        (Metric::NegativeAcks, numbers.negative_acks_total),
        (Metric::DurableSessions, numbers.durable_sessions),
        (Metric::DelayedMessages, numbers.delayed_messages),
        (Metric::DelayedBytes, numbers.delayed_bytes),
        (Metric::BufferedBytes, numbers.buffered_bytes),
        (Metric::IncompleteBytes, numbers.incomplete_bytes),
        (Metric::WillBytes, numbers.will_bytes),
        (Metric::SubscriptionBytes, numbers.subscription_bytes),
        (Metric::RetainedRefused, numbers.retained_refused_total),
        (Metric::PublishesQueueFull, numbers.publishes_queue_full_total),
        (Metric::ProtocolErrors, numbers.protocol_errors_total),
        (Metric::RetainedMessages, numbers.retained_messages),
        (Metric::RetainedBytes, numbers.retained_bytes),
        (Metric::RetainedDiskBytes, numbers.retained_disk_bytes),
        (Metric::RetainedMemoryBytes, numbers.retained_memory_bytes),
        (Metric::LogAppends, log.appends_total),
        (Metric::LogAppendedBytes, log.appended_bytes_total),
        (Metric::LogSyncs, log.syncs_total),
        (Metric::LogCheckpoints, log.checkpoints_total),
        (Metric::LogFailures, log.failures_total),
        (Metric::LogSegments, log.segments),
        (Metric::LogDiskBytes, log.disk_bytes),
        (Metric::LogBacklogBytes, log.backlog_bytes),
    ]
}

#[cfg(test)]
mod tests {
    use admin_api::{DataLossBy, QueueMetrics, StreamMetrics};

    use super::*;

    #[test]
    fn every_metric_of_the_catalogue_is_on_the_page() {
        let stats = QueueStats { time_to_data_loss_ms: Some(1_500), ..QueueStats::default() };
        let queue = QueueMetrics { name: "billing".to_owned(), stats };
        let data_loss_by = DataLossBy {
            retention_ms: Some(2_500),
            max_messages_ms: Some(3_500),
            max_bytes_ms: Some(4_500),
        };
        let stats = StreamStats {
            time_to_data_loss_ms: Some(2_500),
            data_loss_by,
            ..StreamStats::default()
        };
        let stream = StreamMetrics { name: "logs".to_owned(), stats };
        let numbers = NodeMetrics {
            queues: vec![queue],
            streams: vec![stream],
            connections_refused_total: vec![("connect_rate", 1)],
            alarms: vec![AlarmMetrics { name: "disk_full", ..AlarmMetrics::default() }],
            listener_connections: vec![("mqtts".to_owned(), 1)],
            certificate_expiries: vec![("mqtts".to_owned(), 1)],
            ..NodeMetrics::default()
        };
        let page = render(&numbers, true, "1.2.3");
        for metric in Metric::ALL {
            let samples = page.lines().filter(|line| {
                line.strip_prefix(metric.name()).is_some_and(|rest| rest.starts_with([' ', '{']))
            });
            let expected = match metric {
                Metric::Authentications => 6,
                Metric::ConnectsRefused | Metric::ConnectionsEnded => 5,
                Metric::KeysMissing => 4,
                Metric::SubscriptionsRefused => 3,
                _ => 1,
            };
            assert_eq!(samples.count(), expected, "{}", metric.name());
        }
        let loss = "weir_queue_time_to_data_loss_seconds{queue=\"billing\"} 1.500\n";
        assert!(page.contains(loss), "{page}");
        let loss = "weir_stream_time_to_data_loss_seconds{stream=\"logs\"} 2.500\n";
        assert!(page.contains(loss), "{page}");
        assert!(page.contains("weir_build_info{version=\"1.2.3\"} 1\n"), "{page}");
    }
}
