//! What a message costs in a queue that keeps up, and in one where millions wait. One iteration is one message.

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use queue_engine::{
    Action, ConsumerId, DispatchStrategy, Input, Key, NewMessage, Offset, Outcome, Overflow, Queue,
    QueueConfig, StoredAt,
};
use stdx::{Instant, UnixMillis};

/// Shows that a message allocates nothing, but for a packed chunk each 512.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const IN_FLIGHT: u64 = 128;

fn main() {
    divan::main();
}

/// A queue, the time, and the actions of the last input.
struct Load {
    queue: Queue,
    actions: Vec<Action>,
    leases: std::collections::VecDeque<(ConsumerId, Offset, u32)>,
    number: u64,
    /// Messages go around so many keys.
    keys: u64,
    /// They live so long, in milliseconds, and up to as long again; 0: for ever.
    time_to_live: u64,
}

impl Load {
    fn new(strategy: DispatchStrategy, consumers: u64) -> Self {
        Self::with(QueueConfig { dispatch_strategy: strategy, ..QueueConfig::default() }, consumers)
    }

    fn with(config: QueueConfig, consumers: u64) -> Self {
        let mut load = Self {
            queue: Queue::new(QueueConfig { max_inflight: 256, ..config }, 1),
            actions: Vec::with_capacity(1024),
            leases: std::collections::VecDeque::with_capacity(1024),
            number: 0,
            keys: 1,
            time_to_live: 0,
        };
        for consumer in (0..consumers).map(ConsumerId) {
            load.handle(Input::Attach { consumer, max_inflight: 256 });
        }
        load
    }

    fn handle(&mut self, input: Input) {
        let now = Instant::from_nanos(self.number * 1000);
        self.queue.handle(now, black_box(input), &mut self.actions).expect("inputs are legal");
        for action in self.actions.drain(..) {
            if let Action::Deliver { consumer, offset, attempt, .. } = action {
                self.leases.push_back((consumer, offset, attempt));
            }
        }
    }

    fn enqueue(&mut self) {
        let at = StoredAt(((self.number / 200_000) << 32) | (self.number % 200_000 * 320));
        let stored = UnixMillis(1_800_000_000_000 + self.number / 100);
        self.number += 1;
        let key = match self.keys {
            1 => Key::NONE,
            // Spread over all words, as hashes are.
            keys => Key((self.number % keys + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        };
        let expires = match self.time_to_live {
            0 => None,
            lives => {
                Some(UnixMillis(stored.0 + lives + self.number.wrapping_mul(0x9E37_79B9) % lives))
            }
        };
        let message = NewMessage::new(at, 256 + (self.number % 64) as u32, stored);
        self.handle(Input::Enqueue(NewMessage { key, expires, ..message }));
    }

    fn settle(&mut self, outcome: Outcome) {
        if let Some((consumer, offset, attempt)) = self.leases.pop_front() {
            self.handle(Input::Settle { consumer, offset, attempt, outcome });
        }
    }
}

/// Enqueued, delivered and settled, with 128 in flight.
#[divan::bench(
    args = [DispatchStrategy::RoundRobin, DispatchStrategy::Random, DispatchStrategy::LeastInflight],
    consts = [4, 10_000],
    sample_count = 20, sample_size = 500_000,
)]
fn through<const CONSUMERS: u64>(bencher: Bencher<'_, '_>, strategy: DispatchStrategy) {
    let mut load = Load::new(strategy, CONSUMERS);
    (0..IN_FLIGHT).for_each(|_| load.enqueue());
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        load.enqueue();
        load.settle(Outcome::Accept);
    });
}

/// By keys, in order: enqueued, delivered and settled, with 128 in flight.
#[divan::bench(args = [1000, 1_000_000], sample_count = 10, sample_size = 200_000)]
fn through_by_key(bencher: Bencher<'_, '_>, keys: u64) {
    let mut load = Load::new(DispatchStrategy::KeyOrdered, 4);
    load.keys = keys;
    (0..IN_FLIGHT).for_each(|_| load.enqueue());
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        load.enqueue();
        load.settle(Outcome::Accept);
    });
}

/// By keys: two million wait, of a million keys, and a message is settled; every second one is passed over at first.
#[divan::bench(sample_count = 5, sample_size = 200_000)]
fn drain_by_key(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(DispatchStrategy::KeyOrdered, 0);
    load.keys = 3;
    for n in 0..2_000_000 {
        load.keys = if n % 2 == 0 { 3 } else { 1_000_000 };
        load.enqueue();
    }
    for consumer in (0..4).map(ConsumerId) {
        load.handle(Input::Attach { consumer, max_inflight: 32 });
    }
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| load.settle(Outcome::Accept));
}

/// Enqueued into a full queue that drops its oldest.
#[divan::bench(sample_count = 10, sample_size = 200_000)]
fn drop_oldest(bencher: Bencher<'_, '_>) {
    let config = QueueConfig {
        max_messages: Some(1_000_000),
        overflow: Overflow::DropOldest,
        ..QueueConfig::default()
    };
    let mut load = Load::with(config, 4);
    (0..1_100_000).for_each(|_| load.enqueue());
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| load.enqueue());
}

/// Messages that each run out at a time of their own, within ten seconds, while nobody is there. One iteration is one that
/// comes, and about one that goes.
#[divan::bench(sample_count = 10, sample_size = 200_000)]
fn expire(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(DispatchStrategy::RoundRobin, 0);
    load.time_to_live = 5_000;
    let step = |load: &mut Load| {
        load.enqueue();
        if load.number.is_multiple_of(100) {
            load.handle(Input::Clock(UnixMillis(1_800_000_000_000 + load.number / 100)));
        }
    };
    (0..1_000_000).for_each(|_| step(&mut load));
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| step(&mut load));
}

/// Enqueued while nobody is there.
#[divan::bench(
    args = [DispatchStrategy::RoundRobin, DispatchStrategy::KeyOrdered],
    sample_count = 5, sample_size = 2_000_000,
)]
fn enqueue(bencher: Bencher<'_, '_>, strategy: DispatchStrategy) {
    let mut load = Load::new(strategy, 0);
    load.keys = 1_000_000;
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| load.enqueue());
    let waiting = load.queue.ledger().ready;
    let bytes = load.queue.index_bytes();
    println!("{waiting} waiting: {bytes} bytes, {:.2} each", bytes as f64 / waiting as f64);
}

/// Taken of 10,000,000 waiting messages; one iteration is one snapshot.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn snapshot_of_10_million(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(DispatchStrategy::RoundRobin, 0);
    (0..10_000_000).for_each(|_| load.enqueue());
    let (bytes, mut encoded) = (load.queue.index_bytes(), Vec::new());
    load.queue.snapshot(Offset(0)).encode(&mut encoded);
    println!("index {bytes} bytes, encoded {} bytes", encoded.len());
    bencher.bench_local(|| load.queue.snapshot(Offset(0)));
}
