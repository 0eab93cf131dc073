//! Signing in against the users of a store: passwords on the workers, exchanges at once.
//! It must not know packets or HTTP.

#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant as Clock;

use parking_lot::Mutex;
use policy::{
    Admission, Attempt, Authenticator, Begun, ClientFirst, Failures, Identity, Refusal, Reply,
    ScramError, ScramServer, User, Verdict, Verified, admit, check_password,
};
use stdx::Instant;

use crate::workers::{Full, Lane, Workers};
use crate::{Config, StoreError, UserStore, password, random};

/// Signs clients and operators in. Clones are the same one.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub(crate) inner: Arc<Inner>,
    workers: Arc<Workers>,
}

/// Hears of each change of the users.
type OnChange = Box<dyn Fn(&UserStore) + Send + Sync>;

/// What the workers' jobs share. The workers are not in it: their last job must not end them.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) store: UserStore,
    failures: Mutex<Failures>,
    verified: Mutex<Verified>,
    origin: Clock,
    on_change: OnceLock<OnChange>,
}

impl SignIn {
    /// Starts the workers.
    ///
    /// # Errors
    /// The system has no thread or no random numbers.
    pub fn start(config: Config, store: UserStore) -> io::Result<Self> {
        let workers = Workers::start(
            config.verification_threads,
            config.max_waiting_operators,
            config.max_waiting,
        )?;
        let key = random::bytes().map_err(io::Error::other)?;
        let verified = Verified::new(key, config.remember_verified, config.max_remembered);
        let inner = Inner {
            failures: Mutex::new(Failures::new(config.failures)),
            verified: Mutex::new(verified),
            origin: Clock::now(),
            on_change: OnceLock::new(),
            config,
            store,
        };
        Ok(Self { inner: Arc::new(inner), workers: Arc::new(workers) })
    }

    /// The users.
    #[must_use]
    pub fn store(&self) -> &UserStore {
        &self.inner.store
    }

    /// Says whom to call after each change of the users. Only the first call counts.
    pub fn on_change(&self, call: impl Fn(&UserStore) + Send + Sync + 'static) {
        let _ = self.inner.on_change.set(Box::new(call));
    }

    /// Reads the users again.
    ///
    /// # Errors
    /// As for [`UserStore::reload`].
    pub fn reload(&self) -> Result<(), StoreError> {
        self.inner.store.reload()?;
        self.inner.changed();
        Ok(())
    }

    /// Checks a password on the workers.
    pub(crate) fn verify_later(
        &self,
        lane: Lane,
        address: Option<IpAddr>,
        username: &str,
        password: &[u8],
        done: Box<dyn FnOnce(Result<Arc<User>, Refusal>) + Send>,
    ) -> Result<(), Refusal> {
        let inner = Arc::clone(&self.inner);
        let (username, password) = (username.to_owned(), password.to_owned());
        let began = inner.now();
        let job = move || {
            // Who has waited for so long is not there any more.
            let is_late = inner.now().since(began) > inner.config.wait_max;
            let decide = || inner.decide(address, &username, &password);
            done(if is_late { Err(Refusal::Busy) } else { decide() });
        };
        self.workers.submit(lane, Box::new(job)).map_err(|Full| Refusal::Busy)
    }

    /// Runs something that takes long for an operator; not when too many wait.
    pub(crate) fn run(&self, job: impl FnOnce(&Inner) + Send + 'static) {
        let inner = Arc::clone(&self.inner);
        let _ = self.workers.submit(Lane::Operators, Box::new(move || job(&inner)));
    }

    fn begin_password(
        &self,
        attempt: &Attempt<'_>,
        username: &str,
        password: &[u8],
        reply: Reply,
    ) -> Begun {
        if let Some(outcome) = self.inner.decide_at_once(attempt.address, username, password) {
            return Begun::Decided(verdict(outcome));
        }
        let done = Box::new(move |outcome| reply(verdict(outcome)));
        match self.verify_later(Lane::Clients, attempt.address, username, password, done) {
            Ok(()) => Begun::Pending,
            Err(refusal) => Begun::Decided(Err(refusal)),
        }
    }

    fn begin_exchange(&self, attempt: &Attempt<'_>) -> Result<Begun, Refusal> {
        let inner = &self.inner;
        let first = ClientFirst::parse(attempt.data).map_err(refusal)?;
        // The exchange says who the client is; CONNECT must not say otherwise.
        if attempt.username.is_some_and(|username| username != first.username) {
            return Err(Refusal::WrongCredentials);
        }
        inner.check_failures(attempt.address, &first.username)?;
        let keys = inner.store.get(&first.username).and_then(|user| user.scram.clone());
        let keys = keys.unwrap_or_else(|| {
            inner.store.keys_of_nobody(&first.username, inner.config.scram_iterations)
        });
        let nonce = random::nonce().map_err(|_| Refusal::Unfinished)?;
        let (exchange, data) = ScramServer::begin(first, keys, &nonce);
        Ok(Begun::Challenge { exchange: Box::new(exchange), data })
    }
}

