//! Real sockets: packets in pieces, many at once, very long ones; connections between shards; last words.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use broker::{Post, Recovery, owner_of};
use log_api::Log;
use log_api::testing::MemoryStore;
use stdx::UnixMillis;

const CONNACK_V3: [u8; 4] = [0x20, 2, 0, 0];

/// A broker with that many shards.
struct Server {
    running: Option<net::Running>,
    address: SocketAddr,
}

impl Server {
    fn start(shards: u16, change: impl FnOnce(&mut net::Config)) -> Self {
        let listener = net::ListenerConfig::plain("mqtt", SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut config = net::Config { listeners: vec![listener], ..net::Config::default() };
        config.limits.max_packet_size = 16 << 20;
        change(&mut config);
        let bound = net::bind(&config).expect("a free port");
        let address = bound.addresses()[0].1.ip().expect("a TCP address");
        let post = Post::new(shards);
        let log: Arc<dyn Log> = MemoryStore::new().open(shards, Arc::new(post.clone()));
        let recovered = Recovery::new(None).expect("nothing to recover").finish();
        let broker_config = broker::Config { shards, ..broker::Config::default() };
        let broker =
            broker::open(broker_config, post.clone(), log, recovered, [1, 2], UnixMillis(0));
        let running = net::start(bound, config, broker.shards, &post).expect("threads");
        Self { running: Some(running), address }
    }

    fn client(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        stream
    }

    fn connected(&self, name: &str) -> TcpStream {
        let mut stream = self.client();
        stream.write_all(&connect(name)).expect("open");
        assert_eq!(read(&mut stream, 4), CONNACK_V3);
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().expect("no thread failed");
        }
    }
}

fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).expect("so many bytes");
    bytes
}

fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an end");
    bytes
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut rest = body.len();
    loop {
        let byte = (rest % 128) as u8;
        rest /= 128;
        out.push(if rest > 0 { byte | 0x80 } else { byte });
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

fn text(text: &str) -> Vec<u8> {
    let mut out = (text.len() as u16).to_be_bytes().to_vec();
    out.extend_from_slice(text.as_bytes());
    out
}

/// CONNECT of 3.1.1 with a clean session.
fn connect(name: &str) -> Vec<u8> {
    packet(0x10, &[&text("MQTT")[..], &[4, 2, 0, 0], &text(name)].concat())
}

fn connect_with_will(name: &str, topic: &str) -> Vec<u8> {
    let body =
        [&text("MQTT")[..], &[4, 6, 0, 0], &text(name), &text(topic), &text("gone")].concat();
    packet(0x10, &body)
}

fn subscribe(filter: &str) -> Vec<u8> {
    packet(0x82, &[&[0, 1][..], &text(filter), &[0]].concat())
}

fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    packet(0x30, &[&text(topic), payload].concat())
}

fn subscribed(server: &Server, name: &str, filter: &str) -> TcpStream {
    let mut stream = server.connected(name);
    stream.write_all(&subscribe(filter)).expect("open");
    assert_eq!(read(&mut stream, 5), [0x90, 3, 0, 1, 0]);
    stream
}

/// `[MQTT-4.2.0-1]`, `[MQTT311-4.2.0-1]`, `[MQTT311-7.1.1-1]`
#[test]
fn packets_come_in_any_pieces() {
    for shards in [1, 3] {
        let server = Server::start(shards, |_| {});
        let mut subscriber = subscribed(&server, "s", "t");
        let mut publisher = server.client();
        publisher.set_nodelay(true).expect("a socket");
        let mut bytes = connect("pieces");
        let messages: Vec<Vec<u8>> =
            (0..200_u8).map(|n| publish("t", &vec![n; usize::from(n)])).collect();
        bytes.extend(messages.concat());
        // One byte at a time through CONNECT and some more, then in pieces that fit no packet.
        let (slow, fast) = bytes.split_at(60);
        slow.iter().for_each(|byte| publisher.write_all(&[*byte]).expect("open"));
        fast.chunks(777).for_each(|piece| publisher.write_all(piece).expect("open"));
        assert_eq!(read(&mut subscriber, messages.concat().len()), messages.concat());
    }
}

#[test]
fn a_packet_of_many_megabytes_arrives() {
    let server = Server::start(2, |_| {});
    let mut subscriber = subscribed(&server, "s", "t");
    let mut publisher = server.connected("p");
    let long: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let expected = [publish("t", &long), publish("t", b"short")].concat();
    publisher.write_all(&expected).expect("open");
    assert!(read(&mut subscriber, expected.len()) == expected);
}

#[test]
fn what_comes_with_the_end_of_input_is_served_first() {
    for name in ["a", "b", "c", "d", "e", "f"] {
        let server = Server::start(3, |_| {});
        let mut subscriber = subscribed(&server, "s", "#");
        let mut publisher = server.client();
        // All at once and gone: on its way to the shard of the client id nothing may be lost.
        let bytes = [connect_with_will(name, "will"), publish("t", b"last")].concat();
        publisher.write_all(&bytes).expect("open");
        publisher.shutdown(Shutdown::Write).expect("open");
        let expected = [publish("t", b"last"), publish("will", b"gone")].concat();
        assert_eq!(read(&mut subscriber, expected.len()), expected, "{name}");
        assert_eq!(read(&mut publisher, 4), CONNACK_V3);
    }
}

