//! The writer thread: bytes to the socket, pings in between.

use std::net::Shutdown;

use mqtt_codec::{Packet, encode};
use mqtt_types::ProtocolVersion;

use crate::CloseReason;
use crate::in_flight::InFlight;
use crate::outbox::{Outbox, Work};
use crate::transport::{Outgoing, Socket};

/// Writes until the outbox is closed or the connection ends. After an orderly end only our direction is closed, so
/// that the reader takes what the server still sends: closing on unread bytes would reset the connection, and the
/// server might never see our DISCONNECT. Gives back why it ended; [`CloseReason::Ours`] says that all was written.
pub fn run(
    mut stream: Box<dyn Outgoing>,
    socket: &Socket,
    outbox: &Outbox,
    in_flight: &InFlight,
) -> CloseReason {
    let reason = write_all(&mut *stream, outbox);
    let directions =
        if matches!(reason, CloseReason::Ours) { Shutdown::Write } else { Shutdown::Both };
    in_flight.close(reason.clone());
    outbox.close();
    if directions == Shutdown::Write {
        stream.finish();
    }
    socket.shutdown(directions);
    reason
}

fn write_all(stream: &mut dyn Outgoing, outbox: &Outbox) -> CloseReason {
    let mut spare = Vec::new();
    loop {
        match outbox.next(std::mem::take(&mut spare)) {
            Work::Write(bytes) => {
                if let Err(error) = stream.write_all(&bytes).and_then(|()| stream.flush()) {
                    return error.into();
                }
                spare = bytes;
            }
            Work::Ping => {
                let ping = |out: &mut Vec<u8>| encode(&Packet::PingReq, ProtocolVersion::V5, out);
                outbox.push(ping).expect("a PINGREQ has nothing that could be too long");
            }
            Work::PingLost => return CloseReason::KeepAlive,
            Work::Done => return CloseReason::Ours,
        }
    }
}
