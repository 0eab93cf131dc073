//! What a shard does in one turn, as the network layer would have it done. It must not know threads.

use mqtt_codec::{Limits, Packet, decode};
use stdx::Instant;

use super::Sockets;
use crate::ids::ConnId;
use crate::mail::Mail;
use crate::peer::Peer;
use crate::post::Post;
use crate::shard::Shard;

/// The time of a turn.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Since the start.
    pub now: Instant,
    /// Since 1970, in milliseconds.
    pub unix_ms: u64,
}

/// Gives the shard all that has come for it: what clients sent, letters, timers that are due. The turn ends with
/// [`Shard::end`]. Says whether there was something to do.
pub fn work(
    shard: &mut Shard,
    sockets: &mut Sockets,
    post: &Post,
    at: Moment,
    limits: &Limits,
) -> bool {
    let mut busy = false;
    shard.begin(at.now, at.unix_ms);
    for conn in sockets.flush() {
        busy = true;
        shard.drained(conn, sockets);
    }
    for slot in sockets.open.keys().copied().collect::<Vec<_>>() {
        busy |= take_input(shard, sockets, ConnId { slot, generation: slot }, limits);
    }
    let mut mail: Vec<Mail> = Vec::new();
    post.take(shard.id(), &mut mail);
    for letter in mail {
        busy = true;
        shard.mail(letter, sockets);
    }
    if shard.next_deadline().is_some_and(|due| due <= at.now) {
        busy = true;
        shard.tick(sockets);
    }
    busy
}

/// Feeds the shard what a client has sent, as long as it is read.
fn take_input(shard: &mut Shard, sockets: &mut Sockets, conn: ConnId, limits: &Limits) -> bool {
    let mut busy = false;
    while let Some(socket) = sockets.get(conn)
        && !socket.is_paused
        && socket.closed.is_none()
    {
        let version = socket.version;
        let bytes = std::mem::take(&mut socket.unread);
        let used = match decode(&bytes, version.unwrap_or_default(), limits) {
            Ok(Some((Packet::Connect(connect), used))) if version.is_none() => {
                socket.version = Some(connect.version);
                shard.connect(conn, &connect, &Peer::default(), sockets);
                used
            }
            Ok(Some((packet, used))) => {
                shard.packet(conn, &packet, sockets);
                used
            }
            Ok(None) => {
                let Some(more) = socket.input.pop_front() else {
                    socket.unread = bytes;
                    break;
                };
                socket.unread = [bytes, more].concat();
                continue;
            }
            Err(error) => {
                shard.malformed(conn, &error, sockets);
                bytes.len()
            }
        };
        busy = true;
        if let Some(socket) = sockets.get(conn) {
            socket.unread = bytes[used..].to_vec();
        }
    }
    busy
}
