//! What a message costs in a stream whose readers keep up, and in one that keeps millions. One iteration is one message.

use std::collections::VecDeque;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use stdx::{Instant, UnixMillis};
use stream_engine::{
    Action, Input, Key, MemberId, NewMessage, Offset, Outcome, ReaderName, Start, StoredAt, Stream,
    StreamConfig,
};

/// Shows that a message allocates nothing, but for a packed chunk each 512, and nodes of the map of what is in flight.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const IN_FLIGHT: u64 = 128;

fn main() {
    divan::main();
}

/// A stream, the time, and what its members have.
struct Load {
    stream: Stream,
    actions: Vec<Action>,
    in_flight: VecDeque<(MemberId, Offset)>,
    number: u64,
    /// Messages go around so many keys; 0: none has one.
    keys: u64,
}

impl Load {
    fn new(config: StreamConfig) -> Self {
        Self {
            stream: Stream::new(StreamConfig { max_inflight: 1024, ..config }),
            actions: Vec::with_capacity(1024),
            in_flight: VecDeque::with_capacity(1024),
            number: 0,
            keys: 0,
        }
    }

    fn attach(&mut self, member: u64, reader: ReaderName) {
        let member = MemberId(member);
        self.handle(Input::Attach { member, reader, start: Start::Earliest, window: 1024 });
    }

    fn handle(&mut self, input: Input) {
        let now = Instant::from_nanos(self.number * 1000);
        self.stream.handle(now, black_box(input), &mut self.actions).expect("inputs are legal");
        for action in self.actions.drain(..) {
            if let Action::Deliver { member, offset, .. } = action {
                self.in_flight.push_back((member, offset));
            }
        }
    }

    fn append(&mut self) {
        let at = StoredAt(((self.number / 200_000) << 32) | (self.number % 200_000 * 320));
        let stored = UnixMillis(1_800_000_000_000 + self.number / 100);
        self.number += 1;
        let key = match self.keys {
            0 => Key::NONE,
            // Spread over all words, as hashes are.
            keys => Key((self.number % keys + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        };
        let message = NewMessage::new(at, 256 + (self.number % 64) as u32, stored);
        self.handle(Input::Append(NewMessage { key, ..message }));
    }

    fn settle(&mut self) {
        if let Some((member, offset)) = self.in_flight.pop_front() {
            self.handle(Input::Settle { member, offset, outcome: Outcome::Accept });
        }
    }
}

/// Appended, delivered and settled by so many clients, with 128 in flight at each. The millions before stay.
#[divan::bench(args = [1, 10, 100], sample_count = 500, sample_size = 2000)]
fn through(bencher: Bencher<'_, '_>, readers: u64) {
    let mut load = Load::new(StreamConfig::default());
    for reader in 0..readers {
        load.attach(reader, ReaderName::client(&reader.to_string()));
    }
    (0..IN_FLIGHT).for_each(|_| load.append());
    bencher.counter(ItemsCount::new(readers)).bench_local(|| {
        load.append();
        (0..readers).for_each(|_| load.settle());
    });
}

/// Appended, delivered to a group of four and settled, with 128 in flight.
#[divan::bench(args = [0, 1000, 1_000_000], sample_count = 500, sample_size = 2000)]
fn through_a_group(bencher: Bencher<'_, '_>, keys: u64) {
    let mut load = Load::new(StreamConfig { keyed: keys > 0, ..StreamConfig::default() });
    load.keys = keys;
    (0..4).for_each(|member| load.attach(member, ReaderName::group("g")));
    (0..IN_FLIGHT).for_each(|_| load.append());
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        load.append();
        load.settle();
    });
}

/// Read from the start of a million messages by one client.
#[divan::bench(sample_count = 500, sample_size = 2000)]
fn read_from_the_start(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(StreamConfig::default());
    (0..1_200_000).for_each(|_| load.append());
    load.attach(1, ReaderName::client("one"));
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| load.settle());
}

/// Appended to a full stream, which drops its oldest.
#[divan::bench(sample_count = 10, sample_size = 200_000)]
fn drop_oldest(bencher: Bencher<'_, '_>) {
    let config = StreamConfig { max_messages: Some(1_000_000), ..StreamConfig::default() };
    let mut load = Load::new(config);
    (0..1_100_000).for_each(|_| load.append());
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| load.append());
}

/// Appended to a stream that keeps the newest of each of a million keys.
#[divan::bench(sample_count = 10, sample_size = 200_000)]
fn last_value(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(StreamConfig { last_value: true, ..StreamConfig::default() });
    load.keys = 1_000_000;
    (0..1_100_000).for_each(|_| load.append());
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| load.append());
}

/// Appended while nobody reads.
#[divan::bench(sample_count = 5, sample_size = 2_000_000)]
fn append(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(StreamConfig::default());
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| load.append());
    let (kept, bytes) = (load.stream.ledger().kept, load.stream.index_bytes());
    println!("{kept} kept: {bytes} bytes, {:.2} each", bytes as f64 / kept as f64);
}

/// Taken of 10,000,000 messages; one iteration is one snapshot.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn snapshot_of_10_million(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(StreamConfig::default());
    (0..10_000_000).for_each(|_| load.append());
    let (bytes, mut encoded) = (load.stream.index_bytes(), Vec::new());
    load.stream.snapshot(|_| Offset(0)).encode(&mut encoded);
    println!("index {bytes} bytes, encoded {} bytes", encoded.len());
    bencher.bench_local(|| load.stream.snapshot(|_| Offset(0)));
}
