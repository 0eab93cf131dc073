//! MQTT 5.0, statement by statement: what a client that keeps to the wire can see of each.
//! Statements that other tests hold already are named there.

mod connect;
mod delivery;
mod flows;
mod packet_size;
mod publish;
mod shared;
mod subscribe;
