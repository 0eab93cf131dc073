//! The threads that hash passwords: few, because each takes a core and 19 MiB, with a bound on what waits for them.
//! It must not know what it runs.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

/// What is to be run.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Who waits. Operators go first: they must get in while clients storm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    Operators,
    Clients,
}

/// As many wait as may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

/// Threads at work; they end when this is dropped, and what waits then is dropped with it.
pub(crate) struct Workers {
    desk: Arc<Desk>,
}

struct Desk {
    waiting: Mutex<Waiting>,
    came: Condvar,
    operators_max: usize,
    clients_max: usize,
}

#[derive(Default)]
struct Waiting {
    operators: VecDeque<Job>,
    clients: VecDeque<Job>,
    is_over: bool,
}

impl Workers {
    pub(crate) fn start(
        threads: usize,
        operators_max: usize,
        clients_max: usize,
    ) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            waiting: Mutex::default(),
            came: Condvar::new(),
            operators_max,
            clients_max,
        });
        let workers = Self { desk: Arc::clone(&desk) };
        for n in 0..threads.max(1) {
            let desk = Arc::clone(&desk);
            std::thread::Builder::new().name(format!("sign-in-{n}")).spawn(move || desk.work())?;
        }
        Ok(workers)
    }

    pub(crate) fn submit(&self, lane: Lane, job: Job) -> Result<(), Full> {
        let mut waiting = self.desk.waiting.lock();
        let (queue, max) = match lane {
            Lane::Operators => (&mut waiting.operators, self.desk.operators_max),
            Lane::Clients => (&mut waiting.clients, self.desk.clients_max),
        };
        if queue.len() >= max {
            return Err(Full);
        }
        queue.push_back(job);
        drop(waiting);
        self.desk.came.notify_one();
        Ok(())
    }
}

impl Desk {
    fn work(&self) {
        while let Some(job) = self.next() {
            job();
        }
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.is_over {
                return None;
            }
            let job = waiting.operators.pop_front().or_else(|| waiting.clients.pop_front());
            if job.is_some() {
                return job;
            }
            self.came.wait(&mut waiting);
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let mut waiting = self.desk.waiting.lock();
        waiting.is_over = true;
        let dropped = std::mem::take(&mut *waiting);
        waiting.is_over = true;
        drop(waiting);
        // Outside the lock: what a job holds may do something when it goes.
        drop(dropped);
        self.desk.came.notify_all();
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Workers")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// One worker that is held up until the sender is dropped.
    fn held_up() -> (Workers, Sender<()>) {
        let workers = Workers::start(1, 2, 3).expect("a thread");
        let (began, has_begun) = channel();
        let (release, held): (Sender<()>, Receiver<()>) = channel();
        let hold = move || {
            began.send(()).expect("somebody waits");
            let _ = held.recv();
        };
        workers.submit(Lane::Clients, Box::new(hold)).expect("room");
        has_begun.recv().expect("it runs");
        (workers, release)
    }

    #[test]
    fn each_lane_has_its_bound_and_operators_go_first() {
        let (workers, release) = held_up();
        let (said, heard) = channel();
        let say = |word: &'static str| {
            let said = said.clone();
            Box::new(move || said.send(word).expect("somebody listens")) as Job
        };
        for n in 0..5 {
            let expected = if n < 3 { Ok(()) } else { Err(Full) };
            assert_eq!(workers.submit(Lane::Clients, say("client")), expected, "{n}");
        }
        for n in 0..3 {
            let expected = if n < 2 { Ok(()) } else { Err(Full) };
            assert_eq!(workers.submit(Lane::Operators, say("operator")), expected, "{n}");
        }
        drop((release, said));
        let order: Vec<_> = heard.iter().take(5).collect();
        assert_eq!(order, ["operator", "operator", "client", "client", "client"]);
    }

    #[test]
    fn what_waits_at_the_end_is_dropped() {
        let (workers, release) = held_up();
        let (said, heard) = channel::<()>();
        workers
            .submit(Lane::Clients, Box::new(move || said.send(()).expect("dropped first")))
            .expect("room");
        drop(workers);
        assert!(heard.recv().is_err(), "it is dropped and has not run");
        drop(release);
    }
}
