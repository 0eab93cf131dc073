//! The client against a server that follows a script, on real sockets.

mod connecting;
mod ending;
mod publishing;
mod quic;
mod receiving;
mod script;
mod subscribing;
mod transports;
mod websocket;
