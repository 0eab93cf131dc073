//! What the log did: commits turn into answers and into new messages of queues, failures into refusals.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use log_api::{
    AppendError, CommittedRecord, FailedRecord, LogEvent, LogState, Part, ReadError, RecordKind,
};
use mqtt_types::{QoS, ReasonCode};
use stdx::UnixMillis;

use super::Shard;
use super::alarms::tell_log_state;
use super::control::is_control_token;
use super::delayed::{delayed_of, is_delayed_token, look_of};
use super::hold::{HeldChange, Place};
use super::inbox::reader_of;
use super::loans::lender_of;
use super::operate::{operation_of, peek_of, purge_of};
use super::outside::outside_of;
use super::relics::{RELIC_READ, is_relic_token};
use super::replay::replay_of;
use super::session_log::is_session_token;
use super::state::{PendingPublish, SessionEntry};
use crate::checkpoint::ShardPart;
use crate::control::CONTROL_SHARD;
use crate::directory::{QueueProperties, StreamProperties};
use crate::hosting::rekey::REKEY_READ;
use crate::hosting::{
    Hosting, MOVE_TOKEN, NO_TOKEN, PASS_TOKEN, RELOCATE_READ, RELOCATE_TOKEN, SETTLE_TOKEN,
};
use crate::ids::SessionNumber;
use crate::outbox::Outbox;
use crate::record::{Lying, MoreTargets, PublishRecord, StoredSession};
use crate::retained::RetainedPart;

/// How long what the log has refused waits before it is written again, unless there is room before.
const SETTLE_AGAIN: Duration = Duration::from_secs(1);

impl Shard {
    pub(super) fn log_event<O: Outbox>(&mut self, event: LogEvent, out: &mut O) {
        match event {
            LogEvent::Committed(records) => {
                for record in records {
                    self.committed(&record, out);
                    self.heard_to = record.position.next();
                }
                self.resume_throttled(out);
            }
            LogEvent::Failed { records, error } => self.not_stored(records, &error, out),
            LogEvent::Read { token, records } => self.read(token, records, out),
            LogEvent::CheckpointRequested { id, .. } => self.give_checkpoint_part(id),
            LogEvent::State(state) => self.log_state_changed(state, out),
        }
    }

    /// Bodies that somebody asked for.
    fn read<O: Outbox>(&mut self, token: u64, records: Vec<Result<Bytes, ReadError>>, out: &mut O) {
        if let Some(sink) = Hosting::moves_of(token) {
            self.leaving_read(sink, records);
        } else if let Some(page) = Hosting::redrive_of(token) {
            self.redrive_read(page, records);
        } else if let Some(number) = reader_of(token) {
            self.inbox_read(number, records, out);
        } else if let Some(number) = delayed_of(token) {
            self.delayed_read(number, records, out);
        } else if let Some(key) = purge_of(token) {
            self.purge_read(key, records);
        } else if let Some(key) = peek_of(token) {
            self.peek_read(key, records);
        } else if let Some(key) = look_of(token) {
            self.look_read(key, records);
        } else if let Some(number) = lender_of(token) {
            self.lend_read(number, records, out);
        } else if let Some(replay) = replay_of(token) {
            self.replay_read(replay, records, out);
        } else if token == RELIC_READ {
            self.relics_read(records);
        } else if token == REKEY_READ {
            let missing = self.hosting.rekey_read(records, &mut self.turn);
            self.count_missing(missing);
        } else if token == RELOCATE_READ {
            self.relocation_read(records);
        } else {
            self.hosting.read(token, records, &mut self.turn);
        }
    }

