//! One user: name, roles, and what its password became. It must not know how passwords are hashed.

use std::sync::Arc;

use crate::identity::{ADMIN_ROLE, Identity};
use crate::scram::ScramKeys;

/// Roles that one user may have.
pub const ROLES_MAX: usize = 32;
const ROLE_BYTES_MAX: usize = 64;
const USERNAME_BYTES_MAX: usize = 255;
const PASSWORD_BYTES_MAX: usize = 1_024;

/// A user as it is kept. No password is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Name and roles.
    pub identity: Arc<Identity>,
    /// The hash of the password, in the PHC form.
    pub password: Box<str>,
    /// What SCRAM needs; a user of an older file has none until its password is set again.
    pub scram: Option<ScramKeys>,
}

/// Why users were not changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UserError {
    /// A user of that name exists.
    #[error("user '{0}' exists already")]
    Exists(String),
    /// There is no user of that name.
    #[error("user '{0}' does not exist")]
    NotFound(String),
    /// Nobody could manage the broker any more.
    #[error("user '{0}' is the last with the role admin; give that role to another user first")]
    LastAdmin(String),
    /// There are as many users as there may be.
    #[error("there are {0} users, as many as auth.max_users allows")]
    TooMany(usize),
    /// A field has a value that cannot be.
    #[error("{field}: {message}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

impl User {
    /// A user of that name, whose password was hashed already.
    #[must_use]
    pub fn new(
        username: &str,
        roles: &[String],
        password: Box<str>,
        scram: Option<ScramKeys>,
    ) -> Self {
        let identity =
            Identity { username: username.into(), roles: sorted(roles), by_certificate: false };
        Self { identity: Arc::new(identity), password, scram }
    }

    /// The user's name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.identity.username
    }

    /// Whether the user may manage everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.identity.has_role(ADMIN_ROLE)
    }

    /// The same user with other roles.
    #[must_use]
    pub fn with_roles(&self, roles: &[String]) -> Self {
        let identity = Identity { roles: sorted(roles), ..(*self.identity).clone() };
        Self { identity: Arc::new(identity), ..self.clone() }
    }
}

fn sorted(roles: &[String]) -> Arc<[Box<str>]> {
    let mut roles: Vec<Box<str>> = roles.iter().map(|role| role.as_str().into()).collect();
    roles.sort_unstable();
    roles.dedup();
    roles.into()
}

/// Checks the name of a user to be.
///
/// # Errors
/// It is empty or too long, or has characters that nobody sees.
pub fn check_username(name: &str) -> Result<(), UserError> {
    let message = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > USERNAME_BYTES_MAX {
        format!("is longer than {USERNAME_BYTES_MAX} bytes")
    } else if name.chars().any(char::is_control) || name.trim() != name {
        "has control characters, or space at an end".to_owned()
    } else {
        return Ok(());
    };
    Err(UserError::Invalid { field: "username", message })
}

/// Checks a password to be.
///
/// # Errors
/// It is empty or too long.
pub fn check_password(password: &str) -> Result<(), UserError> {
    let message = if password.is_empty() {
        "is empty".to_owned()
    } else if password.len() > PASSWORD_BYTES_MAX {
        format!("is longer than {PASSWORD_BYTES_MAX} bytes")
    } else {
        return Ok(());
    };
    Err(UserError::Invalid { field: "password", message })
}

/// Checks the roles of a user to be.
///
/// # Errors
/// They are too many, or one is no simple word.
pub fn check_roles(roles: &[String]) -> Result<(), UserError> {
    let error = |message| Err(UserError::Invalid { field: "roles", message });
    if roles.len() > ROLES_MAX {
        return error(format!("are more than {ROLES_MAX}"));
    }
    let is_word = |role: &str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        (1..=ROLE_BYTES_MAX).contains(&role.len()) && role.bytes().all(legal)
    };
    match roles.iter().find(|role| !is_word(role)) {
        Some(role) => error(format!(
            "'{}' is no role: letters, digits, '-', '_' and '.', {ROLE_BYTES_MAX} at most",
            role.escape_debug()
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_passwords_and_roles_are_checked() {
        let long = "x".repeat(2_000);
        for (name, legal) in [
            ("ada", true),
            ("a b,c=d", true),
            ("ä", true),
            ("", false),
            (" a", false),
            ("a\n", false),
            (&long, false),
        ] {
            assert_eq!(check_username(name).is_ok(), legal, "{name:?}");
        }
        for (password, legal) in [("x", true), (" ", true), ("", false), (&long, false)] {
            assert_eq!(check_password(password).is_ok(), legal);
        }
        for (role, legal) in
            [("admin", true), ("plant-2.ops_x", true), ("", false), ("a b", false), (&long, false)]
        {
            assert_eq!(check_roles(&[role.to_owned()]).is_ok(), legal, "{role:?}");
        }
        assert!(check_roles(&vec!["a".to_owned(); ROLES_MAX + 1]).is_err());
    }

    #[test]
    fn roles_are_in_order_and_once() {
        let roles = ["b", "admin", "b"].map(str::to_owned);
        let user = User::new("ada", &roles, "".into(), None);
        assert_eq!(*user.identity.roles, [Box::from("admin"), Box::from("b")]);
        assert!(user.is_admin() && !user.with_roles(&[]).is_admin());
    }
}
