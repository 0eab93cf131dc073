//! Who a signed-in client is. It must not know how it proved so.

use std::sync::Arc;

/// The role that may manage everything.
pub const ADMIN_ROLE: &str = "admin";

/// Who a client is. A client without one is anonymous.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The user's name.
    pub username: Arc<str>,
    /// The user's roles, in order.
    pub roles: Arc<[Box<str>]>,
    /// Whether a certificate vouches for the name, so that it need not be that of a known user.
    pub by_certificate: bool,
}

impl Identity {
    /// Whether the user has that role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| &**own == role)
    }
}
