//! What a listener allows: connections, how fast they come, how long they take, what each may send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use net::{Config, ListenerConfig, ListenerLimits, WebSocketConfig};

use crate::certificates::Authority;
use crate::client::{Client, DISCONNECT, echo, packet, pattern, publish};
use crate::server::{Server, any_port};
use crate::streams::tcp;
use crate::tls;

fn with(limits: ListenerLimits) -> ListenerConfig {
    ListenerConfig { limits, ..ListenerConfig::plain("mqtt", any_port()) }
}

/// Waits until the connection ends; gives what came before.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // Input that nobody read makes it a reset instead of an end.
    let _ = stream.read_to_end(&mut rest);
    rest
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited for {what}");
        std::thread::yield_now();
    }
}

#[test]
fn more_connections_than_allowed_are_closed_and_counted() {
    let server =
        Server::start(with(ListenerLimits { max_connections: 3, ..ListenerLimits::default() }));
    let mut there: Vec<_> =
        (0..3).map(|n| Client::connect(tcp(server.ip()), &format!("client-{n}"))).collect();
    for n in 1..=5 {
        assert!(rest(tcp(server.ip())).is_empty());
        assert_eq!(server.refused("max_connections"), n);
    }
    assert_eq!(server.handle().connections().collect::<Vec<_>>(), [("mqtt", 3)]);
    // One leaves, on whichever shard it is: one may come.
    for _ in 0..4 {
        let mut leaving = there.remove(0);
        leaving.send(&DISCONNECT).expect("sent");
        assert!(rest(leaving.0).is_empty());
        until("a place", || server.handle().connections().all(|(_, count)| count == 2));
        there.push(Client::connect(tcp(server.ip()), "next"));
        echo(there.last_mut().expect("there"), "echo");
    }
}

#[test]
fn connections_that_come_too_fast_are_closed_and_counted() {
    let max_connect_rate = NonZeroU64::new(5);
    let server =
        Server::start(with(ListenerLimits { max_connect_rate, ..ListenerLimits::default() }));
    let start = Instant::now();
    let streams: Vec<_> = (0..30).map(|_| tcp(server.ip())).collect();
    until("all to be looked at", || {
        let there: u64 = server.handle().connections().map(|(_, count)| count).sum();
        there + server.refused("connect_rate") == 30
    });
    let gained = start.elapsed().as_secs_f64() * 5.0;
    let there: u64 = server.handle().connections().map(|(_, count)| count).sum();
    assert!(there >= 5 && (there as f64) <= 6.0 + gained, "{there} after {gained}");
    drop(streams);
    // A second later they are welcome again.
    until("the next second", || Client::try_connect(tcp(server.ip()), "later", None).is_ok());
}

#[test]
fn each_listener_has_its_own_time_for_connect() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let connect_timeout = Some(Duration::from_millis(100));
    let limits = ListenerLimits { connect_timeout, ..ListenerLimits::default() };
    let websocket = Some(WebSocketConfig::default());
    for listener in [
        with(limits.clone()),
        ListenerConfig { limits: limits.clone(), ..tls::listener(&authority.server()) },
        ListenerConfig { websocket, ..with(limits) },
    ] {
        let config = Config { connect_timeout: Duration::from_secs(3600), ..Config::default() };
        let server = Server::with(Config { listeners: vec![listener], ..config });
        // One byte after the other, for ever, is no way to keep a place.
        let mut slow = tcp(server.ip());
        let drip = std::thread::spawn({
            let mut slow = slow.try_clone().expect("another handle");
            move || {
                while slow.write_all(b"\x16").is_ok() {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        });
        let _ = slow.read_to_end(&mut Vec::new());
        drip.join().expect("it ends");
        assert!(rest(tcp(server.ip())).is_empty());
        assert!(server.refused("connect_timeout") >= 1);
    }
}

#[test]
fn a_listener_has_its_own_largest_packet_and_says_so() {
    let max_packet_size = Some(1000);
    let server =
        Server::start(with(ListenerLimits { max_packet_size, ..ListenerLimits::default() }));
    // CONNECT of version 5; CONNACK has the property Maximum Packet Size, 0x27.
    let mut client = Client(tcp(server.ip()));
    let body = [&b"\0\x04MQTT\x05\x02\0\0\0\0\x04five"[..]].concat();
    client.send(&packet(0x10, &body)).expect("sent");
    let (first, body) = client.packet().expect("CONNACK");
    assert_eq!(first, 0x20);
    let told = body.windows(5).any(|part| part == [0x27, 0, 0, 0x03, 0xE8]);
    assert!(told, "{body:?}");
    let mut client = Client::connect(tcp(server.ip()), "small");
    client.subscribe("echo");
    client.publish("echo", &pattern(900));
    assert_eq!(client.message().1.len(), 900);
    client.publish("echo", &pattern(1000));
    assert!(rest(client.0).is_empty());
}

/// How long it takes until `count` messages of `len` bytes have come back.
fn time(limits: ListenerLimits, count: u32, len: usize) -> Duration {
    let server = Server::start(with(limits));
    let mut client = Client::connect(tcp(server.ip()), "fast");
    client.subscribe("echo");
    let start = Instant::now();
    let payload = pattern(len);
    let all: Vec<u8> = (0..count).flat_map(|_| publish("echo", &payload, false)).collect();
    let mut writer = client.0.try_clone().expect("another handle");
    let writing = std::thread::spawn(move || writer.write_all(&all).expect("it stays open"));
    for _ in 0..count {
        assert!(client.message().1 == payload);
    }
    writing.join().expect("written");
    start.elapsed()
}

#[test]
fn who_publishes_too_much_is_read_later_and_loses_nothing() {
    let max_message_rate = NonZeroU64::new(100);
    let limits = ListenerLimits { max_message_rate, ..ListenerLimits::default() };
    // A second's worth at once, the rest at the rate.
    let took = time(limits, 150, 10);
    assert!((Duration::from_millis(400)..Duration::from_secs(5)).contains(&took), "{took:?}");
    let max_byte_rate = NonZeroU64::new(100_000);
    let limits = ListenerLimits { max_byte_rate, ..ListenerLimits::default() };
    let took = time(limits.clone(), 150, 1000);
    assert!((Duration::from_millis(400)..Duration::from_secs(5)).contains(&took), "{took:?}");
    // A packet longer than what is read at once.
    let took = time(limits, 1, 150_000);
    assert!((Duration::from_millis(400)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

#[test]
fn who_is_held_holds_up_nobody_and_may_leave() {
    let max_message_rate = NonZeroU64::new(50);
    let server =
        Server::start(with(ListenerLimits { max_message_rate, ..ListenerLimits::default() }));
    let mut other = Client::connect(tcp(server.ip()), "other");
    other.subscribe("#");
    let mut fast = Client::connect(tcp(server.ip()), "fast");
    let many: Vec<u8> =
        (0..75_u32).flat_map(|n| publish("many", &n.to_be_bytes(), false)).collect();
    fast.send(&[many, DISCONNECT.to_vec()].concat()).expect("sent");
    drop(fast);
    other.publish("own", b"soon");
    let mut found = Vec::new();
    while found.len() < 76 {
        found.push(other.message());
    }
    assert!(found.iter().position(|(topic, _)| topic == "own").is_some_and(|place| place < 75));
    let many = found.into_iter().filter(|(topic, _)| topic == "many").map(|(_, payload)| payload);
    assert!(many.eq((0..75_u32).map(|n| n.to_be_bytes().to_vec())), "nothing is lost");
    until("its end", || server.handle().connections().all(|(_, count)| count == 1));
}
