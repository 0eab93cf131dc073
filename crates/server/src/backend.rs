//! The operator's requests to the running broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use admin_api::{
    AlarmMetrics, AlarmView, ApiError, AuthenticationMetrics, Backend, BackupDownload, BoxFuture,
    ClientView, ConsumerView, DelayedView, ExplainRequest, Explanation, Health, LogMetrics,
    MessageSpec, NodeMetrics, Page, PageRequest, PeekRequest, PublishOutcome, PurgeBody,
    PurgeResult, QueueMessageView, QueueMetrics, QueuePatch, QueueProperties, QueueSpec,
    QueueStats, QueueView, RedriveBody, RedriveResult, RetainedView, Seek, SeekResult, SpanMetrics,
    StreamProperties, SubscriptionView, SubscriptionsWanted, Timestamp,
};
use broker::{
    Alarm, AlarmCounts, Counts, Handle, NewQueue, NodeState, QueueChange, QueueDefinition,
    QueueState, SinkKind,
};
use key_expression::Problem;
use log_api::LogState;

use crate::answer::answer;
use crate::backup::Backups;
use crate::binding::rebound;
use crate::errors::of_control;
use crate::explain;
use crate::operator;
use crate::queue_operations;
use crate::queue_properties::{of_definition, to_broker};
use crate::queue_redrive;
use crate::retained;
use crate::stream_views;

/// The broker as the operator's side sees it.
pub(crate) struct BrokerBackend {
    pub(crate) handle: Handle,
    pub(crate) net: net::Handle,
    pub(crate) defaults: QueueProperties,
    pub(crate) stream_defaults: StreamProperties,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) backups: Backups,
    pub(crate) tracer: Option<telemetry::Tracer>,
}

impl BrokerBackend {
    fn spans(&self) -> SpanMetrics {
        let counts = self.tracer.as_ref().map(telemetry::Tracer::counts).unwrap_or_default();
        let telemetry::SpanCounts { exported, failed, dropped } = counts;
        SpanMetrics { exported, failed, dropped }
    }
}

fn stats(state: Option<&QueueState>) -> QueueStats {
    let Some(QueueState { ledger, rekeying, oldest_age_ms, lag_ms, data_loss_ms }) = state else {
        return QueueStats::default();
    };
    QueueStats {
        enqueued: ledger.enqueued,
        settled: ledger.settled,
        ready: ledger.ready,
        in_flight: ledger.in_flight,
        delayed: ledger.delayed,
        expired: ledger.expired,
        dropped: ledger.dropped,
        replaced: ledger.replaced,
        dead_lettered: ledger.dead_lettered,
        purged: ledger.purged,
        redelivered: ledger.redelivered,
        bytes: ledger.bytes,
        oldest_age_ms: *oldest_age_ms,
        lag_ms: *lag_ms,
        time_to_data_loss_ms: *data_loss_ms,
        rekeying: *rekeying,
        consumers: ledger.consumers,
    }
}

fn view(definition: &QueueDefinition, state: Option<&QueueState>) -> QueueView {
    QueueView {
        name: definition.name.to_string(),
        topic_filter: definition.topic_filter.as_deref().map(str::to_owned),
        properties: of_definition(definition),
        stats: stats(state),
    }
}

const fn log_metrics(node: &NodeState) -> LogMetrics {
    LogMetrics {
        appends_total: node.log.appended_records_total,
        appended_bytes_total: node.log.appended_bytes_total,
        syncs_total: node.log.syncs_total,
        checkpoints_total: node.log.checkpoints_total,
        failures_total: node.log.failed_records_total,
        segments: node.log.segments,
        disk_bytes: node.log.disk_bytes,
        backlog_bytes: node.log_backlog_bytes,
    }
}

