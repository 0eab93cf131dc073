//! What the handlers share.

use std::sync::Arc;

use admin_api::Backend;

use crate::Config;
use crate::sign_in::SignIn;

/// What every handler may use.
pub struct Shared {
    pub config: Config,
    pub sign_in: Arc<SignIn>,
    pub backend: Arc<dyn Backend>,
}
