//! Starts the shard threads, and stops them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use broker::{Post, Shard};
use mio::{Poll, Waker};
use parking_lot::Mutex;

use crate::address::Address;
use crate::clock::Clock;
use crate::config::Config;
use crate::handle::Handle;
use crate::listener::Bound;
use crate::worker::{Door, Worker, waker_token};

/// The threads of a running broker.
pub struct Running {
    addresses: Vec<(String, Address)>,
    handle: Handle,
    doors: Arc<[Arc<Door>]>,
    threads: Vec<JoinHandle<io::Result<()>>>,
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
        gates: bound.acceptors.iter().map(|acceptor| Arc::clone(&acceptor.gate)).collect(),
        refusals: Arc::clone(&bound.refusals),
        tls: tls.collect(),
    };
    let config = Arc::new(config);
    let mut polls = Vec::new();
    let mut doors = Vec::new();
    for shard in &shards {
        let poll = Poll::new()?;
        let door = Arc::new(Door {
            handovers: Mutex::new(Vec::new()),
            waker: Waker::new(poll.registry(), waker_token())?,
            stop: AtomicBool::new(false),
            closed_to_new: AtomicBool::new(false),
        });
        let woken = Arc::clone(&door);
        post.on_mail(shard.id(), move || {
            if let Err(error) = woken.waker.wake() {
                tracing::error!(%error, "a shard's thread could not be woken");
            }
        });
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
        door.waker.wake()?;
    }
    Ok(Running { addresses, handle, doors, threads })
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
        self.signal(|door| &door.closed_to_new);
    }

    fn signal(&self, flag: impl Fn(&Door) -> &AtomicBool) {
        for door in self.doors.iter() {
            flag(door).store(true, Ordering::Release);
            if let Err(error) = door.waker.wake() {
                tracing::error!(%error, "a shard's thread could not be woken");
            }
        }
    }

    /// Whether a shard's thread has ended, which none does by itself but by a failure.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Stops the threads, and waits for them.
    ///
    /// # Errors
    /// What ended a thread before.
    pub fn stop(self) -> io::Result<()> {
        self.signal(|door| &door.stop);
        for thread in self.threads {
            thread.join().map_err(|_| io::Error::other("a shard's thread panicked"))??;
        }
        Ok(())
    }
}
