//! Who a client is: users and identities, what a CONNECT may do to sign in, SCRAM, and what holds guessers back.
//! Pure: no clock, randomness, files or threads. It must not know where users are kept, nor packets.

mod admission;
mod authenticator;
mod failures;
mod identity;
mod refusal;
mod scram;
mod user;
mod users;
mod verified;

pub use admission::{Admission, Anonymous, Attempt, Rules, SCRAM_SHA_256, admit};
pub use authenticator::{Authenticator, Begun, Everyone, Reply, Verdict};
pub use failures::{FailureLimits, Failures};
pub use identity::{ADMIN_ROLE, Identity};
pub use refusal::Refusal;
pub use scram::{ClientFirst, ScramClient, ScramError, ScramKeys, ScramServer};
pub use user::{ROLES_MAX, User, UserError, check_password, check_roles, check_username};
pub use users::{ADMIN, Users};
pub use verified::Verified;
