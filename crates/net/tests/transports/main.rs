//! The broker's listeners over real sockets: TLS, WebSocket, Unix.

mod certificates;
mod client;
mod plain;
mod refusals;
mod server;
mod streams;
mod tls;
mod websocket;
