//! The life of a session: made, attached, detached, expired, put into an image and back. It must not know clocks.

use std::time::Duration;

use super::{
    AfterDisconnect, Closing, INBOX_IDS, InFlight, Inbox, IncomingQos2, ReasonCode, Released,
    Session, SessionImage, SubscriptionRecord, Subscriptions, UnixMillis, Will, WillVerdict,
};
use crate::negotiate::Negotiated;
use crate::pending::Pending;

/// A session expiry interval of that many seconds never ends (§3.1.2.11.2).
const NEVER: u32 = u32::MAX;

impl Session {
    /// A new session, with nobody connected yet.
    #[must_use]
    pub fn new(negotiated: &Negotiated) -> Self {
        // Half of the packet ids are for what storage keeps for the session.
        let outlives = negotiated.session_expiry_interval > 0;
        Self {
            client_id: negotiated.client_id.clone(),
            subscriptions: Subscriptions::default(),
            in_flight: InFlight::above(if outlives { INBOX_IDS } else { 0 }),
            inbox: outlives.then(Box::default),
            pending: None,
            incoming: None,
            unwritten: None,
            will: None,
            disconnected_at: UnixMillis(0),
            expiry_interval: negotiated.session_expiry_interval,
            window: 0,
            queue_qos0_offline: negotiated.queue_qos0_offline,
        }
    }

    /// A client connects to the session. An earlier connection must have been ended by [`Self::disconnect`].
    ///
    /// A will that still waits for its delay is forgotten `[MQTT-3.1.3-9]`; one whose time had come already is given
    /// back, to be published.
    pub fn attach(
        &mut self,
        negotiated: &Negotiated,
        will: Option<Box<Will>>,
        now: UnixMillis,
    ) -> Option<Box<Will>> {
        let overdue = self.take_due_will(now);
        self.will = will;
        self.window = negotiated.send_window;
        self.expiry_interval = negotiated.session_expiry_interval;
        self.queue_qos0_offline = negotiated.queue_qos0_offline;
        overdue
    }

    /// DISCONNECT from the client may give another session expiry interval.
    ///
    /// # Errors
    /// 0x82 when CONNECT gave none, or 0: a session that ends with its connection cannot be prolonged (§3.14.2.2.2).
    pub fn change_expiry(&mut self, interval: u32, max: u32) -> Result<(), ReasonCode> {
        if self.expiry_interval == 0 && interval != 0 {
            return Err(ReasonCode::PROTOCOL_ERROR);
        }
        self.expiry_interval = interval.min(max);
        Ok(())
    }

    /// The session expiry interval in seconds.
    #[must_use]
    pub const fn expiry_interval(&self) -> u32 {
        self.expiry_interval
    }

    /// Whether the session outlives the connection, so that live messages are kept until acknowledged.
    #[must_use]
    pub const fn outlives_connection(&self) -> bool {
        self.expiry_interval > 0
    }

    /// The connection ended, of which `written` bytes of output got into the socket. Deliveries of queues go back,
    /// those in flight first, each kind in the order they were sent.
    pub fn disconnect(
        &mut self,
        closing: Closing,
        now: UnixMillis,
        written: u64,
        released: &mut Vec<Released>,
    ) -> AfterDisconnect {
        let survives = self.outlives_connection();
        self.in_flight.carry_over(survives, written, released);
        if let Some(inbox) = &mut self.inbox {
            inbox.disconnect();
        }
        if let Some(unwritten) = &mut self.unwritten {
            unwritten.release(written, released, |_| true);
        }
        self.release_pending(released, |_| true);
        self.window = 0;
        self.disconnected_at = now;
        if closing == Closing::Normal {
            self.will = None;
        }
        self.shrink();
        let will = match self.take_due_will(now) {
            Some(will) => WillVerdict::Publish(will),
            None => self.will_due_at().map_or(WillVerdict::None, WillVerdict::At),
        };
        AfterDisconnect { will, session_ends: !survives }
    }

