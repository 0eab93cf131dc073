//! What an operator should do something about now: raised when it begins, cleared when it is over. Shared by all shards
//! and the outside; nobody raises one for each message. It must not know why something is an alarm.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use stdx::UnixMillis;

/// The disk is full: what is to be kept is refused.
pub const DISK_FULL: &str = "disk_full";
/// The log takes nothing until the broker is started again.
pub const LOG_FAILED: &str = "log_failed";
/// A session, named by its client id, drops messages that wait for its client.
pub const SESSION_OVERFLOW: &str = "session_overflow";
/// What clients make the node keep of one kind is nearly as much as it may be.
pub const MEMORY: &str = "memory";
/// Retained messages are refused, or the next one would be.
pub const RETAINED_FULL: &str = "retained_full";
/// A listener's certificate ends within 14 days, or has ended.
pub const CERTIFICATE_EXPIRY: &str = "certificate_expiry";
/// A queue has messages, consumers and credit, and nothing has moved for too long.
pub const QUEUE_STALLED: &str = "queue_stalled";
/// A stream delivers nothing, because a stored message cannot be read.
pub const STREAM_STALLED: &str = "stream_stalled";
/// The account of a queue or a stream does not balance: a fault of the broker's.
pub const LEDGER_IMBALANCE: &str = "ledger_imbalance";

/// Alarms of one name that are kept apart. What is beyond is counted and said once, so that a thousand full sessions
/// neither fill memory nor hide another alarm.
const RESOURCES_MAX: usize = 100;

/// One alarm that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alarm {
    /// What it is, such as [`DISK_FULL`].
    pub name: &'static str,
    /// What it is about: a client id, a listener, a queue, `stream:` and the name of a stream.
    pub resource: String,
    /// When it was raised first.
    pub since: UnixMillis,
    /// Why, and what to do.
    pub reason: String,
}

/// How many alarms of one name there are and were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AlarmCounts {
    /// That stand now.
    pub standing: u64,
    /// That were raised since the start.
    pub raised_total: u64,
    /// That could not be kept, because too many of the name stood.
    pub unlisted_total: u64,
}

/// The alarms of a node.
#[derive(Debug, Default)]
pub struct Alarms {
    by_name: Mutex<BTreeMap<&'static str, OfName>>,
}

#[derive(Debug, Default)]
struct OfName {
    standing: BTreeMap<String, (UnixMillis, String)>,
    raised_total: u64,
    unlisted_total: u64,
}

impl Alarms {
    /// Raises an alarm, and says so in the log. One that stands keeps its time and takes the new reason.
    pub fn raise(&self, now: UnixMillis, name: &'static str, resource: &str, reason: String) {
        let mut by_name = self.by_name.lock();
        let of_name = by_name.entry(name).or_default();
        if let Some((_, known)) = of_name.standing.get_mut(resource) {
            *known = reason;
            return;
        }
        if of_name.standing.len() >= RESOURCES_MAX {
            of_name.unlisted_total += 1;
            if of_name.unlisted_total.is_power_of_two() {
                let unlisted = of_name.unlisted_total;
                tracing::warn!(
                    alarm = name,
                    resource,
                    unlisted,
                    "alarm not listed: too many: {reason}"
                );
            }
            return;
        }
        of_name.raised_total += 1;
        tracing::warn!(alarm = name, resource, "alarm raised: {reason}");
        of_name.standing.insert(resource.to_owned(), (now, reason));
    }

    /// Clears an alarm, if it stands, and says so in the log.
    pub fn clear(&self, name: &'static str, resource: &str) {
        let mut by_name = self.by_name.lock();
        let cleared = by_name.get_mut(name).and_then(|of_name| of_name.standing.remove(resource));
        if cleared.is_some() {
            tracing::info!(alarm = name, resource, "alarm cleared");
        }
    }

