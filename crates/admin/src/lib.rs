//! The HTTP server of the operator: REST, sign-in, health, metrics, on a runtime of its own.
//! It must not know packets or storage; what it asks goes through [`admin_api::Backend`].

mod access;
mod admin_token;
mod alarms;
mod backup;
mod clients;
mod config;
mod connections;
mod delayed;
mod explain;
mod failure;
mod health;
mod json_body;
mod listing;
mod login;
mod long_request;
mod metrics_page;
mod openapi;
mod publish;
mod queue_operations;
mod queues;
mod retained;
mod routes;
mod secret;
mod server;
mod shared;
mod sign_in;
mod start_page;
mod stream_operations;
mod streams;
mod users;

pub use admin_token::{AdminToken, AdminTokenError};
pub use config::Config;
pub use server::{Error, Running, Server, build};