    /// When the session expires: `None` while a client is connected, and when it never does.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixMillis> {
        let expires = !self.is_connected() && self.expiry_interval != NEVER;
        expires.then(|| self.disconnected_at + Duration::from_secs(u64::from(self.expiry_interval)))
    }

    /// When the connection ended; means nothing while one is there.
    #[must_use]
    pub const fn disconnected_at(&self) -> UnixMillis {
        self.disconnected_at
    }

    /// The will, while it has not been published or forgotten.
    #[must_use]
    pub fn will(&self) -> Option<&Will> {
        self.will.as_deref()
    }

    /// Whether the session is over.
    #[must_use]
    pub fn is_expired(&self, now: UnixMillis) -> bool {
        self.expires_at().is_some_and(|at| at <= now)
    }

    /// When the will is to be published: after its delay, or when the session ends, whichever comes first; `None`
    /// without one and while a client is connected. `[MQTT-3.1.2-8]`
    #[must_use]
    pub fn will_due_at(&self) -> Option<UnixMillis> {
        let will = self.will.as_ref().filter(|_| !self.is_connected())?;
        let delayed = self.disconnected_at + Duration::from_secs(u64::from(will.delay_interval()));
        Some(self.expires_at().map_or(delayed, |expires| expires.min(delayed)))
    }

    /// The will, if its time has come.
    pub fn take_due_will(&mut self, now: UnixMillis) -> Option<Box<Will>> {
        self.will_due_at().filter(|at| *at <= now).and_then(|_| self.will.take())
    }

    /// The will, because the session ends now, by Clean Start or an operator. `[MQTT-3.1.2-8]`
    pub fn take_will(&mut self) -> Option<Box<Will>> {
        self.will.take()
    }

    /// The session's durable facts.
    #[must_use]
    pub fn image(&self) -> SessionImage {
        let incoming = self.incoming.iter().flat_map(|incoming| incoming.kept_ids());
        SessionImage {
            client_id: self.client_id.clone(),
            expiry_interval: self.expiry_interval,
            subscriptions: self
                .subscriptions()
                .map(|(filter, record)| (filter.into(), *record))
                .collect(),
            inbox: self.inbox.as_ref().map(|inbox| inbox.image()).unwrap_or_default(),
            incoming_qos2: incoming.collect(),
            will: self.will.as_deref().cloned(),
            disconnected_at: (!self.is_connected()).then_some(self.disconnected_at),
        }
    }

    /// The session of an image, with nobody connected: since the image's time, or since `now` when a client was.
    ///
    /// Packet ids of the inbox go on where they were. Those of other deliveries begin anywhere: the client may still
    /// hold some, and it is not known which.
    #[must_use]
    pub fn from_image(image: &SessionImage, now: UnixMillis) -> Self {
        let mut subscriptions = Subscriptions::default();
        for (filter, record) in &image.subscriptions {
            subscriptions.insert(filter, SubscriptionRecord { consumer: 0, ..*record });
        }
        let mut incoming = IncomingQos2::default();
        image.incoming_qos2.iter().for_each(|id| incoming.keep(*id));
        Self {
            client_id: image.client_id.clone(),
            subscriptions,
            in_flight: InFlight::above(INBOX_IDS).starting_after(now.0),
            inbox: Some(Box::new(Inbox::from_image(&image.inbox))),
            pending: None,
            incoming: (!incoming.is_empty()).then(|| Box::new(incoming)),
            unwritten: None,
            will: image.will.clone().map(Box::new),
            disconnected_at: image.disconnected_at.unwrap_or(now),
            expiry_interval: image.expiry_interval,
            window: 0,
            queue_qos0_offline: false,
        }
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts {
            subscriptions: &self.subscriptions,
            in_flight: &self.in_flight,
            inbox: self.inbox.as_deref(),
            pending: self.pending.as_deref(),
            incoming: self.incoming.as_deref(),
            window: self.window,
        }
    }
}

/// What the invariants look at.
pub(crate) struct Parts<'a> {
    pub(crate) subscriptions: &'a Subscriptions,
    pub(crate) in_flight: &'a InFlight,
    pub(crate) inbox: Option<&'a Inbox>,
    pub(crate) pending: Option<&'a Pending>,
    pub(crate) incoming: Option<&'a IncomingQos2>,
    pub(crate) window: u16,
}
