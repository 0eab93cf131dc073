//! The HTTP server against a backend that keeps queues in a map: routes, sign-in, paging, errors.

mod alarms;
mod backup;
mod client;
mod explain;
mod fake_backend;
mod limits;
mod open_routes;
mod openapi;
mod operator;
mod queue_operations;
mod queues;
mod sign_in;
mod streams;
mod users;