    fn committed<O: Outbox>(&mut self, record: &CommittedRecord, out: &mut O) {
        match record.kind {
            RecordKind::Publish => {
                match PublishRecord::decode(record.body.clone()) {
                    Ok(publish) => {
                        self.trace_stored(record, &publish);
                        self.apply(record, &publish, out);
                    }
                    Err(error) => {
                        let position = record.position.as_u64();
                        tracing::error!(%error, position, "a record of this process is not legal");
                    }
                }
                if record.from == self.id && !is_nobodys(record.token) {
                    self.answer_commit(record.token, None, out);
                }
            }
            RecordKind::Session => self.session_stored(record.token, out),
            RecordKind::Delayed => self.delayed_done(record.token),
            RecordKind::QueueDefined => self.defined::<QueueProperties>(record),
            RecordKind::StreamDefined => self.defined::<StreamProperties>(record),
            RecordKind::QueueDeleted => self.deleted(record),
            RecordKind::Settle => {
                self.hosting.settlements_stored(&record.body, &mut self.turn);
                self.operation_stored(record.token);
            }
            RecordKind::StreamChanged => {
                self.hosting.stream_stored(&record.body, &mut self.turn);
                self.operation_stored(record.token);
            }
            RecordKind::Attempt => {}
        }
    }

    /// Applies what a message changes.
    fn apply<O: Outbox>(&mut self, record: &CommittedRecord, publish: &PublishRecord, out: &mut O) {
        match publish.more() {
            Ok(None) => self.hosting.apply_publish(record, publish, None, &mut self.turn),
            Ok(Some(MoreTargets { relocated: Some(of), .. })) => {
                self.relocated(of, record.position);
            }
            Ok(Some(more)) => {
                self.hosting.apply_publish(record, publish, Some(&more), &mut self.turn);
                if let Some(moved) = more.moved {
                    self.redriven(moved);
                }
                if let Some(delayed) = more.delayed {
                    let size = publish.counted_bytes();
                    self.delayed_stored(delayed, Lying { at: record.position, size });
                }
                if let Some(version) = more.retained {
                    self.retained_stored(record, publish, version);
                }
                more.passed_on().for_each(|kept| self.passed_on(kept));
                self.apply_to_inboxes(record, publish, more.sessions, out);
            }
            Err(error) => tracing::error!(%error, "a record of this process is not legal"),
        }
    }

    /// Tells a publisher what became of its message: it is stored, or `refused`.
    pub(super) fn answer_commit<O: Outbox>(
        &mut self,
        token: u64,
        refused: Option<ReasonCode>,
        out: &mut O,
    ) {
        if let Some(key) = outside_of(token) {
            return self.outside_committed(key, refused);
        }
        let Some(pending) =
            usize::try_from(token).ok().and_then(|token| self.publishes.try_remove(token))
        else {
            return;
        };
        let PendingPublish { conn, session, ticket, packet_id, qos, stored } = pending;
        let reason = refused.unwrap_or(stored);
        if qos == QoS::ExactlyOnce
            && let Some(entry) = self.sessions.get_mut(session)
        {
            if reason.is_error() {
                entry.session.refuse_qos2(packet_id); // `[MQTT-4.3.3-9]`
            } else {
                entry.session.stored_qos2(packet_id);
            }
        }
        if let Some(state) = self.conns.get_mut(conn) {
            state.connection.ack_ready(ticket, reason);
            self.flush_acks(conn, out);
            return;
        }
        // The client has come back meanwhile, and may have repeated the packet.
        let Some(conn) = self.sessions.get(session).and_then(|entry| entry.conn) else { return };
        if let Some(state) = self.conns.get_mut(conn) {
            state.connection.ack_ready_for(packet_id, reason);
            self.flush_acks(conn, out);
        }
    }

