//! What the shard asks of whoever owns the sockets. The shard never sees a socket.

use mqtt_types::ReasonCode;

use crate::ids::ConnId;

/// Why the broker ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// The client said DISCONNECT.
    ClientDisconnect,
    /// The broker ended it, with that code.
    Server(ReasonCode),
}

/// The output side of a shard's connections, given to the shard with every input.
///
/// Bytes are buffered and leave with one write at the end of the turn.
pub trait Outbox {
    /// The output buffer of a connection, to append whole packets to; `None` when it is gone or closing. Marks the
    /// connection for the turn's flush.
    fn buffer(&mut self, conn: ConnId) -> Option<&mut Vec<u8>>;

    /// Bytes ever put into the connection's buffer: a mark that [`Outbox::written`] passes once they are written.
    fn mark(&self, conn: ConnId) -> u64;

    /// Bytes ever written to the connection's socket.
    fn written(&self, conn: ConnId) -> u64;

    /// Closes the connection after what is in its buffer has been written, or after a short while.
    fn close(&mut self, conn: ConnId, reason: CloseReason);

    /// Stops taking packets from the connection until [`Outbox::resume_reading`].
    fn pause_reading(&mut self, conn: ConnId);

    /// Takes packets from the connection again.
    fn resume_reading(&mut self, conn: ConnId);

    /// Asks for one call of `Shard::drained` when the connection's buffer has been written out.
    fn notify_drained(&mut self, conn: ConnId);
}