    /// Clears all alarms of a name but those of these resources.
    pub fn clear_others(&self, name: &'static str, keep: &[&str]) {
        let mut gone: Vec<String> = match self.by_name.lock().get(name) {
            Some(of_name) => of_name.standing.keys().cloned().collect(),
            None => return,
        };
        gone.retain(|resource| !keep.contains(&resource.as_str()));
        for resource in gone {
            self.clear(name, &resource);
        }
    }

    /// All that stand, by name and resource.
    #[must_use]
    pub fn list(&self) -> Vec<Alarm> {
        let by_name = self.by_name.lock();
        let of_name = |(name, of_name): (&&'static str, &OfName)| {
            let name = *name;
            let alarm = move |(resource, (since, reason)): (&String, &(UnixMillis, String))| {
                Alarm { name, resource: resource.clone(), since: *since, reason: reason.clone() }
            };
            of_name.standing.iter().map(alarm).collect::<Vec<_>>()
        };
        by_name.iter().flat_map(of_name).collect()
    }

    /// The counts of each name that was ever raised.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, AlarmCounts)> {
        let counts = |(name, of_name): (&&'static str, &OfName)| {
            let counts = AlarmCounts {
                standing: of_name.standing.len() as u64,
                raised_total: of_name.raised_total,
                unlisted_total: of_name.unlisted_total,
            };
            (*name, counts)
        };
        self.by_name.lock().iter().map(counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000);
    const LATER: UnixMillis = UnixMillis(2_000);

    fn lines(alarms: &Alarms) -> Vec<String> {
        let line = |alarm: &Alarm| {
            format!("{} {} {} {}", alarm.name, alarm.resource, alarm.since.0, alarm.reason)
        };
        alarms.list().iter().map(line).collect()
    }

    #[test]
    fn an_alarm_stands_from_its_first_raise_until_it_is_cleared() {
        let alarms = Alarms::default();
        alarms.raise(NOW, SESSION_OVERFLOW, "b", "first".to_owned());
        alarms.raise(LATER, SESSION_OVERFLOW, "b", "again".to_owned());
        alarms.raise(LATER, SESSION_OVERFLOW, "a", "other".to_owned());
        alarms.raise(LATER, DISK_FULL, "log", "no room".to_owned());
        assert_eq!(
            lines(&alarms),
            [
                "disk_full log 2000 no room",
                "session_overflow a 2000 other",
                "session_overflow b 1000 again",
            ]
        );
        alarms.clear(SESSION_OVERFLOW, "b");
        alarms.clear(SESSION_OVERFLOW, "nobody");
        alarms.clear(LOG_FAILED, "log");
        alarms.clear_others(DISK_FULL, &[]);
        assert_eq!(lines(&alarms), ["session_overflow a 2000 other"]);
        alarms.raise(LATER, SESSION_OVERFLOW, "b", "anew".to_owned());
        assert_eq!(lines(&alarms)[1], "session_overflow b 2000 anew");
        let full = AlarmCounts { standing: 0, raised_total: 1, unlisted_total: 0 };
        let overflow = AlarmCounts { standing: 2, raised_total: 3, unlisted_total: 0 };
        assert_eq!(alarms.counts(), [(DISK_FULL, full), (SESSION_OVERFLOW, overflow)]);
    }

    #[test]
    fn alarms_of_one_name_are_bounded_and_take_no_room_of_another() {
        let alarms = Alarms::default();
        for n in 0..RESOURCES_MAX + 5 {
            alarms.raise(NOW, SESSION_OVERFLOW, &format!("client-{n}"), "full".to_owned());
        }
        alarms.raise(NOW, DISK_FULL, "log", "no room".to_owned());
        assert_eq!(alarms.list().len(), RESOURCES_MAX + 1);
        let (_, counts) = alarms.counts()[1];
        assert_eq!((counts.standing, counts.unlisted_total), (RESOURCES_MAX as u64, 5));
        // Where one goes, another finds room.
        alarms.clear(SESSION_OVERFLOW, "client-0");
        alarms.raise(NOW, SESSION_OVERFLOW, "client-104", "full".to_owned());
        assert!(lines(&alarms).iter().any(|line| line.contains(" client-104 ")));
    }
}
