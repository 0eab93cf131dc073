//! How a request ended.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use mqtt_types::ReasonCode;

use crate::{CloseReason, Error};

/// What the server said to a publish. Before 5.0, and at QoS 0, there is success only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishOutcome {
    /// The reason code of PUBACK, PUBREC or PUBCOMP.
    pub reason_code: ReasonCode,
    /// The same in words.
    pub reason_string: Option<String>,
}

/// What the server said to a SUBSCRIBE or UNSUBSCRIBE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterOutcomes {
    /// One for each filter, in their order; for an UNSUBSCRIBE none before 5.0.
    pub reason_codes: Vec<ReasonCode>,
    /// The same in words, for all of them.
    pub reason_string: Option<String>,
}

/// A request under way.
#[derive(Debug)]
pub struct Ticket<T> {
    pub(crate) outcome: Receiver<Result<T, CloseReason>>,
    pub(crate) packet: &'static str,
}

impl<T> Ticket<T> {
    /// Waits for the end of the request.
    ///
    /// # Errors
    /// No answer came in time, the connection ended before, or the wait was interrupted.
    pub fn wait(&self, timeout: Duration) -> Result<T, Error> {
        match self.outcome.recv_timeout(timeout) {
            Ok(outcome) => Ok(outcome?),
            Err(RecvTimeoutError::Timeout) => {
                Err(Error::Timeout { packet: self.packet, waited: timeout })
            }
            Err(RecvTimeoutError::Disconnected) => Err(Error::Interrupted),
        }
    }

    /// The outcome if it is there.
    ///
    /// # Errors
    /// The connection ended before.
    pub fn poll(&self) -> Result<Option<T>, Error> {
        self.outcome.try_recv().ok().transpose().map_err(Error::from)
    }
}
