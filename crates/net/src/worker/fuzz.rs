//! A shard's thread with its sockets, turn by turn and in one thread: hostile bytes over every transport, cut anywhere,
//! readers that do not read, ends in any state. What clients hear does not depend on how their bytes were cut; nobody
//! hangs, memory stays bounded, and a decent client is served at the end.

mod clients;
mod packets;
mod turns;

use std::os::unix::net::UnixStream;
use std::path::Path;

use broker::{Broker, Recovery};
use log_api::testing::MemoryStore;
use mqtt_codec::Limits;
use socket2::SockRef;
use stdx::UnixMillis;
use stdx::testing::{Dice, corpus, runs};

use super::*;
use crate::config::{ListenerConfig, ProxyConfig, WebSocketConfig};
use crate::gate::Gate;
use crate::transport::{Peer, Socket, Stream, Tls, Under, WebSocket};
use clients::{Client, Identity, KINDS, Kind};
use packets::{conversation, hostile};

const PACKET_BYTES_MAX: u32 = 8 << 10;
const READ_BUFFER_BYTES: usize = 1 << 10;
/// So few that turns are cut.
const TURN_DELIVERIES_MAX: u32 = 8;
const UNWRITTEN_BYTES_MAX: usize = 8 << 10;
/// Bytes that may wait for a client beyond the limit for live messages: answers, and messages of sessions.
const SLACK: usize = 256 << 10;
/// What a socket takes before it says that it is full, so that it does.
const SOCKET_BYTES: usize = 4 << 10;

/// A thread's worker with its desk, which is called instead of running.
struct Bench {
    worker: Worker,
    desk: Desk,
    events: Events,
    gate: Arc<Gate>,
    proxied: Arc<Gate>,
    identity: Identity,
}

impl Bench {
    fn new(identity: &Identity) -> Self {
        let config = Config {
            limits: Limits { max_packet_size: PACKET_BYTES_MAX, ..Limits::default() },
            read_buffer_bytes: READ_BUFFER_BYTES,
            turn_deliveries_max: TURN_DELIVERIES_MAX,
            unwritten_bytes_max: UNWRITTEN_BYTES_MAX,
            connect_timeout: Duration::from_secs(3600),
            linger: Duration::from_secs(3600),
            ..Config::default()
        };
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let plain = ListenerConfig::plain("mqtt", any);
        let trusted = vec!["127.0.0.0/8".parse().expect("a network")];
        let timeout = Duration::from_secs(3600);
        let proxy = Some(ProxyConfig { trusted, timeout, ..ProxyConfig::default() });
        let gate =
            |listener: &ListenerConfig| Arc::new(Gate::new(listener, &config, Arc::default()));
        let (gate, proxied) = (gate(&plain), gate(&ListenerConfig { proxy, ..plain.clone() }));
        let mut of_broker = broker::Config { shards: 1, ..broker::Config::default() };
        of_broker.limits.maximum_packet_size = PACKET_BYTES_MAX;
        let post = Post::new(1);
        let log = MemoryStore::new().open(1, Arc::new(post.clone()));
        let recovered = Recovery::new(None).expect("nothing to recover").finish();
        let Broker { mut shards, .. } =
            broker::open(of_broker, post.clone(), log, recovered, [1, 2], UnixMillis(0));
        let shard = shards.pop().expect("one shard");
        let poll = Poll::new().expect("a poll");
        let door = Door::new(poll.registry()).expect("a door");
        let woken = Arc::clone(&door);
        post.on_mail(shard.id(), move || woken.wake());
        let desk = Desk::new(&config, 0);
        let worker = Worker {
            shard,
            poll,
            doors: [Arc::clone(&door)].into(),
            door,
            post,
            config: Arc::new(config),
            acceptors: Vec::new(),
            clock: Clock::new(),
        };
        let (events, identity) = (Events::with_capacity(EVENTS), identity.clone());
        Self { worker, desk, events, gate, proxied, identity }
    }

    fn open(&mut self, kind: Kind) -> Client {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        for end in [&ours, &theirs] {
            end.set_nonblocking(true).expect("it can be set");
            SockRef::from(end).set_send_buffer_size(SOCKET_BYTES).expect("it can be set");
        }
        let gate = if kind.is_proxied() { &self.proxied } else { &self.gate };
        let place = gate.admit(Instant::ZERO).expect("a place");
        let address = kind.is_proxied().then(|| ([127, 0, 0, 1], 4711).into());
        let stream = Stream::Unix(mio::net::UnixStream::from_std(ours));
        let socket = Socket::new(stream, Peer::new(place, address));
        let transport = match kind {
            Kind::Plain | Kind::Proxied => Transport::Plain(socket),
            Kind::WebSocket | Kind::ProxiedWebSocket => {
                let config = Arc::new(WebSocketConfig::default());
                let under = Under::Plain(socket);
                Transport::WebSocket(Box::new(WebSocket::new(under, config)))
            }
            Kind::Tls => {
                let tls = Tls::new(socket, self.identity.server.current()).expect("a session");
                Transport::Tls(Box::new(tls))
            }
        };
        let accepted = self.worker.clock.now();
        self.worker.door.hand_over(Handover { transport, bytes: Vec::new(), accepted });
        Client::new(kind, theirs, &self.identity)
    }