#[test]
fn clients_of_all_shards_reach_each_other() {
    let server = Server::start(3, |_| {});
    let names: Vec<String> = (0..9).map(|n| format!("client-{n}")).collect();
    assert!((0..3).all(|shard| names.iter().any(|name| owner_of(name, 3).0 == shard)));
    let mut clients: Vec<TcpStream> =
        names.iter().map(|name| subscribed(&server, name, "all")).collect();
    for n in 0..clients.len() {
        clients[n].write_all(&publish("all", &[n as u8])).expect("open");
        for client in &mut clients {
            assert_eq!(read(client, 8), publish("all", &[n as u8]));
        }
    }
}

/// `[MQTT-3.1.4-3]`, `[MQTT-3.14.4-2]`
#[test]
fn a_takeover_is_said_to_the_old_connection_on_any_shard() {
    let server = Server::start(3, |_| {});
    let v5 = packet(0x10, &[&text("MQTT")[..], &[5, 2, 0, 0, 0], &text("same")].concat());
    let mut old = server.client();
    old.write_all(&v5).expect("open");
    assert_eq!(read(&mut old, 1), [0x20]);
    let mut new = server.client();
    new.write_all(&v5).expect("open");
    let heard = read_to_end(&mut old);
    assert!(heard.ends_with(&[0xE0, 2, 0x8E, 0]) || heard.ends_with(&[0xE0, 1, 0x8E]), "{heard:?}");
}

/// `[MQTT-4.13.1-1]`, `[MQTT-4.13.2-1]`, `[MQTT-3.14.4-1]`, `[MQTT-3.14.4-2]`, `[MQTT-3.3.1-4]`
#[test]
fn last_words_reach_a_client_that_goes_on_sending() {
    let server = Server::start(1, |_| {});
    let mut client = server.client();
    let v5 = packet(0x10, &[&text("MQTT")[..], &[5, 2, 0, 0, 0], &text("c")].concat());
    // A PUBLISH at QoS 3, and much behind it that nobody will read.
    let rest = [&[0x36, 4, 0, 1, b't', 0][..], &publish("t", &[0; 100_000])].concat();
    client.write_all(&[v5, rest].concat()).expect("open");
    let heard = read_to_end(&mut client);
    let disconnect = heard.windows(3).any(|bytes| bytes[0] == 0xE0 && bytes[2] == 0x81);
    assert!(disconnect, "{heard:?}");
}

/// `[MQTT311-4.8.0-1]`, `[MQTT311-2.2.2-2]`, `[MQTT311-1.5.3-1]`, `[MQTT311-1.5.3-2]`, `[MQTT311-3.3.1-4]`,
/// `[MQTT311-3.1.0-2]`, `[MQTT311-3.14.1-1]`, `[MQTT311-3.6.1-1]`, `[MQTT311-3.8.1-1]`, `[MQTT311-3.10.1-1]`,
/// `[MQTT311-3.8.3-4]`, `[MQTT311-3.1.2-8]`
#[test]
fn what_breaks_the_protocol_of_3_1_1_is_closed_without_a_word() {
    let server = Server::start(2, |_| {});
    let mut watcher = subscribed(&server, "w", "will/#");
    for (n, (what, bytes)) in [
        ("PINGREQ with a flag", vec![0xC1, 0]),
        ("DISCONNECT with a flag", vec![0xE1, 0]),
        ("PUBREL without its flag", vec![0x60, 2, 0, 1]),
        ("SUBSCRIBE without its flag", packet(0x80, &[&[0, 1][..], &text("t"), &[0]].concat())),
        ("UNSUBSCRIBE without its flag", packet(0xA0, &[&[0, 1][..], &text("t")].concat())),
        ("SUBSCRIBE at QoS 3", packet(0x82, &[&[0, 1][..], &text("t"), &[3]].concat())),
        ("SUBSCRIBE with a reserved bit", packet(0x82, &[&[0, 1][..], &text("t"), &[4]].concat())),
        ("PUBLISH at QoS 3", packet(0x36, &[0, 1, b't', 0, 1])),
        ("a topic that is not UTF-8", packet(0x30, &[0, 1, 0xFF])),
        ("a topic with U+0000", packet(0x30, &[0, 1, 0])),
        ("a second CONNECT", connect("x")),
        ("AUTH, which 3.1.1 has not", vec![0xF0, 0]),
    ]
    .into_iter()
    .enumerate()
    {
        let will = format!("will/{n}");
        let mut client = server.client();
        client.write_all(&connect_with_will("breaker", &will)).expect("open");
        assert_eq!(read(&mut client, 4), CONNACK_V3, "{what}");
        client.write_all(&bytes).expect("open");
        assert_eq!(read_to_end(&mut client), [0_u8; 0], "{what}");
        let gone = publish(&will, b"gone");
        assert_eq!(read(&mut watcher, gone.len()), gone, "{what}");
    }
}

