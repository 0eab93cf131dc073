//! For tests and the simulator: the part of the network layer, without a network. Shards are driven by hand, one turn after
//! the other, over sockets that are buffers. It must not know what clients say.

mod sockets;
mod turn;

pub use sockets::{Socket, Sockets};
pub use turn::{Moment, work};
