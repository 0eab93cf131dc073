//! Signing in and being known afterwards: passwords to tokens, tokens to identities.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use policy::User;
use tokio::sync::oneshot;

use crate::admin_token::AdminToken;
use crate::secret::{TokenDigest, random_token};

/// Who makes a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity(pub Arc<str>);

/// Why a login gave no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoginRefusal {
    /// No such user, or not the password; the two are not told apart.
    Wrong,
    /// The user may not manage the broker.
    NoAdmin,
    /// Too many logins wait already.
    Busy,
    /// Too many logins from there have failed.
    TooManyFailures,
    /// The system has no random numbers.
    Failed,
}

/// Turns passwords into tokens and knows the tokens again.
pub struct SignIn {
    admin_token: AdminToken,
    /// The users, and who checks their passwords.
    pub users: policy_backends::SignIn,
    tokens: Mutex<Tokens>,
}

impl SignIn {
    /// Signs in those users, and who has that token.
    pub fn new(
        admin_token: AdminToken,
        users: policy_backends::SignIn,
        token_lifetime: Duration,
        max_tokens: usize,
    ) -> Self {
        let tokens = Mutex::new(Tokens::new(token_lifetime, max_tokens));
        Self { admin_token, users, tokens }
    }

    /// Who holds that token, if anyone. A token ends with the password that gave it, and with the role.
    pub fn identify(&self, token: &str, now: Instant) -> Option<Identity> {
        let digest = TokenDigest::of(token);
        if self.admin_token.is(&digest) {
            return Some(Identity(Arc::from("admin")));
        }
        let then = self.lock().find(&digest, now)?;
        let user = self.users.store().get(then.username())?;
        let is_same = user.password == then.password && user.is_admin();
        is_same.then(|| Identity(Arc::clone(&user.identity.username)))
    }

    /// Checks a password and gives a token for it.
    ///
    /// Cancel safe: a login that is dropped leaves no token.
    pub async fn login(
        &self,
        address: IpAddr,
        username: &str,
        password: &str,
    ) -> Result<String, LoginRefusal> {
        let (say, said) = oneshot::channel();
        let done = Box::new(move |outcome| drop(say.send(outcome)));
        self.users.login(Some(address), username, password, done);
        // Dropped unanswered: too many wait.
        let user =
            said.await.map_err(|_| LoginRefusal::Busy)?.map_err(|refusal| match refusal {
                policy_backends::LoginRefusal::Wrong => LoginRefusal::Wrong,
                policy_backends::LoginRefusal::TooManyFailures => LoginRefusal::TooManyFailures,
            })?;
        if !user.is_admin() {
            return Err(LoginRefusal::NoAdmin);
        }
        let token = random_token().map_err(|_| LoginRefusal::Failed)?;
        self.lock().insert(TokenDigest::of(&token), user, Instant::now());
        Ok(token)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tokens> {
        // The map is whole after each statement, so a panic elsewhere leaves nothing half done.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tokens that logins gave, by digest, so that the memory of the process has none in clear; with the user as it was
/// then.
struct Tokens {
    by_digest: HashMap<TokenDigest, (Arc<User>, Instant)>,
    lifetime: Duration,
    capacity: usize,
}

impl Tokens {
    fn new(lifetime: Duration, capacity: usize) -> Self {
        Self { by_digest: HashMap::new(), lifetime, capacity: capacity.max(1) }
    }

    fn find(&self, digest: &TokenDigest, now: Instant) -> Option<Arc<User>> {
        let (user, expires_at) = self.by_digest.get(digest)?;
        (now < *expires_at).then(|| Arc::clone(user))
    }

    fn insert(&mut self, digest: TokenDigest, user: Arc<User>, now: Instant) {
        self.by_digest.retain(|_, (_, expires_at)| now < *expires_at);
        if self.by_digest.len() >= self.capacity {
            let oldest = self.by_digest.iter().min_by_key(|(_, (_, expires_at))| *expires_at);
            if let Some(digest) = oldest.map(|(digest, _)| *digest) {
                self.by_digest.remove(&digest);
            }
        }
        self.by_digest.insert(digest, (user, now + self.lifetime));
    }
}