    fn not_stored<O: Outbox>(
        &mut self,
        records: Vec<FailedRecord>,
        error: &AppendError,
        out: &mut O,
    ) {
        if self.log_state == LogState::Writable {
            // Once: from now on the log's state says it.
            tracing::warn!(records = records.len(), %error, "records not stored");
        }
        let reason = match error {
            AppendError::Full => ReasonCode::QUOTA_EXCEEDED,
            AppendError::Failed { .. } | AppendError::TooLarge { .. } => {
                ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
            }
            AppendError::ShutDown => ReasonCode::UNSPECIFIED_ERROR,
        };
        for record in records {
            self.give_back_room(&record);
            self.trace_not_stored(&record);
            let token = record.token;
            if record.kind == RecordKind::Settle && *error != AppendError::ShutDown {
                self.hosting.settlements_refused(&record.body, &mut self.turn);
                self.settle_again_at = self.turn.now + SETTLE_AGAIN;
            }
            if token == SETTLE_TOKEN
                && record.kind == RecordKind::Session
                && *error == AppendError::Full
            {
                self.inbox_refused(&record.body);
                self.settle_again_at = self.turn.now + SETTLE_AGAIN;
            }
            if token == SETTLE_TOKEN {
                // It is written again, or the next checkpoint makes up for it; a crash before that delivers again.
            } else if token == RELOCATE_TOKEN {
                self.not_relocated(&record);
            } else if token == MOVE_TOKEN {
                self.move_not_stored(&record);
            } else if token == PASS_TOKEN {
                self.pass_not_stored(&record);
            } else if token == NO_TOKEN {
                self.counts.unstored_qos0_total += 1;
                self.retained_not_stored(&record);
            } else if is_relic_token(token) {
                self.retained_not_stored(&record);
            } else if is_control_token(token) {
                self.control_failed(token, error);
            } else if is_delayed_token(token) {
                self.delayed_not_done(token, error);
            } else if let Some(key) = operation_of(token) {
                self.operation_not_stored(key, error);
            } else if is_session_token(token) {
                self.session_not_stored(token, error, out);
            } else if !self.hold_not_stored(&record, error, out) {
                self.retained_not_stored(&record);
                self.counts.publishes_refused_total += 1;
                self.answer_commit(token, Some(reason), out);
            }
            if record.kind == RecordKind::StreamChanged && *error != AppendError::ShutDown {
                // A reader that was set elsewhere is put back by now, and gets nothing from there.
                self.hosting.stream_not_stored(&record.body, &mut self.turn);
                self.settle_again_at = self.turn.now + SETTLE_AGAIN;
            }
        }
        self.resume_throttled(out);
    }

    /// What was taken of queues' rooms for a message that they will not get.
    fn give_back_room(&self, record: &FailedRecord) {
        if record.kind == RecordKind::Publish
            && let Ok(publish) = PublishRecord::decode(record.body.clone())
        {
            self.shared.routes.not_stored(&publish);
        }
    }

    /// Holds a 3.x publisher whose message failed on its way to the disk: there may be room again (contract, promise
    /// 1). False when its publisher can be told, or waits no more.
    fn hold_not_stored<O: Outbox>(
        &mut self,
        record: &FailedRecord,
        error: &AppendError,
        out: &mut O,
    ) -> bool {
        if !matches!(error, AppendError::Full | AppendError::Failed { .. }) {
            return false;
        }
        let Some(key) = usize::try_from(record.token).ok() else { return false };
        let Some(&pending) = self.publishes.get(key) else { return false };
        let is_held =
            self.conns.get(pending.conn).is_some_and(|state| !state.connection.version().is_v5());
        let publish = PublishRecord::decode(record.body.clone());
        let message = publish.and_then(|publish| Ok((publish.message()?, publish.more()?)));
        match message {
            Ok((message, more)) if is_held => {
                self.publishes.remove(key);
                let PendingPublish { ticket, stored, .. } = pending;
                let due_ms = more.as_ref().and_then(|more| more.delayed).map(|of| of.due_ms);
                let groups = more.iter().flat_map(|more| &more.sessions);
                let groups = groups.filter_map(|to| Some(to.shared?.mark.group)).collect();
                let retained = more.and_then(held_change);
                let place = Place { ticket, stored, groups, retained };
                self.hold(pending.conn, message, pending.packet_id, (Some(place), due_ms), out);
                true
            }
            _ => false,
        }
    }

