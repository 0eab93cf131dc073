//! Starts the shard threads, and stops them.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use broker::{Post, Shard};
use mio::Poll;

use crate::address::Address;
use crate::clock::Clock;
use crate::config::Config;
use crate::door::Door;
use crate::handle::Handle;
use crate::listener::Bound;
use crate::quic::Quic;
use crate::worker::Worker;

/// The threads of a running broker.
pub struct Running {
    addresses: Vec<(String, Address)>,
    handle: Handle,
    doors: Arc<[Arc<Door>]>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    /// Of the listeners that speak QUIC.
    quic_doors: Vec<Arc<Door>>,
    quic_threads: Vec<JoinHandle<io::Result<()>>>,
}

/// Starts a thread for each shard; the first one accepts.
///
/// # Errors
/// A thread or its poll could not be made.
pub fn start(bound: Bound, config: Config, shards: Vec<Shard>, post: &Post) -> io::Result<Running> {
    let addresses = bound.addresses().to_vec();
    let tls = config
        .listeners
        .iter()
        .filter_map(|listener| listener.tls.clone().map(|tls| (listener.name.clone(), tls)));
    let handle = Handle {
        gates: bound.gates.into(),
        refusals: Arc::clone(&bound.refusals),
        incomplete: config.incomplete.clone(),
        tls: tls.collect(),
    };
    let linger = config.linger;
    let config = Arc::new(config);
    let mut polls = Vec::new();
    let mut doors = Vec::new();
    for shard in &shards {
        let poll = Poll::new()?;
        let door = Door::new(poll.registry())?;
        let woken = Arc::clone(&door);
        post.on_mail(shard.id(), move || woken.wake());
        polls.push(poll);
        doors.push(door);
    }
    let doors: Arc<[Arc<Door>]> = doors.into();
    let clock = Clock::new();
    let mut acceptors = Some(bound.acceptors);
    let mut threads = Vec::new();
    for ((shard, poll), door) in shards.into_iter().zip(polls).zip(doors.iter()) {
        let name = format!("shard-{}", shard.id().0);
        let worker = Worker {
            shard,
            poll,
            door: Arc::clone(door),
            doors: Arc::clone(&doors),
            post: post.clone(),
            config: Arc::clone(&config),
            acceptors: acceptors.take().unwrap_or_default(),
            clock,
        };
        threads.push(std::thread::Builder::new().name(name).spawn(move || worker.run())?);
    }
    // Mail that came before a thread could be woken is read in its first turn.
    for door in doors.iter() {
        door.wake();
    }
    let mut running = Running {
        addresses,
        handle,
        doors: Arc::clone(&doors),
        threads,
        quic_doors: Vec::new(),
        quic_threads: Vec::new(),
    };
    for listener in bound.quic {
        let name = format!("quic-{}", listener.gate.name);
        let (quic, door) = Quic::new(listener, Arc::clone(&doors), clock, linger)?;
        running.quic_doors.push(door);
        let thread = std::thread::Builder::new().name(name).spawn(move || quic.run())?;
        running.quic_threads.push(thread);
    }
    Ok(running)
}

impl Running {
    /// The listeners' names and addresses.
    #[must_use]
    pub fn addresses(&self) -> &[(String, Address)] {
        &self.addresses
    }

    /// For what the operator asks.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Accepts nobody any more.
    pub fn close_listeners(&self) {
        for door in self.doors.iter().chain(&self.quic_doors) {
            door.signal(|door| &door.closed_to_new);
        }
    }

    /// Whether a thread has ended, which none does by itself but by a failure.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.threads.iter().chain(&self.quic_threads).any(JoinHandle::is_finished)
    }

    /// Stops the threads, and waits for them.
    ///
    /// # Errors
    /// What ended a thread before.
    pub fn stop(self) -> io::Result<()> {
        self.doors.iter().for_each(|door| door.signal(|door| &door.stop));
        for thread in self.threads {
            thread.join().map_err(|_| io::Error::other("a shard's thread panicked"))??;
        }
        // Last, so that what the shards have written comes out.
        self.quic_doors.iter().for_each(|door| door.signal(|door| &door.stop));
        for thread in self.quic_threads {
            thread.join().map_err(|_| io::Error::other("a QUIC listener's thread panicked"))??;
        }
        Ok(())
    }
}
