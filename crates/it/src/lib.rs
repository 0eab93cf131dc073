//! The harness of the socket tests: start the real binary, talk to it, wait for conditions, look at its files.
//! It must not know how the broker works inside; what it knows of MQTT it spells out itself.

mod certificate;
mod ledger;
mod mount;
mod options;
mod output;
mod program;
mod proxy;
mod random;
mod reach;
mod rest;
mod segments;
mod severed;
mod shell;
mod terminal;
mod waiting;
mod weir;
mod wire;

pub use certificate::Certificate;
pub use ledger::Ledger;
pub use mount::Mount;
pub use options::Options;
pub use program::{Program, Received, Run};
pub use proxy::Proxy;
pub use random::Random;
pub use reach::Reach;
pub use rest::{Response, Rest};
pub use segments::Segments;
pub use severed::Severed;
pub use shell::Shell;
pub use terminal::Terminal;
pub use waiting::{DEADLINE, until};
pub use weir::{Refused, Stopped, Weir, weir_command};
pub use wire::{Client, Connect, Event, QUEUE_FULL, Version};