    fn log_state_changed<O: Outbox>(&mut self, state: LogState, out: &mut O) {
        self.log_state = state;
        if self.id == CONTROL_SHARD {
            let now = UnixMillis(self.turn.unix_ms);
            tell_log_state(&self.shared.alarms, now, &self.log_state);
        }
        if self.log_state == LogState::Full {
            // Before it: what this turn has taken for stored so far.
            self.turn.hand_over_batch(&*self.shared.log);
            self.shared.log.heard_full(self.id);
        }
        if self.log_state != LogState::Writable {
            return;
        }
        self.settle_again_at = self.turn.now;
        self.shared.log.request_checkpoint();
        let durable: Vec<_> = self.sessions.durable().map(|(_, entry)| entry.id).collect();
        for id in durable {
            self.store_connected_again(id);
            self.store_received_again(id);
            self.store_leases_again(id);
            self.replay_again(id, out);
        }
        for conn in self.conns.ids() {
            if self.conns.get(conn).is_some_and(|state| !state.held.is_empty()) {
                self.end_hold(conn, out);
            }
        }
    }

    /// What the log must know of this shard to begin here.
    fn give_checkpoint_part(&mut self, id: u64) {
        // What waits for a record is in the part, and the record would come after the checkpoint.
        self.log_settlements();
        self.hosting.name_readers_anew();
        let as_of = UnixMillis(self.turn.unix_ms);
        let session = |(number, entry): (SessionNumber, &SessionEntry)| StoredSession {
            number,
            as_of,
            replays: self.replays_of(entry.id),
            leases: entry.extras.as_ref().map(|extras| extras.leases.kept()).unwrap_or_default(),
            image: entry.session.image(),
            owner: entry.owner.as_deref().map(Box::from),
            with_metadata: entry
                .extras
                .as_ref()
                .map(|extras| extras.with_metadata.clone())
                .unwrap_or_default(),
            groups: entry.extras.as_ref().map(|extras| extras.groups.clone()).unwrap_or_default(),
        };
        let part = ShardPart {
            next_sink: self.control.next_sink(),
            next_session: self.sessions.next_count(),
            queues: self.hosting.parts(),
            streams: self.hosting.stream_parts(),
            sessions: self.sessions.durable().map(session).collect(),
            delayed: self.delayed.all(),
            holding: self.holding(),
        };
        // This turn's releases are gone from the part: the log must hear of them first. Its records come before the part.
        self.turn.hand_over_releases(&*self.shared.log);
        self.turn.hand_over_batch(&*self.shared.log);
        // One shard tells of the retained messages, which all share.
        self.shared.retained.begin_gathering();
        let retained = (self.id == CONTROL_SHARD).then(|| Arc::clone(&self.shared));
        // The bytes, megabytes for a long queue, are made on a thread that nobody waits for.
        let part = Box::new(move || {
            let (mut bytes, mut held) = (part.encode(), part.held());
            if let Some(shared) = retained {
                held.append(&mut RetainedPart::put(&mut bytes, &shared.retained));
            }
            Part { bytes, held }
        });
        self.shared.log.checkpoint_part(self.id, id, part);
    }

    /// Why a message for queues cannot be taken now.
    pub(super) fn storage_refusal(&self) -> Option<ReasonCode> {
        match self.log_state {
            LogState::Writable => None,
            LogState::Full => Some(ReasonCode::QUOTA_EXCEEDED),
            LogState::Failed { .. } => Some(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR),
        }
    }

    /// What to tell a publisher beside a reason code of storage.
    pub(super) fn storage_reason(&self, reason: ReasonCode) -> Option<String> {
        let storage = matches!(
            reason,
            ReasonCode::QUOTA_EXCEEDED
                | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
                | ReasonCode::UNSPECIFIED_ERROR
        );
        match &self.log_state {
            LogState::Full if storage => {
                Some("message not stored: the broker's disk is full".to_owned())
            }
            LogState::Failed { .. } if storage => {
                Some("message not stored: the broker's log has failed, see its messages".to_owned())
            }
            _ => None,
        }
    }
}

/// The change of a retained message that a record would have made.
fn held_change(more: MoreTargets) -> Option<HeldChange> {
    let sessions = more.sessions.iter().map(|to| to.number).collect();
    Some(HeldChange { version: more.retained?, sessions })
}

/// Whether nobody waits for a record with that token.
const fn is_nobodys(token: u64) -> bool {
    matches!(token, NO_TOKEN | MOVE_TOKEN | PASS_TOKEN | RELOCATE_TOKEN)
}
