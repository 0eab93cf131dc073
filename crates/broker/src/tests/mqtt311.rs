//! MQTT 3.1.1, statement by statement, and what differs in 3.1.
//! Statements that other tests hold already are named there.

mod connect;
mod flows;
mod mqtt31;
mod publish;
mod subscribe;
