//! Which retained messages a subscription is sent, and which it has had live: a message comes once.
//!
//! Each change of a retained message has a version, given while the route of its message is what the router says
//! ([`Routes::unless_changed`](crate::routes::Routes::unless_changed)). A subscription notes the newest version in the moment
//! in which it enters the router. So what is newer is routed to it, and nothing else is, whatever shards they are on.

use mqtt_types::QoS;

use crate::retained::{Found, Shown, Sight, Standing};

/// What came to a subscription live, in terms of versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LiveSince {
    /// What is newer was routed to the subscription.
    since: u64,
    /// But for what is newer than the first of these, and not newer than the second: it had ended, which was taken back.
    away: (u64, u64),
    /// At QoS 0, what is not newer than this may have been routed and not have come.
    unsure_to: u64,
}

/// What becomes of a topic whose turn has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Its message is sent.
    Send,
    /// There is none, or it has come live.
    Skip,
    /// It depends on what the log does.
    Wait,
}

impl LiveSince {
    pub(super) const fn new(since: u64) -> Self {
        Self { since, away: (0, 0), unsure_to: 0 }
    }

    /// The version that the log is told: it knows of no gap, and twice is better than never.
    pub(super) fn since(&self) -> u64 {
        self.since.max(self.away.1)
    }

    /// Nothing was routed to the subscription between two versions. Of several such times, what lies between them counts too.
    pub(super) fn was_away(&mut self, from: u64, to: u64) {
        if from < to {
            let from = if self.away.1 == 0 { from } else { from.min(self.away.0) };
            self.away = (from, to);
        }
    }

    /// A message at QoS 0 with that version or an older one could not be sent when it was published.
    pub(super) fn missed(&mut self, newest: u64) {
        self.unsure_to = self.unsure_to.max(newest);
    }

    /// Whether a change has come live to who gets it at that QoS; `None` when that is not known.
    fn has(&self, version: u64, qos: Option<QoS>) -> bool {
        let is_sure = version > self.unsure_to || qos.is_some_and(|qos| qos > QoS::AtMostOnce);
        let was_away = version > self.away.0 && version <= self.away.1;
        version > self.since && !was_away && is_sure
    }

    /// What becomes of a topic, for a subscription with that QoS of a session that is durable or not. What a durable session
    /// gets at QoS 1 and 2 it gets by the log and else not at all; what comes to others live comes whatever the log does.
    pub(super) fn verdict(&self, sight: &Sight, granted: QoS, is_durable: bool) -> Verdict {
        let (is_there, qos) = match &sight.shown {
            Shown::Removed { .. } => (false, None),
            Shown::Found(Found::Stored { .. }) => (true, None),
            Shown::Found(Found::Message(message)) => (true, Some(message.head().qos.min(granted))),
        };
        let goes_by_log = is_durable && qos != Some(QoS::AtMostOnce);
        let has_it = match sight.standing {
            Standing::Unlogged if goes_by_log => false,
            _ => self.has(sight.version, qos),
        };
        let may_come_back =
            goes_by_log && sight.standing == Standing::OnItsWay && !self.has(sight.stored, None);
        match (is_there, has_it) {
            (true, false) => Verdict::Send,
            _ if may_come_back => Verdict::Wait,
            _ => Verdict::Skip,
        }
    }
}

#[cfg(test)]
mod tests {
    use mqtt_types::{Message, MessageHead, TopicName};

    use super::*;

    fn sight(version: u64, standing: Standing, stored: u64, qos: Option<QoS>) -> Sight {
        let topic = TopicName::new("t").expect("legal");
        let shown = match qos {
            None => Shown::Removed { topic: "t".into() },
            Some(qos) => {
                let head = MessageHead { qos, ..MessageHead::default() };
                let message = Message::new(head, topic, &[], b"payload").expect("small");
                Shown::Found(Found::Message(message))
            }
        };
        Sight { version, standing, stored, shown }
    }

    #[test]
    fn what_came_live_is_passed_over_and_what_may_come_back_is_waited_for() {
        use Standing::{OnItsWay, Stored, Unlogged};
        use Verdict::{Send, Skip, Wait};
        let (qos0, qos1, removed) = (Some(QoS::AtMostOnce), Some(QoS::AtLeastOnce), None);
        // The subscription is there since 10. Version, standing, what the log has, QoS; for a durable session, and others.
        let table = [
            (10, Stored, 10, qos1, Send, Send),
            (11, Stored, 11, qos1, Skip, Skip),
            (11, Stored, 11, qos0, Skip, Skip),
            (10, OnItsWay, 9, qos1, Send, Send),
            (11, OnItsWay, 9, qos1, Wait, Skip),
            (12, OnItsWay, 11, qos1, Skip, Skip),
            (11, OnItsWay, 9, qos0, Skip, Skip),
            (10, OnItsWay, 9, removed, Wait, Skip),
            (11, OnItsWay, 9, removed, Wait, Skip),
            (12, OnItsWay, 11, removed, Skip, Skip),
            (10, Unlogged, 9, qos1, Send, Send),
            (11, Unlogged, 9, qos1, Send, Skip),
            (11, Unlogged, 9, qos0, Skip, Skip),
            (11, Unlogged, 9, removed, Skip, Skip),
        ];
        for (version, standing, stored, qos, durable, other) in table {
            let row = format!("{version} {standing:?} {stored} {qos:?}");
            let live = LiveSince::new(10);
            let sight = sight(version, standing, stored, qos);
            assert_eq!(live.verdict(&sight, QoS::ExactlyOnce, true), durable, "durable: {row}");
            assert_eq!(live.verdict(&sight, QoS::ExactlyOnce, false), other, "other: {row}");
            // At QoS 0 it does not go by the log.
            if qos.is_some() {
                assert_eq!(live.verdict(&sight, QoS::AtMostOnce, true), other, "QoS 0: {row}");
            }
        }
    }

    #[test]
    fn what_was_published_while_the_subscription_was_away_is_sent() {
        let mut live = LiveSince::new(10);
        let versions = |live: &LiveSince| {
            let is_sent = |version: &u64| {
                let sight = sight(*version, Standing::Stored, *version, Some(QoS::AtLeastOnce));
                live.verdict(&sight, QoS::AtLeastOnce, true) == Verdict::Send
            };
            (9..22).filter(is_sent).collect::<Vec<_>>()
        };
        live.was_away(12, 12);
        assert_eq!((versions(&live), live.since()), (vec![9, 10], 10));
        live.was_away(12, 14);
        assert_eq!((versions(&live), live.since()), (vec![9, 10, 13, 14], 14));
        live.was_away(16, 17);
        assert_eq!((versions(&live), live.since()), (vec![9, 10, 13, 14, 15, 16, 17], 17));
        live.was_away(17, 17);
        assert_eq!(versions(&live), [9, 10, 13, 14, 15, 16, 17]);
    }

    #[test]
    fn what_was_missed_at_qos_0_is_sent_and_nothing_else() {
        let mut live = LiveSince::new(10);
        live.missed(20);
        live.missed(15);
        let verdict = |version, message, granted| {
            let sight = sight(version, Standing::Stored, version, Some(message));
            live.verdict(&sight, granted, true)
        };
        let (qos0, qos1) = (QoS::AtMostOnce, QoS::AtLeastOnce);
        assert_eq!(verdict(20, qos0, qos1), Verdict::Send);
        assert_eq!(verdict(20, qos1, qos0), Verdict::Send);
        assert_eq!(verdict(20, qos1, qos1), Verdict::Skip);
        assert_eq!(verdict(21, qos0, qos1), Verdict::Skip);
    }
}
