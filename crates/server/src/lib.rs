//! Builds a node from its settings, runs it until it is told to stop, and drains it without loss.

mod access;
mod answer;
mod backend;
mod backup;
mod binding;
mod errors;
mod explain;
mod greeting;
mod limits;
mod mapping;
mod memory;
mod message_properties;
mod node;
mod operator;
mod queue_operations;
mod queue_properties;
mod queue_redrive;
mod retained;
mod serve;
mod stream_properties;
mod stream_views;
mod streams;

pub use serve::{Options, check, serve};
