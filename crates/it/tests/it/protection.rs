//! Floods over sockets, scaled down by small limits: what is refused, with which code and count, and that what clients
//! make the broker keep stays within its bounds.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use it::{Client, Connect, Options, Version, Weir, until};

/// A metric's value.
fn metric(weir: &Weir, name: &str) -> u64 {
    let page = weir.rest().metrics();
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} in {page}")).parse().expect("a number")
}

const BUFFERED_MAX: u64 = 1 << 20;

fn small() -> Options {
    Options::new()
        .set("mqtt.max_buffered_bytes", "1MiB")
        .set("mqtt.max_incomplete_bytes", "1MiB")
        .set("mqtt.max_output_bytes", "64KiB")
        .expect("alarm raised")
}

/// A PUBLISH at QoS 0 of 5.0.
fn publish(topic: &str, payload_len: usize) -> Vec<u8> {
    let mut body = [&(topic.len() as u16).to_be_bytes(), topic.as_bytes(), &[0]].concat();
    body.resize(body.len() + payload_len, b'x');
    packet(0x30, &body)
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut left = body.len();
    loop {
        let more = left >= 128;
        bytes.push((left % 128) as u8 | if more { 0x80 } else { 0 });
        left /= 128;
        if !more {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A CONNECT of 5.0 with that client id, and with a will of so many bytes if that is not 0.
fn connect(client_id: &str, will_len: usize) -> Vec<u8> {
    let flags = if will_len > 0 { 0x06 } else { 0x02 };
    let mut body = [b"\0\x04MQTT\x05", &[flags, 0, 0, 0][..]].concat();
    body.extend_from_slice(&(client_id.len() as u16).to_be_bytes());
    body.extend_from_slice(client_id.as_bytes());
    if will_len > 0 {
        body.extend_from_slice(b"\0\0\x01w");
        body.extend_from_slice(&(will_len as u16 - 1).to_be_bytes());
        body.resize(body.len() + will_len - 1, b'w');
    }
    packet(0x10, &body)
}

/// Opens a connection and gives the reason code of its CONNACK.
fn open(weir: &Weir, client_id: &str, will_len: usize) -> (TcpStream, u8) {
    let mut stream = TcpStream::connect(weir.mqtt).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    stream.write_all(&connect(client_id, will_len)).expect("sent");
    let mut head = [0; 4];
    stream.read_exact(&mut head).expect("a CONNACK");
    assert_eq!(head[0], 0x20);
    let mut rest = vec![0; usize::from(head[1]) - 2];
    stream.read_exact(&mut rest).expect("all of it");
    (stream, head[3])
}

#[test]
fn clients_that_do_not_read_lose_messages_and_the_broker_no_memory() {
    let weir = Weir::start(small());
    let slow: Vec<Client> = (0..100)
        .map(|n| {
            let mut client = weir.connect(&Connect::new(&format!("slow-{n}")));
            client.subscribe("flood", 0);
            client
        })
        .collect();
    let mut publisher = weir.connect(&Connect::new("publisher"));
    let payload = vec![b'x'; 16 * 1024];
    // Until the sockets of all are full, and what waits here is dropped.
    until("messages dropped", || {
        (0..20).for_each(|_| publisher.publish_qos0("flood", &payload));
        (metric(&weir, "weir_mqtt_live_dropped_total") > 10_000).then_some(())
    });
    let buffered = metric(&weir, "weir_mqtt_buffered_bytes");
    assert!(buffered <= BUFFERED_MAX, "{buffered}");
    // Others are served as if nothing was.
    let mut reader = weir.connect(&Connect::new("reader"));
    reader.subscribe("calm", 1);
    assert_eq!(publisher.publish_acked("calm", b"hello"), 0);
    assert_eq!(reader.message().1, b"hello");
    drop(slow);
    until("all is given back", || {
        (metric(&weir, "weir_mqtt_buffered_bytes") < 64 * 1024).then_some(())
    });
}

#[test]
fn packets_that_come_in_pieces_share_the_room_there_is() {
    let weir = Weir::start(small());
    let whole = publish("big", 512 * 1024);
    let mut streams: Vec<TcpStream> =
        (0..40).map(|n| open(&weir, &format!("piece-{n}"), 0).0).collect();
    for piece in whole[..480 * 1024].chunks(16 * 1024) {
        // Who was ended cannot be written to.
        streams.retain_mut(|stream| stream.write_all(piece).is_ok());
        let incomplete = metric(&weir, "weir_mqtt_incomplete_bytes");
        assert!(incomplete <= 2 * BUFFERED_MAX, "{incomplete}");
    }
    until("most are ended", || {
        (metric(&weir, "weir_mqtt_connections_ended_total{reason=\"quota\"}") >= 30).then_some(())
    });
    // One alone may send as much as the eighth of what is left.
    drop(streams);
    until("all is given back", || {
        (metric(&weir, "weir_mqtt_incomplete_bytes") < 64 * 1024).then_some(())
    });
    let mut reader = weir.connect(&Connect::new("reader"));
    reader.subscribe("big", 0);
    let (mut publisher, code) = open(&weir, "publisher", 0);
    assert_eq!(code, 0);
    publisher.write_all(&publish("big", 100 * 1024)).expect("sent");
    assert_eq!(reader.message().1.len(), 100 * 1024);
}

#[test]
fn who_asks_and_never_reads_the_answers_is_not_read_itself() {
    let weir = Weir::start(small());
    let pings = [0xC0, 0].repeat(64 * 1024);
    let mut floods: Vec<TcpStream> = (0..20)
        .map(|n| {
            let (stream, _) = open(&weir, &format!("ping-{n}"), 0);
            stream.set_nonblocking(true).expect("set");
            stream
        })
        .collect();
    // Until nobody's pings are taken any more.
    until("all are held", || {
        let sent = floods.iter_mut().filter_map(|stream| stream.write(&pings).ok()).count();
        let buffered = metric(&weir, "weir_mqtt_buffered_bytes");
        assert!(buffered <= 2 * BUFFERED_MAX, "{buffered}");
        (sent == 0).then_some(())
    });
    let mut other = weir.connect(&Connect::new("other"));
    assert_eq!(other.publish_acked("t", b""), 0x10);
}

#[test]
fn wills_sessions_and_client_ids_are_refused_with_their_codes() {
    let weir = Weir::start(
        Options::new()
            .set("mqtt.max_will_size", "1KiB")
            .set("mqtt.max_wills_bytes", "16KiB")
            .set("mqtt.max_sessions", "30")
            .set("mqtt.max_client_id_length", "64")
            .expect("alarm raised"),
    );
    assert_eq!(open(&weir, "giant", 1025).1, 0x97);
    assert_eq!(open(&weir, &"i".repeat(65), 0).1, 0x85);
    let v3 = Connect::new(&"i".repeat(65)).version(Version::V311);
    assert_eq!(Client::connack_code(weir.mqtt, &v3), 2);
    let all: Vec<_> = (0..30).map(|n| open(&weir, &format!("will-{n}"), 1024)).collect();
    let refused = all.iter().filter(|(_, code)| *code == 0x97).count();
    // One may have an eighth of what is left.
    assert!((15..=24).contains(&refused), "{refused}");
    assert!(metric(&weir, "weir_mqtt_will_bytes") <= 16 * 1024);
    let more: Vec<_> = (0..30).map(|n| open(&weir, &format!("more-{n}"), 0)).collect();
    assert_eq!(more.iter().filter(|(_, code)| *code == 0x97).count(), 30 - refused);
    let refused = |reason: &str| {
        metric(&weir, &format!("weir_mqtt_connects_refused_total{{reason=\"{reason}\"}}"))
    };
    assert_eq!(refused("client_id"), 2);
    assert!(refused("will") >= 16 && refused("max_sessions") >= 6);
    drop((all, more));
    until("wills are published and forgotten", || {
        (metric(&weir, "weir_mqtt_will_bytes") == 0).then_some(())
    });
    assert_eq!(open(&weir, "will-again", 1024).1, 0);
}

#[test]
fn filters_are_refused_by_number_by_size_and_in_sum() {
    let weir = Weir::start(
        Options::new()
            .set("mqtt.max_subscriptions", "100")
            .set("mqtt.max_subscription_bytes", "64KiB")
            .set("mqtt.max_topic_length", "200")
            .expect("alarm raised"),
    );
    let mut one = weir.connect(&Connect::new("one"));
    let codes: Vec<u8> = (0..1000).map(|n| one.subscribe(&format!("f/{n}/+"), 0)).collect();
    assert!(codes[..100].iter().all(|code| *code == 0));
    assert!(codes[100..].iter().all(|code| *code == 0x97));
    assert_eq!(one.subscribe(&"f".repeat(201), 0), 0x8F);
    let mut refused = 0;
    let clients: Vec<Client> = (0..10)
        .map(|n| {
            let mut client = weir.connect(&Connect::new(&format!("many-{n}")));
            let codes = (0..100).map(|k| client.subscribe(&format!("{n}/{k}/#"), 0));
            refused += codes.filter(|code| *code == 0x97).count();
            client
        })
        .collect();
    assert!(refused > 500, "{refused}");
    assert!(metric(&weir, "weir_mqtt_subscription_bytes") <= 64 * 1024);
    let counted = metric(&weir, "weir_mqtt_subscriptions_refused_total{reason=\"quota\"}");
    assert_eq!(counted, 900 + refused as u64);
    drop((one, clients));
    until("all are gone", || (metric(&weir, "weir_mqtt_subscription_bytes") == 0).then_some(()));
}

#[test]
fn who_takes_nothing_of_what_waits_is_gone_in_the_end() {
    let weir = Weir::start(Options::new().set("mqtt.write_timeout", "500ms"));
    let mut dead = weir.connect(&Connect::new("dead"));
    dead.subscribe("flood", 0);
    let mut publisher = weir.connect(&Connect::new("publisher"));
    let payload = vec![b'x'; 64 * 1024];
    until("the dead one is given up", || {
        (0..10).for_each(|_| publisher.publish_qos0("flood", &payload));
        let ended = "weir_mqtt_connections_ended_total{reason=\"slow_consumer\"}";
        (metric(&weir, ended) == 1).then_some(())
    });
    assert_eq!(metric(&weir, "weir_mqtt_connections"), 1);
}

#[test]
fn clients_that_come_and_go_leave_the_memory_where_it_was() {
    let weir = Weir::start(Options::new());
    let resident = || {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", weir.pid())).expect("there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("there");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    };
    let cycle = |n: usize| {
        let mut client = weir.connect(&Connect::new(&format!("cycle-{}", n % 100)));
        client.subscribe(&format!("a/{n}"), 1);
        client.disconnect();
    };
    (0..500).for_each(cycle);
    let before = resident();
    (500..5500).for_each(cycle);
    until("all have gone", || (metric(&weir, "weir_mqtt_sessions") == 0).then_some(()));
    let after = resident();
    // A page table, a buffer here and there; a kilobyte for each would be five thousand.
    assert!(after < before + 2500, "{before} kB before, {after} kB after");
}
