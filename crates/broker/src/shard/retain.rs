//! What publishers do to retained messages: kept as long as there is room, in the log when they are committed, undone when
//! they are not.

use std::time::Duration;

use log_api::{CommittedRecord, FailedRecord, RecordKind};
use mqtt_types::{Message, PacketId, ReasonCode, TopicName};
use slab::Slab;
use stdx::{Instant, UnixMillis};

use super::Shard;
use super::live::Live;
use super::publish::Publisher;
use super::relics::Relics;
use super::replay::Reading;
use crate::alarms::RETAINED_FULL;
use crate::hosting::NO_TOKEN;
use crate::outbox::Outbox;
use crate::record::{MoreTargets, PublishRecord};
use crate::retained::{Change, NoRoom};
use crate::routes::Route;
use crate::timers::Timer;

/// How often it is looked for messages that have expired, and for room for those that are held.
const LOOK: Duration = Duration::from_secs(1);
/// When to go on with what is not done in one go.
const SOON: Duration = Duration::from_millis(1);
/// How long the alarm stands after the last message was refused.
const ALARM_LIFE: Duration = Duration::from_secs(60);
/// The resource of that alarm.
const RETAINED: &str = "retained";
/// Messages that expire in one go.
const EXPIRE_MAX: usize = 1024;

/// What a shard has under way about retained messages.
#[derive(Default)]
pub(crate) struct RetainedWork {
    /// Bodies that replays and operators wait for.
    pub(super) reads: Slab<Reading>,
    /// What is being written anew, at the control shard.
    pub(super) relics: Relics,
    /// Messages that all shards had refused when it was looked last, at the control shard.
    refused: u64,
    /// When the alarm of that is over, if nothing more is refused.
    clear_at: Option<Instant>,
}

/// What became of a retained message.
pub(super) enum Retained {
    /// It is kept, or there was nothing to remove: the version of that change, if it goes into the log.
    Kept(Option<u64>),
    NoRoom(NoRoom),
    /// The router has changed since the message was routed: nothing has happened.
    Rerouted,
}

impl Shard {
    /// Keeps a retained message, unless it would have to be routed anew. `[MQTT-3.3.1-5]`
    ///
    /// Who subscribes meanwhile is on its route, or finds it among the messages that are older than the subscription.
    pub(super) fn retain(
        &mut self,
        route: &Route,
        live: &mut Live<'_>,
        change: Change,
    ) -> Retained {
        let Some(message) = live.message() else { return Retained::Kept(None) };
        let publish = || self.shared.retained.publish(message, change);
        match self.shared.routes.unless_changed(route, publish) {
            None => Retained::Rerouted,
            Some(kept) => match self.count_refused(live, kept) {
                Ok(version) => Retained::Kept(version.filter(|_| change == Change::Logged)),
                Err(no_room) => Retained::NoRoom(no_room),
            },
        }
    }

    /// The same for a message that nobody gets live.
    pub(super) fn retain_unrouted(&mut self, live: &mut Live<'_>) -> Option<u64> {
        let kept = self.shared.retained.publish(live.message()?, Change::Logged);
        self.count_refused(live, kept).ok().flatten()
    }

    fn count_refused<T>(&mut self, live: &Live<'_>, kept: Result<T, NoRoom>) -> Result<T, NoRoom> {
        if let Err(no_room) = kept {
            self.counts.retained_refused_total += 1;
            let (refused, setting) = (self.counts.retained_refused_total, no_room.setting());
            if refused.is_power_of_two() {
                let topic = live.topic.as_str();
                tracing::warn!(topic, refused, "retained message refused: {setting} is reached");
            }
        }
        kept
    }

