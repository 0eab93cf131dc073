//! The HTTP server of the operator: REST, sign-in, health, metrics, on a runtime of its own.
//! It must not know packets or storage; what it asks goes through [`admin_api::Backend`].

mod access;
mod config;
mod connections;
mod credentials;
mod failure;
mod health;
mod json_body;
mod login;
mod metrics_page;
mod queues;
mod routes;
mod secret;
mod server;
mod shared;
mod sign_in;
mod start_page;

pub use config::Config;
pub use credentials::{Credentials, CredentialsError, FirstPassword};
pub use server::{Error, Running, Server, build};
