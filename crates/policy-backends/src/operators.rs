//! What operators do: sign in, and change users. All of it hashes or writes a file, so it runs on the workers.
//!
//! `done` is called on any thread; when too many requests wait already, it is dropped uncalled.

use std::net::IpAddr;
use std::sync::Arc;

use policy::{Refusal, User, UserError, check_password, check_roles, check_username};

use crate::sign_in::Inner;
use crate::user_store::user;
use crate::workers::Lane;
use crate::{SignIn, StoreError};

/// Why an operator's login is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoginRefusal {
    /// No such user, or not the password; the two are not told apart.
    Wrong,
    /// Too many from there have failed.
    TooManyFailures,
}

/// A user to be.
#[derive(Clone)]
pub struct NewUser {
    /// Its name.
    pub username: String,
    /// Its password, in clear.
    pub password: String,
    /// Its roles.
    pub roles: Vec<String>,
}

/// A change to a user. What is `None` stays.
#[derive(Clone, Default)]
pub struct UserChange {
    /// The password that it shall have, in clear.
    pub password: Option<String>,
    /// The roles that it shall have.
    pub roles: Option<Vec<String>>,
}

/// Takes an answer.
type Done<T> = Box<dyn FnOnce(T) + Send>;

impl SignIn {
    /// Checks an operator's password.
    pub fn login(
        &self,
        address: Option<IpAddr>,
        username: &str,
        password: &str,
        done: Done<Result<Arc<User>, LoginRefusal>>,
    ) {
        let done: Done<Result<_, Refusal>> = Box::new(move |outcome| {
            done(outcome.map_err(|refusal| match refusal {
                Refusal::TooManyFailures => LoginRefusal::TooManyFailures,
                _ => LoginRefusal::Wrong,
            }));
        });
        match self.inner.decide_at_once(address, username, password.as_bytes()) {
            Some(outcome) => done(outcome),
            None => {
                let _ = self.verify_later(
                    Lane::Operators,
                    address,
                    username,
                    password.as_bytes(),
                    done,
                );
            }
        }
    }

    /// Creates a user.
    pub fn create(&self, new: NewUser, done: Done<Result<Arc<User>, StoreError>>) {
        self.run(move |inner| done(create(inner, &new)));
    }

    /// Changes a user.
    pub fn change(
        &self,
        username: String,
        change: UserChange,
        done: Done<Result<Arc<User>, StoreError>>,
    ) {
        self.run(move |inner| done(apply(inner, &username, &change)));
    }

    /// Removes a user.
    pub fn remove(&self, username: String, done: Done<Result<(), StoreError>>) {
        self.run(move |inner| {
            let removed = inner.store.change(|users| users.without(&username));
            inner.changed();
            done(removed);
        });
    }
}

fn create(inner: &Inner, new: &NewUser) -> Result<Arc<User>, StoreError> {
    check_username(&new.username)?;
    check_password(&new.password)?;
    check_roles(&new.roles)?;
    // Before the hashing, which is not cheap.
    if inner.store.get(&new.username).is_some() {
        return Err(UserError::Exists(new.username.clone()).into());
    }
    let made = user(&new.username, &new.password, &new.roles, inner.config.scram_iterations)?;
    inner.store.change(|users| users.with(made, inner.config.max_users))?;
    inner.changed();
    found(inner, &new.username)
}

fn apply(inner: &Inner, username: &str, change: &UserChange) -> Result<Arc<User>, StoreError> {
    let known = found(inner, username)?;
    if let Some(roles) = &change.roles {
        check_roles(roles)?;
    }
    let rehashed = match &change.password {
        Some(password) => {
            check_password(password)?;
            Some(user(username, password, &[], inner.config.scram_iterations)?)
        }
        None => None,
    };
    inner.store.change(|users| {
        // As it is now: the hashing took its time.
        let known = users.get(username).unwrap_or(&known);
        let mut changed = User::clone(known);
        if let Some(rehashed) = rehashed {
            changed = User { identity: Arc::clone(&changed.identity), ..rehashed };
        }
        if let Some(roles) = &change.roles {
            changed = changed.with_roles(roles);
        }
        users.with_changed(changed)
    })?;
    inner.changed();
    found(inner, username)
}

fn found(inner: &Inner, username: &str) -> Result<Arc<User>, StoreError> {
    let user = inner.store.get(username);
    user.ok_or_else(|| UserError::NotFound(username.to_owned()).into())
}