/// `[MQTT-3.1.4-6]`, `[MQTT311-3.1.4-5]`, `[MQTT-3.2.2-7]`, `[MQTT311-3.2.2-5]`, `[MQTT-3.14.0-1]`
#[test]
fn nothing_that_follows_a_refused_connect_is_processed() {
    let server = Server::start(2, |_| {});
    let mut watcher = subscribed(&server, "w", "t");
    let v5 = packet(
        0x10,
        &[&text("MQTT")[..], &[5, 2, 0, 0, 9, 0x15], &text("method"), &text("five")].concat(),
    );
    // 5.0 with a method that is not served; 3.1.1 without a client id and without a clean session.
    let three = packet(0x10, &[&text("MQTT")[..], &[4, 0, 0, 0, 0, 0]].concat());
    for (refused, answer) in [(v5, vec![0x20, 3, 0, 0x8C, 0]), (three, vec![0x20, 2, 0, 2])] {
        let mut client = server.client();
        client.write_all(&[refused, publish("t", b"never")].concat()).expect("open");
        assert_eq!(read_to_end(&mut client), answer);
    }
    let marker = publish("t", b"marker");
    server.connected("p").write_all(&marker).expect("open");
    assert_eq!(read(&mut watcher, marker.len()), marker);
}

/// `[MQTT-3.1.0-1]`, `[MQTT-3.1.2-1]`, `[MQTT-3.1.2-2]`, `[MQTT-3.1.2-3]`, `[MQTT-3.1.4-1]`, `[MQTT-3.14.0-1]`,
/// `[MQTT311-3.1.0-1]`, `[MQTT311-3.1.2-1]`, `[MQTT311-3.1.2-2]`, `[MQTT311-3.1.2-3]`, `[MQTT311-3.1.4-1]`,
/// `[MQTT311-3.2.2-6]`
#[test]
fn a_connect_that_is_none_is_answered_as_its_version_can() {
    let server = Server::start(2, |_| {});
    let body =
        |level: u8, flags: u8| [&text("MQTT")[..], &[level, flags, 0, 0], &text("x")].concat();
    for (sent, answer) in [
        // 3.1.1 with the reserved flag: just closed.
        (packet(0x10, &body(4, 3)), vec![]),
        // A version from before and one from after ours.
        (packet(0x10, &body(2, 2)), vec![0x20, 2, 0, 1]),
        (packet(0x10, &body(9, 2)), vec![0x20, 3, 0, 0x84, 0]),
        // 5.0 with the reserved flag.
        (packet(0x10, &body(5, 3)), vec![0x20, 3, 0, 0x81, 0]),
        // Not MQTT, and a packet before CONNECT.
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![]),
        (vec![0xC0, 0], vec![]),
    ] {
        let mut client = server.client();
        client.write_all(&sent).expect("open");
        assert_eq!(read_to_end(&mut client), answer, "{sent:?}");
    }
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let server = Server::start(1, |config| config.connect_timeout = Duration::from_millis(50));
    let mut silent = server.client();
    let mut half = server.client();
    half.write_all(&connect("half")[..5]).expect("open");
    assert_eq!(read_to_end(&mut silent), [0_u8; 0]);
    assert_eq!(read_to_end(&mut half), [0_u8; 0]);
    // Who has said CONNECT stays.
    let mut client = subscribed(&server, "c", "t");
    client.write_all(&publish("t", b"x")).expect("open");
    assert_eq!(read(&mut client, 6), publish("t", b"x"));
}

#[test]
fn a_place_that_is_free_again_is_given_to_who_waits() {
    let server = Server::start(1, |config| config.max_connections = 2);
    let first = server.connected("1");
    let _second = server.connected("2");
    let mut third = server.client();
    third.write_all(&connect("3")).expect("open");
    drop(first);
    assert_eq!(read(&mut third, 4), CONNACK_V3);
}

#[test]
fn who_asks_and_does_not_read_the_answers_is_not_read_either() {
    // More than any socket's buffers hold.
    const ENOUGH: usize = 256 << 20;
    let server = Server::start(1, |config| config.unwritten_bytes_max = 64 << 10);
    let mut client = server.connected("asks");
    client.set_write_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let pings = [0xC0, 0].repeat(32 << 10);
    let mut sent = 0;
    while let Ok(count) = client.write(&pings[sent % 2..]) {
        sent += count;
        assert!(sent < ENOUGH, "the answers to {sent} bytes are kept for a client that reads none");
    }
    // Others are served meanwhile, and this one goes on when it reads.
    server.connected("other");
    let mut answers = vec![0; sent / 2 * 2];
    client.read_exact(&mut answers).expect("as many answers");
    assert!(answers.chunks(2).all(|answer| answer == [0xD0, 0]));
    client.write_all(&[0xC0, 0][sent % 2..]).expect("it is read again");
    assert_eq!(read(&mut client, 2), [0xD0, 0]);
}