const fn alarm_metrics((name, counts): (&'static str, AlarmCounts)) -> AlarmMetrics {
    let AlarmCounts { standing, raised_total, unlisted_total } = counts;
    AlarmMetrics { name, standing, raised_total, unlisted_total }
}

impl BrokerBackend {
    async fn view_of(&self, definition: Arc<QueueDefinition>) -> Result<QueueView, ApiError> {
        let states = answer(|reply| self.handle.queue_states(reply)).await?;
        Ok(view(&definition, states.get(&definition.sink)))
    }
}

impl Backend for BrokerBackend {
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueView>, ApiError>> {
        Box::pin(async move {
            let states = answer(|reply| self.handle.queue_states(reply)).await?;
            let queues = self.handle.queues();
            Ok(queues.iter().map(|queue| view(queue, states.get(&queue.sink))).collect())
        })
    }

    fn queue(&self, name: String) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        Box::pin(async move {
            let definition = self.handle.queue(&name).ok_or_else(|| ApiError::no_queue(name))?;
            self.view_of(definition).await
        })
    }

    fn create_queue(&self, spec: QueueSpec) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        Box::pin(async move {
            let properties = spec.properties(&self.defaults)?;
            let queue = NewQueue {
                name: spec.name().to_owned(),
                topic_filter: spec.topic_filter().map(str::to_owned),
                properties: to_broker(&properties)?,
            };
            let created = answer(|reply| self.handle.create_queue(queue, reply)).await?;
            self.view_of(created.map_err(of_control)?).await
        })
    }

    fn patch_queue(
        &self,
        name: String,
        patch: QueuePatch,
    ) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        Box::pin(async move {
            let known = self.handle.queue(&name).ok_or_else(|| ApiError::no_queue(name.clone()))?;
            let changed = patch.properties(&of_definition(&known))?;
            let properties = to_broker(&changed)?;
            let (name_of, bound) = (&known.name, known.topic_filter.as_deref());
            let topic_filter = rebound(SinkKind::Queue, name_of, bound, patch.topic_filter())?;
            let properties = Some(properties);
            let change = QueueChange { properties, topic_filter, ..QueueChange::default() };
            let changed = answer(|reply| self.handle.change_queue(name, change, reply)).await?;
            self.view_of(changed.map_err(of_control)?).await
        })
    }

    fn delete_queue(&self, name: String) -> BoxFuture<'_, Result<(), ApiError>> {
        Box::pin(async move {
            answer(|reply| self.handle.delete_queue(name, reply)).await?.map_err(of_control)
        })
    }

    fn peek_queue(
        &self,
        name: String,
        request: PeekRequest,
    ) -> BoxFuture<'_, Result<Page<QueueMessageView>, ApiError>> {
        Box::pin(queue_operations::peek(&self.handle, name, request))
    }

    fn purge_queue(
        &self,
        name: String,
        body: PurgeBody,
    ) -> BoxFuture<'_, Result<PurgeResult, ApiError>> {
        Box::pin(queue_operations::purge(&self.handle, name, body))
    }

    fn redrive_queue(
        &self,
        name: String,
        body: RedriveBody,
    ) -> BoxFuture<'_, Result<RedriveResult, ApiError>> {
        Box::pin(queue_redrive::redrive(&self.handle, name, body))
    }

    fn seek_queue(&self, name: String, seek: Seek) -> BoxFuture<'_, Result<SeekResult, ApiError>> {
        Box::pin(queue_operations::seek(&self.handle, name, seek))
    }

    fn set_queue_paused(
        &self,
        name: String,
        paused: bool,
    ) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        Box::pin(async move {
            let changed =
                answer(|reply| self.handle.set_queue_paused(&name, paused, reply)).await?;
            self.view_of(changed.map_err(of_control)?).await
        })
    }

    fn queue_consumers(
        &self,
        name: String,
        page: PageRequest,
    ) -> BoxFuture<'_, Result<Page<ConsumerView>, ApiError>> {
        Box::pin(queue_operations::consumers(&self.handle, name, page))
    }

    fn delayed(&self, page: PageRequest) -> BoxFuture<'_, Result<Page<DelayedView>, ApiError>> {
        Box::pin(operator::delayed(&self.handle, page))
    }

    fn cancel_delayed(&self, id: String) -> BoxFuture<'_, Result<(), ApiError>> {
        Box::pin(operator::cancel_delayed(&self.handle, id))
    }

    fn retained(
        &self,
        page: PageRequest,
        filter: String,
    ) -> BoxFuture<'_, Result<Page<RetainedView>, ApiError>> {
        Box::pin(retained::retained(&self.handle, page, filter))
    }

    fn remove_retained(&self, filter: String) -> BoxFuture<'_, Result<u64, ApiError>> {
        Box::pin(retained::remove(&self.handle, filter))
    }

    fn clients(
        &self,
        page: PageRequest,
        connected: Option<bool>,
    ) -> BoxFuture<'_, Result<Page<ClientView>, ApiError>> {
        Box::pin(operator::clients(&self.handle, page, connected))
    }

    fn client(&self, client_id: String) -> BoxFuture<'_, Result<ClientView, ApiError>> {
        Box::pin(operator::client(&self.handle, client_id))
    }

    fn end_client(
        &self,
        client_id: String,
        ends_session: bool,
    ) -> BoxFuture<'_, Result<(), ApiError>> {
        Box::pin(operator::end_client(&self.handle, client_id, ends_session))
    }

    fn subscriptions(
        &self,
        page: PageRequest,
        wanted: SubscriptionsWanted,
    ) -> BoxFuture<'_, Result<Page<SubscriptionView>, ApiError>> {
        Box::pin(operator::subscriptions(&self.handle, page, wanted))
    }

    fn publish(
        &self,
        messages: Vec<MessageSpec>,
    ) -> BoxFuture<'_, Result<Vec<PublishOutcome>, ApiError>> {
        Box::pin(operator::publish(&self.handle, messages))
    }

    fn backup(&self) -> BoxFuture<'_, Result<BackupDownload, ApiError>> {
        Box::pin(self.backups.begin())
    }

    fn explain(&self, request: ExplainRequest) -> BoxFuture<'_, Result<Explanation, ApiError>> {
        Box::pin(explain::explain(&self.handle, self.alarms(), request))
    }

    fn alarms(&self) -> Vec<AlarmView> {
        let view = |alarm: Alarm| AlarmView {
            name: alarm.name.to_owned(),
            resource: alarm.resource,
            since: Timestamp(alarm.since),
            reason: alarm.reason,
        };
        self.handle.alarms().list().into_iter().map(view).collect()
    }

    fn health(&self) -> Health {
        let mut reasons = Vec::new();
        if self.draining.load(Ordering::Relaxed) {
            reasons.push("the broker is shutting down".to_owned());
        }
        match self.handle.state().log_state {
            LogState::Writable => {}
            LogState::Full => {
                reasons.push("the disk is full: messages for queues are refused".to_owned())
            }
            LogState::Failed { reason } => reasons.push(format!("the log has failed: {reason}")),
        }
        Health { ready: reasons.is_empty(), reasons }
    }

    fn metrics(&self) -> BoxFuture<'_, Result<NodeMetrics, ApiError>> {
        Box::pin(async move {
            let states = answer(|reply| self.handle.queue_states(reply)).await?;
            let streams = stream_views::metrics(&self.handle).await?;
            let node = self.handle.state();
            let queue = |definition: &Arc<QueueDefinition>| QueueMetrics {
                name: definition.name.to_string(),
                stats: stats(states.get(&definition.sink)),
            };
            let counts = node.counts;
            let owned = |(listener, value): (&str, u64)| (listener.to_owned(), value);
            Ok(NodeMetrics {
                connections: counts.connections,
                connects_total: counts.connects_total,
                authentications: AuthenticationMetrics {
                    accepted: counts.sign_ins_accepted_total,
                    anonymous: counts.sign_ins_anonymous_total,
                    wrong: counts.sign_ins_wrong_total,
                    not_allowed: counts.sign_ins_not_allowed_total,
                    limited: counts.sign_ins_limited_total,
                    busy: counts.sign_ins_busy_total,
                },
                sessions: counts.sessions,
                subscriptions: node.subscriptions as u64,
                retained_messages: node.retained as u64,
                retained_bytes: node.retained_bytes,
                retained_disk_bytes: node.retained_disk_bytes,
                retained_memory_bytes: node.retained_memory_bytes,
                messages_received_total: counts.publishes_received_total,
                messages_sent_total: counts.publishes_sent_total,
                bytes_received_total: counts.bytes_received_total,
                bytes_sent_total: counts.bytes_sent_total,
                live_dropped_total: counts.live_dropped_total,
                publishes_refused_total: counts.publishes_refused_total,
                qos0_unstored_total: counts.unstored_qos0_total,
                session_overflow_total: counts.session_overflow_total,
                shared_handed_over_total: counts.shared_handed_over_total,
                relocated_total: counts.relocated_total,
                spans: self.spans(),
                shared_dropped_total: counts.shared_dropped_total,
                negative_acks_total: counts.negative_acks_total,
                delayed_messages: counts.delayed_messages,
                delayed_bytes: counts.delayed_bytes,
                durable_sessions: counts.durable_sessions,
                retained_refused_total: counts.retained_refused_total,
                publishes_queue_full_total: counts.publishes_queue_full_total,
                keys_missing_total: keys_missing(&counts),
                connects_refused_total: connects_refused(&counts),
                subscriptions_refused_total: subscriptions_refused(&counts),
                connections_ended_total: connections_ended(&counts),
                buffered_bytes: node.buffered_bytes as u64,
                incomplete_bytes: self.net.incomplete_bytes(),
                will_bytes: node.will_bytes as u64,
                subscription_bytes: node.subscription_bytes as u64,
                protocol_errors_total: counts.protocol_errors_total,
                connections_refused_total: self.net.refused().collect(),
                listener_connections: self.net.connections().map(owned).collect(),
                certificate_expiries: self
                    .net
                    .certificate_expiries()
                    .map(|(listener, at)| owned((listener, u64::try_from(at).unwrap_or(0))))
                    .collect(),
                alarms: self.handle.alarms().counts().into_iter().map(alarm_metrics).collect(),
                log: log_metrics(&node),
                queues: self.handle.queues().iter().map(queue).collect(),
                streams,
            })
        })
    }
}

