//! Bytes that wait to be written. Callers wait for room; the reader never does, so that both directions cannot wait
//! for each other.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// What the writer is to do next.
#[derive(Debug)]
pub enum Work {
    /// Write these bytes, which may be none, and what the transport has to answer.
    Write(Vec<u8>),
    /// Nothing was written for the keep alive, and no ping is on its way.
    Ping,
    /// A ping was not answered.
    PingLost,
    /// All is written, and there is no more.
    Done,
}

/// The bytes between callers, reader and writer.
pub struct Outbox {
    state: Mutex<State>,
    /// There is something to write, or no more will come.
    ready: Condvar,
    /// There is room again, or there never will be.
    room: Condvar,
    max_bytes: usize,
    keep_alive: Option<Duration>,
}

struct State {
    buffer: Vec<u8>,
    closing: bool,
    /// The transport has something of its own to write.
    is_nudged: bool,
    last_write: Instant,
    ping_sent: Option<Instant>,
}

impl Outbox {
    pub fn new(max_bytes: usize, keep_alive: Option<Duration>) -> Self {
        let state = State {
            buffer: Vec::new(),
            closing: false,
            is_nudged: false,
            last_write: Instant::now(),
            ping_sent: None,
        };
        Self {
            state: Mutex::new(state),
            ready: Condvar::new(),
            room: Condvar::new(),
            max_bytes,
            keep_alive,
        }
    }

    /// Appends at once, whatever waits already.
    pub fn push<E>(&self, append: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let result = append(&mut self.state.lock().buffer);
        self.ready.notify_one();
        result
    }

    /// Has the writer write what the transport has to answer.
    pub fn nudge(&self) {
        self.state.lock().is_nudged = true;
        self.ready.notify_one();
    }

    /// Appends once there is room, or the box is closed. `false` when the time ran out.
    pub fn wait_for_room(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        while state.buffer.len() >= self.max_bytes && !state.closing {
            if self.room.wait_until(&mut state, deadline).timed_out() {
                return false;
            }
        }
        true
    }

    /// No more will come: what is there is written, then the writer ends.
    pub fn close(&self) {
        self.state.lock().closing = true;
        self.ready.notify_all();
        self.room.notify_all();
    }

    /// The server has answered a ping.
    pub fn on_pong(&self) {
        self.state.lock().ping_sent = None;
        self.ready.notify_one();
    }

    /// Waits for what is to be done next. `spare` is filled and comes back as [`Work::Write`].
    pub fn next(&self, mut spare: Vec<u8>) -> Work {
        let mut state = self.state.lock();
        loop {
            if !state.buffer.is_empty() || std::mem::take(&mut state.is_nudged) {
                spare.clear();
                std::mem::swap(&mut spare, &mut state.buffer);
                state.last_write = Instant::now();
                drop(state);
                self.room.notify_all();
                return Work::Write(spare);
            }
            if state.closing {
                return Work::Done;
            }
            let Some(keep_alive) = self.keep_alive else {
                self.ready.wait(&mut state);
                continue;
            };
            let deadline = state.ping_sent.unwrap_or(state.last_write) + keep_alive;
            if Instant::now() < deadline {
                self.ready.wait_until(&mut state, deadline);
                continue;
            }
            if state.ping_sent.is_some() {
                return Work::PingLost;
            }
            state.ping_sent = Some(Instant::now());
            return Work::Ping;
        }
    }
}
