//! The seam between a broker's shards and whoever knows the users. It must not know packets.

use std::fmt::Debug;
use std::sync::Arc;

use crate::admission::Attempt;
use crate::identity::Identity;
use crate::refusal::Refusal;
use crate::scram::ScramServer;

/// What a sign-in came to; without an identity the client is anonymous.
pub type Verdict = Result<Option<Arc<Identity>>, Refusal>;

/// Takes a verdict that could not be given at once. It is called at most once, on any thread.
pub type Reply = Box<dyn FnOnce(Verdict) + Send>;

/// How a sign-in began.
#[derive(Debug)]
pub enum Begun {
    /// It is over.
    Decided(Verdict),
    /// The reply will be called.
    Pending,
    /// The client has to go on from that challenge.
    Challenge {
        /// The server's side of the exchange.
        exchange: Box<ScramServer>,
        /// What to send.
        data: Vec<u8>,
    },
}

/// Knows who may connect. Its methods are called on shards' threads: they must not wait, hash passwords, or read files.
///
/// ```text
/// CONNECT ──▶ begin ──▶ Decided ─────────────────────────────▶ CONNACK
///                  ├──▶ Pending ──── reply, some time later ──▶ CONNACK
///                  └──▶ Challenge ── AUTH … AUTH ── conclude ─▶ CONNACK
/// ```
pub trait Authenticator: Send + Sync + Debug {
    /// Begins the sign-in of a client. `reply` is kept only when the answer is [`Begun::Pending`].
    fn begin(&self, attempt: &Attempt<'_>, reply: Reply) -> Begun;

    /// Ends an exchange with the client's last data: who it is, and what it is told to prove that we know it too.
    ///
    /// # Errors
    /// It does not prove what it claimed.
    fn conclude(
        &self,
        exchange: &ScramServer,
        attempt: &Attempt<'_>,
    ) -> Result<(Arc<Identity>, Vec<u8>), Refusal>;

    /// What has become of an identity since: none when its user is no more.
    fn renewed(&self, identity: &Arc<Identity>) -> Option<Arc<Identity>>;
}

/// Lets everyone in as nobody in particular: for brokers that are reached by those alone who may.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everyone;

impl Authenticator for Everyone {
    fn begin(&self, attempt: &Attempt<'_>, _: Reply) -> Begun {
        Begun::Decided(match attempt.method {
            Some(_) => Err(Refusal::UnknownMethod),
            None => Ok(None),
        })
    }

    fn conclude(
        &self,
        _: &ScramServer,
        _: &Attempt<'_>,
    ) -> Result<(Arc<Identity>, Vec<u8>), Refusal> {
        Err(Refusal::UnknownMethod)
    }

    fn renewed(&self, identity: &Arc<Identity>) -> Option<Arc<Identity>> {
        Some(Arc::clone(identity))
    }
}