const fn keys_missing(counts: &Counts) -> [(&'static str, u64); 4] {
    [
        (Problem::Missing.name(), counts.keys_missing_total),
        (Problem::NotJson.name(), counts.keys_not_json_total),
        (Problem::NotScalar.name(), counts.keys_not_scalar_total),
        (Problem::TooLong.name(), counts.keys_too_long_total),
    ]
}

const fn connects_refused(counts: &Counts) -> [(&'static str, u64); 5] {
    [
        ("client_id", counts.connects_client_id_total),
        ("will", counts.connects_will_total),
        ("max_sessions", counts.connects_sessions_total),
        ("memory", counts.connects_memory_total),
        ("other", counts.connects_other_total),
    ]
}

const fn subscriptions_refused(counts: &Counts) -> [(&'static str, u64); 3] {
    [
        ("quota", counts.subscriptions_over_quota_total),
        ("filter", counts.subscriptions_invalid_total),
        ("other", counts.subscriptions_refused_total),
    ]
}

const fn connections_ended(counts: &Counts) -> [(&'static str, u64); 5] {
    [
        ("keep_alive", counts.ended_keep_alive_total),
        ("taken_over", counts.ended_taken_over_total),
        ("quota", counts.ended_quota_total),
        ("slow_consumer", counts.ended_slow_total),
        ("other", counts.ended_other_total),
    ]
}