    /// Says no to the publisher of a retained message for which there is no room: the one before it stays. A publisher of
    /// 3.x cannot be told, and is held (contract, promise 1).
    pub(super) fn refuse_retained<O: Outbox>(
        &mut self,
        publisher: Publisher,
        packet_id: PacketId,
        live: &mut Live<'_>,
        no_room: NoRoom,
        out: &mut O,
    ) {
        let conn = publisher.conn;
        if self.conns.get(conn).is_some_and(|state| state.connection.version().is_v5()) {
            let setting = no_room.setting();
            let text = format!("retained message not kept: {setting} is reached");
            self.refusals.note(conn, packet_id, text);
        }
        self.refuse_or_hold(publisher, packet_id, live, (ReasonCode::QUOTA_EXCEEDED, None), out);
    }

    /// Why a held message cannot be taken yet, beside the disk.
    pub(super) fn retained_refusal(&self, held: &Message) -> Option<ReasonCode> {
        let has_room = !held.head().retain || self.shared.retained.has_room(held);
        (!has_room).then_some(ReasonCode::QUOTA_EXCEEDED)
    }

    /// A change of a retained message that came from here is in the log.
    pub(super) fn retained_stored(
        &mut self,
        record: &CommittedRecord,
        publish: &PublishRecord,
        version: u64,
    ) {
        if record.from != self.id {
            return;
        }
        match publish.kept(record.position) {
            Ok((topic, kept)) => {
                self.shared.retained.stored(topic, version, kept, &mut self.turn.holds);
            }
            Err(error) => tracing::error!(%error, "a record of this process is not legal"),
        }
    }

    /// A record is not in the log. If it was a change of a retained message whose publisher is told so, it is undone.
    pub(super) fn retained_not_stored(&self, record: &FailedRecord) {
        if record.kind != RecordKind::Publish {
            return;
        }
        let Ok(publish) = PublishRecord::decode(record.body.clone()) else { return };
        let (Ok(message), Ok(Some(more))) = (publish.message(), publish.more()) else { return };
        if let (Ok(topic), Some(version)) = (TopicName::new(message.topic()), more.retained) {
            self.shared.retained.not_stored(topic, version, record.token == NO_TOKEN);
        }
    }

    /// Writes retained messages that the log does not have: from a checkpoint of an older version.
    pub(crate) fn retain_anew(&mut self, messages: Vec<Message>) {
        for message in messages {
            let Ok(topic) = TopicName::new(message.topic()) else { continue };
            let (properties, payload) = (message.properties(), message.payload());
            let mut live = Live::new(*message.head(), topic, properties, payload, None);
            if let Some(version) = self.retain_unrouted(&mut live) {
                let more = MoreTargets { retained: Some(version), ..MoreTargets::default() };
                self.store(&Route::default(), &live, Some(more), NO_TOKEN);
            }
        }
    }

    /// Removes what has expired, and writes anew what keeps segments for little.
    pub(super) fn retained_due(&mut self) {
        let holds = &mut self.turn.holds;
        let more = self.shared.retained.expire(self.turn.unix_ms, EXPIRE_MAX, holds);
        let busy = self.gather_relics();
        self.tell_retained_full();
        let wait = if more || busy { SOON } else { LOOK };
        self.timers.set(self.turn.now + wait, Timer::Retained);
    }

    /// Raises the alarm while messages are refused, or the next one would be; clears it when that is over.
    fn tell_retained_full(&mut self) {
        let (refused, is_full) = self.shared.retained.refusals();
        let work = &mut self.retained;
        let is_new = std::mem::replace(&mut work.refused, refused) != refused;
        let now = UnixMillis(self.turn.unix_ms);
        if is_full || is_new {
            work.clear_at = Some(self.turn.now + ALARM_LIFE);
            let numbers = self.shared.retained.numbers();
            let reason = format!(
                "{} retained messages of {} bytes, {refused} refused: mqtt.max_retained_messages, \
                 mqtt.max_retained_bytes or mqtt.max_retained_memory is reached; remove retained messages or raise the limit",
                numbers.messages, numbers.bytes
            );
            self.shared.alarms.raise(now, RETAINED_FULL, RETAINED, reason);
        } else if work.clear_at.take_if(|at| *at <= self.turn.now).is_some() {
            self.shared.alarms.clear(RETAINED_FULL, RETAINED);
        }
    }
}
