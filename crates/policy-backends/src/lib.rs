//! The users of a data directory, and signing in against them: the file, password hashing, the workers that do it.
//! It must not know packets or HTTP.

mod config;
mod operators;
mod password;
mod private_file;
mod random;
mod sign_in;
mod user_file;
mod user_store;
mod workers;

pub use config::Config;
pub use operators::{LoginRefusal, NewUser, UserChange};
pub use private_file::{read as read_private, write as write_private};
pub use random::FirstPassword;
pub use sign_in::SignIn;
pub use user_store::{StoreError, UserStore};
