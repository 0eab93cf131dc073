//! Signing in and being known afterwards: passwords to tokens, tokens to identities.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::Config;
use crate::credentials::{Credentials, PasswordHash};
use crate::secret::{TokenDigest, random_token};

/// Who makes a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity(pub Arc<str>);

/// Why a login gave no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoginRefusal {
    /// No such user, or not the password; the two are not told apart.
    Wrong,
    /// Too many logins wait already.
    Busy,
    /// The system has no random numbers or the check was lost.
    Failed,
}

/// Turns passwords into tokens and knows the tokens again.
pub struct SignIn {
    credentials: Credentials,
    tokens: Mutex<Tokens>,
    verifications: Semaphore,
    waiting: Semaphore,
}

impl SignIn {
    /// Signs in with those credentials.
    pub fn new(credentials: Credentials, config: &Config) -> Self {
        Self {
            credentials,
            tokens: Mutex::new(Tokens::new(config.token_lifetime, config.max_tokens)),
            verifications: Semaphore::new(config.max_verifications),
            waiting: Semaphore::new(config.max_verifications + config.max_waiting_logins),
        }
    }

    /// Who holds that token, if anyone.
    pub fn identify(&self, token: &str, now: Instant) -> Option<Identity> {
        let digest = TokenDigest::of(token);
        if self.credentials.is_admin_token(&digest) {
            return Some(Identity(Arc::from("admin")));
        }
        self.lock().find(&digest, now)
    }

    /// Checks a password on the blocking pool and gives a token for it.
    ///
    /// Cancel safe: a login that is dropped leaves no token.
    pub async fn login(&self, username: &str, password: String) -> Result<String, LoginRefusal> {
        let _place = self.waiting.try_acquire().map_err(|_| LoginRefusal::Busy)?;
        let _turn = self.verifications.acquire().await.map_err(|_| LoginRefusal::Failed)?;
        let known = self.credentials.password_of(username);
        let hash = known.cloned().unwrap_or_else(PasswordHash::nobody);
        let verified = tokio::task::spawn_blocking(move || hash.verifies(&password)).await;
        if known.is_none() || !verified.map_err(|_| LoginRefusal::Failed)? {
            return Err(LoginRefusal::Wrong);
        }
        let token = random_token().map_err(|_| LoginRefusal::Failed)?;
        self.lock().insert(TokenDigest::of(&token), Identity(Arc::from(username)), Instant::now());
        Ok(token)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tokens> {
        // The map is whole after each statement, so a panic elsewhere leaves nothing half done.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tokens that logins gave, by digest, so that the memory of the process has none in clear.
struct Tokens {
    by_digest: HashMap<TokenDigest, (Identity, Instant)>,
    lifetime: Duration,
    capacity: usize,
}

impl Tokens {
    fn new(lifetime: Duration, capacity: usize) -> Self {
        Self { by_digest: HashMap::new(), lifetime, capacity: capacity.max(1) }
    }

    fn find(&self, digest: &TokenDigest, now: Instant) -> Option<Identity> {
        let (identity, expires_at) = self.by_digest.get(digest)?;
        (now < *expires_at).then(|| identity.clone())
    }

    fn insert(&mut self, digest: TokenDigest, identity: Identity, now: Instant) {
        self.by_digest.retain(|_, (_, expires_at)| now < *expires_at);
        if self.by_digest.len() >= self.capacity {
            let oldest = self.by_digest.iter().min_by_key(|(_, (_, expires_at))| *expires_at);
            if let Some(digest) = oldest.map(|(digest, _)| *digest) {
                self.by_digest.remove(&digest);
            }
        }
        self.by_digest.insert(digest, (identity, now + self.lifetime));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_beyond_those_that_may_wait_is_told_to_come_again() {
        let data_dir = tempfile::tempdir().expect("temporary directory");
        let (credentials, password) =
            Credentials::load_or_create(data_dir.path()).expect("created");
        let password = password.expect("first start").reveal().to_owned();
        let mut config = Config::new(([127, 0, 0, 1], 0).into(), "1");
        (config.max_verifications, config.max_waiting_logins) = (1, 1);
        let sign_in = SignIn::new(credentials, &config);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let two_others = sign_in.waiting.try_acquire_many(2).expect("nobody is there yet");
        assert_eq!(
            runtime.block_on(sign_in.login("admin", password.clone())),
            Err(LoginRefusal::Busy)
        );
        drop(two_others);
        let token = runtime.block_on(sign_in.login("admin", password)).expect("now there is room");
        assert_eq!(sign_in.identify(&token, Instant::now()), Some(Identity(Arc::from("admin"))));
    }

    #[test]
    fn tokens_end_and_the_oldest_makes_room() {
        let second = Duration::from_secs(1);
        let start = Instant::now();
        let digest = |name: &str| TokenDigest::of(name);
        let identity = Identity(Arc::from("admin"));
        let mut tokens = Tokens::new(10 * second, 2);
        tokens.insert(digest("a"), identity.clone(), start);
        tokens.insert(digest("b"), identity.clone(), start + second);
        assert_eq!(tokens.find(&digest("a"), start + 9 * second), Some(identity.clone()));
        assert_eq!(tokens.find(&digest("a"), start + 10 * second), None);
        tokens.insert(digest("c"), identity.clone(), start + 2 * second);
        assert_eq!(tokens.find(&digest("a"), start + 2 * second), None);
        assert_eq!(tokens.find(&digest("b"), start + 2 * second), Some(identity));
        tokens.insert(digest("d"), Identity(Arc::from("x")), start + 100 * second);
        assert_eq!(tokens.by_digest.len(), 1);
    }
}
