//! The user resource. A password goes in and never comes out.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A user to create: the body of `POST /api/v1/users`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// Its name.
    #[schema(min_length = 1)]
    pub username: String,
    /// Its password, in clear.
    #[schema(min_length = 1, max_length = 1_024)]
    pub password: String,
    /// Its roles.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// A change to a user: the body of `PATCH /api/v1/users/{username}`. What is not given stays.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UserPatch {
    /// The name, which cannot change; read only to say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub username: Option<String>,
    /// The new password, in clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// All its roles from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

/// A user as everyone who manages users may see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// Its name.
    pub username: String,
    /// Its roles, in order.
    pub roles: Vec<String>,
}

impl fmt::Debug for UserSpec {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserSpec")
            .field("username", &self.username)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for UserPatch {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserPatch").field("roles", &self.roles).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        let spec = r#"{"username": "ada", "password": "secret", "roles": ["ops"]}"#;
        let spec: UserSpec = serde_json::from_str(spec).expect("legal");
        let patch: UserPatch = serde_json::from_str(r#"{"password": "secret"}"#).expect("legal");
        let shown = format!("{spec:?} {patch:?}");
        assert!(shown.contains("ada") && !shown.contains("secret"), "{shown}");
    }
}