impl Authenticator for SignIn {
    fn begin(&self, attempt: &Attempt<'_>, reply: Reply) -> Begun {
        let inner = &self.inner;
        let has_users = inner.store.has_others_than_admin();
        match admit(&inner.config.rules, has_users, attempt) {
            Admission::Refused(refusal) => Begun::Decided(Err(refusal)),
            Admission::Anonymous => Begun::Decided(Ok(None)),
            Admission::Certificate(name) => Begun::Decided(Ok(Some(inner.vouched(name)))),
            Admission::Scram => {
                self.begin_exchange(attempt).unwrap_or_else(|refusal| Begun::Decided(Err(refusal)))
            }
            Admission::Password { username, password } => {
                self.begin_password(attempt, username, password, reply)
            }
        }
    }

    fn conclude(
        &self,
        exchange: &ScramServer,
        attempt: &Attempt<'_>,
    ) -> Result<(Arc<Identity>, Vec<u8>), Refusal> {
        let inner = &self.inner;
        let concluded = exchange.finish(attempt.data).map_err(refusal).and_then(|data| {
            let user = inner.store.get(exchange.username()).ok_or(Refusal::WrongCredentials)?;
            Ok((Arc::clone(&user.identity), data))
        });
        if concluded.is_err() {
            inner.note_failure(attempt.address, exchange.username());
        }
        concluded
    }

    fn renewed(&self, identity: &Arc<Identity>) -> Option<Arc<Identity>> {
        if identity.by_certificate {
            return Some(self.inner.vouched(&identity.username));
        }
        self.inner.store.get(&identity.username).map(|user| Arc::clone(&user.identity))
    }
}

fn verdict(outcome: Result<Arc<User>, Refusal>) -> Verdict {
    outcome.map(|user| Some(Arc::clone(&user.identity)))
}

fn refusal(error: ScramError) -> Refusal {
    match error {
        ScramError::Malformed | ScramError::Unsupported => Refusal::BadExchange,
        ScramError::WrongProof => Refusal::WrongCredentials,
    }
}

impl Inner {
    /// What needs no hashing.
    pub(crate) fn decide_at_once(
        &self,
        address: Option<IpAddr>,
        username: &str,
        password: &[u8],
    ) -> Option<Result<Arc<User>, Refusal>> {
        if let Err(refusal) = self.check_failures(address, username) {
            return Some(Err(refusal));
        }
        // It can be nobody's, and need not be kept until a worker has time.
        if std::str::from_utf8(password).map_or(true, |text| check_password(text).is_err()) {
            self.note_failure(address, username);
            return Some(Err(Refusal::WrongCredentials));
        }
        let user = self.store.get(username)?;
        self.verified.lock().knows(&user, password, self.now()).then_some(Ok(user))
    }

    /// Hashes. A user that does not exist takes as long as one that does.
    fn decide(
        &self,
        address: Option<IpAddr>,
        username: &str,
        password: &[u8],
    ) -> Result<Arc<User>, Refusal> {
        // Others may have failed while this one waited.
        self.check_failures(address, username)?;
        let user = self.store.get(username);
        let hash = user.as_ref().map_or(password::NOBODY, |user| &user.password);
        let is_right = password::verifies(hash, password);
        match user.filter(|_| is_right) {
            Some(user) => {
                self.verified.lock().remember(&user, password, self.now());
                Ok(user)
            }
            None => {
                self.note_failure(address, username);
                Err(Refusal::WrongCredentials)
            }
        }
    }

    fn check_failures(&self, address: Option<IpAddr>, username: &str) -> Result<(), Refusal> {
        match self.failures.lock().must_wait(address, username, self.now()) {
            true => Err(Refusal::TooManyFailures),
            false => Ok(()),
        }
    }

    fn note_failure(&self, address: Option<IpAddr>, username: &str) {
        self.failures.lock().note(address, username, self.now());
    }

    /// Who a certificate speaks of; it has the roles of the user of that name, if there is one.
    fn vouched(&self, name: &str) -> Arc<Identity> {
        let user = self.store.get(name);
        let roles = user.map_or_else(|| Arc::from([]), |user| Arc::clone(&user.identity.roles));
        Arc::new(Identity { username: name.into(), roles, by_certificate: true })
    }

    pub(crate) fn changed(&self) {
        if let Some(call) = self.on_change.get() {
            call(&self.store);
        }
    }

    fn now(&self) -> Instant {
        let elapsed = self.origin.elapsed().as_nanos();
        Instant::from_nanos(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIn").field("config", &self.config).finish_non_exhaustive()
    }
}
