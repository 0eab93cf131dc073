//! The broker's listeners over real sockets: TLS, WebSocket, Unix, proxies before them, limits.

mod certificates;
mod client;
mod limits;
mod plain;
mod proxy;
mod quic;
mod refusals;
mod server;
mod streams;
mod tls;
mod websocket;