    fn turn(&mut self) {
        self.worker
            .wait_and_turn(Some(Duration::ZERO), &mut self.events, &mut self.desk)
            .expect("the poll works");
        for slot in 0..=u32::try_from(self.desk.wires.len()).expect("few") {
            let Some(wire) = self.desk.wires.at(slot) else { continue };
            let partial = wire.partial.len();
            assert!(partial <= PACKET_BYTES_MAX as usize + READ_BUFFER_BYTES, "{partial} unread");
            let waiting = wire.out.len();
            assert!(waiting <= UNWRITTEN_BYTES_MAX + SLACK, "{waiting} bytes wait");
        }
    }

    /// Lets everything happen that follows.
    fn settle(&mut self) {
        let mut quiet = 0;
        for turn in 0.. {
            assert!(turn < 100_000, "the thread never comes to rest");
            self.turn();
            let is_busy = self.worker.timeout(&self.desk) == Some(Duration::ZERO);
            quiet = if is_busy || !self.events.is_empty() { 0 } else { quiet + 1 };
            if quiet == 2 {
                return;
            }
        }
    }

    /// Nobody is there any more.
    fn assert_empty(&mut self) {
        self.settle();
        assert_eq!(self.desk.wires.len(), 0, "connections are left");
        assert_eq!(self.gate.connections() + self.proxied.connections(), 0, "places are left");
    }

    /// Sends those bytes in those pieces, reads all that comes, and leaves: what was heard.
    fn converse(&mut self, kind: Kind, bytes: &[u8], dice: &mut Option<Dice>) -> Vec<u8> {
        let mut client = self.open(kind);
        client.say(bytes, dice.as_mut());
        loop {
            let is_lazy = dice.as_mut().is_some_and(|dice| !dice.one_in(4));
            let sent = client.send(dice.as_mut());
            if dice.as_mut().is_none_or(|dice| dice.one_in(2)) {
                self.settle();
            } else {
                self.turn();
            }
            // Who never reads is not read in the end.
            let heard = if is_lazy && sent { false } else { client.read(usize::MAX) };
            if !sent && !heard {
                self.settle();
                if !client.read(usize::MAX) && !client.send(None) {
                    break;
                }
            }
        }
        let heard = client.heard();
        drop(client);
        self.assert_empty();
        heard
    }

    fn serves_a_decent_client(&mut self) {
        let bytes = [&packets::connect(true, "decent", 0)[..], &[0xC0, 0]].concat();
        let heard = self.converse(Kind::Plain, &bytes, &mut None);
        assert!(heard.starts_with(&[0x20]) && heard.ends_with(&[0xD0, 0]), "{heard:02x?}");
    }
}

/// [MQTT-4.2.0-1]: every transport is a stream of bytes, in order.
#[test]
fn what_a_client_hears_does_not_depend_on_how_its_bytes_come() {
    let identity = Identity::new();
    runs(60, |_, dice| {
        let bytes = conversation(dice);
        let whole = Bench::new(&identity).converse(Kind::Plain, &bytes, &mut None);
        assert!(whole.starts_with(&[0x20]), "it was greeted: {whole:02x?}");
        for kind in KINDS {
            let cut = Bench::new(&identity).converse(kind, &bytes, &mut Some(dice.clone()));
            assert!(cut == whole, "{kind:?}: {bytes:02x?}\n{whole:02x?}\n{cut:02x?}");
        }
    });
}

/// Clients that say anything, do not read, and go at any moment.
fn storm(bench: &mut Bench, dice: &mut Dice, kept: &[Vec<Vec<u8>>]) {
    let mut clients: Vec<Option<Client>> = (0..4).map(|_| None).collect();
    for _ in 0..120 {
        let place = dice.below(clients.len());
        let Some(client) = &mut clients[place] else {
            let kind = *dice.one_of(&KINDS);
            let mut client = bench.open(kind);
            client.say(&packets::opening(dice), Some(dice));
            clients[place] = Some(client);
            continue;
        };
        match dice.below(12) {
            0 => clients[place] = None,
            1 => client.end(),
            2 => {
                let pieces = dice.one_of(kept);
                client.say(&pieces.concat(), Some(dice));
            }
            3..6 => client.say(&hostile(dice), Some(dice)),
            6 => client.say_raw(&dice.bytes(40)),
            7..9 => _ = client.read(1 + dice.below(5_000)),
            _ => _ = client.send(Some(dice)),
        }
        bench.turn();
    }
    // Who stays and reads nothing more must not keep the thread busy.
    bench.settle();
    drop(clients);
    bench.assert_empty();
    bench.serves_a_decent_client();
}

#[test]
fn hostile_clients_harm_no_thread() {
    let identity = Identity::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/connections");
    let kept: Vec<_> = corpus(&folder).into_iter().map(|(_, pieces)| pieces).collect();
    runs(60, |_, dice| storm(&mut Bench::new(&identity), dice, &kept));
}

#[test]
fn the_corpus_harms_no_thread() {
    let identity = Identity::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/connections");
    for (name, pieces) in corpus(&folder) {
        println!("{name}");
        for kind in KINDS {
            let mut bench = Bench::new(&identity);
            let mut client = bench.open(kind);
            for piece in &pieces {
                client.say(piece, None);
                while client.send(None) || client.read(usize::MAX) {
                    bench.settle();
                }
            }
            drop(client);
            bench.assert_empty();
            bench.serves_a_decent_client();
        }
    }
}
