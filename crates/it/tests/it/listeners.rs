//! Listeners with proxies before them and with limits of their own, several at once, over both families of addresses.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use it::{Certificate, Client, Connect, Options, Program, Proxy, Reach, Version, Weir, until};

use crate::both_roads::exchange;

fn proxied(trusted: &str) -> Options {
    Options::new()
        // Their clients come from elsewhere.
        .set("auth.anonymous", "always")
        .set("listeners.proxied.kind", "tcp")
        .set("listeners.proxied.bind", "127.0.0.1:0")
        .set("listeners.proxied.proxy_protocol", "true")
        .set("listeners.proxied.proxy_trusted", trusted)
        .set("logging.level", "debug")
}

#[test]
fn clients_behind_a_proxy_are_known_by_their_own_address() {
    let weir = Weir::start(proxied("10.0.0.0/8,127.0.0.1"));
    let to = weir.listener("proxied");
    let first = Proxy::start(to, "1", "203.0.113.9");
    exchange(&weir, &first.address.into(), Program::Mosquitto, Program::Paho, Version::V5);
    weir.wait_for_line(&["CONNECT", "\"peer\":\"203.0.113.9\"", "\"listener\":\"proxied\""]);
    let second = Proxy::start(to, "2", "198.51.100.7");
    Program::Paho.publish(second.address, Version::V311, "plant/{}/data", 1, 3);
    weir.wait_for_line(&["CONNECT", "\"peer\":\"198.51.100.7\""]);
}

#[test]
fn a_proxy_before_tls_is_heard_first() {
    let certificate = Certificate::new();
    let weir = Weir::start(
        proxied("127.0.0.1")
            .set("listeners.proxied.kind", "wss")
            .set("listeners.proxied.cert", &certificate.cert.display().to_string())
            .set("listeners.proxied.key", &certificate.key.display().to_string()),
    );
    let proxy = Proxy::start(weir.listener("proxied"), "2", "203.0.113.9");
    let reach = Reach::new("wss", proxy.address, Some(&certificate.ca));
    exchange(&weir, &reach, Program::Paho, Program::MqttJs, Version::V5);
    weir.wait_for_line(&["CONNECT", "\"peer\":\"203.0.113.9\""]);
}

/// Whether the listener closes a connection without a word.
fn is_closed(mut stream: TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    // A reset ends it as well.
    stream.read(&mut [0]).unwrap_or(0) == 0
}

#[test]
fn headers_are_taken_from_the_trusted_and_from_them_alone() {
    let weir = Weir::start(proxied("10.0.0.0/8"));
    let to = weir.listener("proxied");
    // Who is no proxy is served as who it is.
    Program::Mosquitto.publish(to, Version::V5, "t", 1, 1);
    let liar = Proxy::start(to, "1", "10.1.2.3");
    assert!(is_closed(TcpStream::connect(liar.address).expect("connected")));
    weir.wait_for_line(&["connection refused", "proxy_trusted does not name"]);
    let weir = Weir::start(proxied("127.0.0.0/8"));
    let silent = Proxy::start(weir.listener("proxied"), "none", "10.1.2.3");
    let mut client = TcpStream::connect(silent.address).expect("connected");
    std::io::Write::write_all(&mut client, b"\x10\x0e\0\x04MQTT\x04\x02\0\0\0\x02id")
        .expect("sent");
    assert!(is_closed(client));
    weir.wait_for_line(&["connection refused", "there is no PROXY header"]);
    let page = weir.rest().metrics();
    assert!(
        page.contains("weir_connections_refused_total{reason=\"proxy_protocol\"} 1\n"),
        "{page}"
    );
}

#[test]
fn each_listener_keeps_its_limits_and_counts_who_is_refused() {
    let weir = Weir::start(
        Options::new()
            .set("listeners.small.kind", "tcp")
            .set("listeners.small.bind", "127.0.0.1:0")
            .set("listeners.small.max_connections", "2")
            .set("listeners.small.connect_timeout", "200ms")
            .expect("the listener is at its limit"),
    );
    let small = weir.listener("small");
    let silent = [small, small].map(|to| TcpStream::connect(to).expect("connected"));
    assert!(is_closed(TcpStream::connect(small).expect("connected")));
    // The other listener is not concerned.
    drop(weir.connect(&Connect::new("other")));
    for stream in silent {
        assert!(is_closed(stream));
    }
    // Their places are free again.
    Program::Paho.publish(small, Version::V5, "t", 1, 1);
    let rest = weir.rest();
    for line in [
        "weir_connections_refused_total{reason=\"max_connections\"} 1\n",
        "weir_connections_refused_total{reason=\"connect_timeout\"} 2\n",
        "weir_listener_connections{listener=\"small\"} 0\n",
    ] {
        until(line, || rest.metrics().contains(line).then_some(()));
    }
}

#[test]
fn both_families_of_addresses_are_served_as_said() {
    let weir = Weir::start(
        Options::new()
            .set("listeners.six.kind", "tcp")
            .set("listeners.six.bind", "[::1]:0")
            .set("listeners.all.kind", "tcp")
            .set("listeners.all.bind", "[::]:0")
            .set("listeners.all.dual_stack", "true")
            .set("listeners.only.kind", "tcp")
            .set("listeners.only.bind", "[::]:0")
            .set("logging.level", "debug")
            .expect("nobody but admin can sign in here"),
    );
    let port = |name: &str| weir.listener(name).port();
    let reached = |host: &str, port: u16| {
        let to = SocketAddr::new(host.parse().expect("an address"), port);
        let is_open = TcpStream::connect(to).is_ok();
        if is_open {
            drop(Client::connect(to, &Connect::new("family")));
        }
        is_open
    };
    assert!(reached("::1", port("six")) && !reached("127.0.0.1", port("six")));
    assert!(reached("::1", port("all")) && reached("127.0.0.1", port("all")));
    // Through both stacks an IPv4 client has its IPv4 address.
    weir.wait_for_line(&["CONNECT", "\"listener\":\"all\"", "\"peer\":\"127.0.0.1\""]);
    assert!(reached("::1", port("only")) && !reached("127.0.0.1", port("only")));
}

#[test]
fn when_a_certificate_ends_is_a_metric_and_soon_a_warning() {
    let certificate = Certificate::ending(20);
    let weir = Weir::start(
        Options::new()
            .set("listeners.mqtts.bind", "127.0.0.1:0")
            .set("listeners.mqtts.cert", &certificate.cert.display().to_string())
            .set("listeners.mqtts.key", &certificate.key.display().to_string())
            .expect("expires in 20 days"),
    );
    weir.wait_for_line(&["WARN", "expires in 20 days", "mqtts"]);
    let page = weir.rest().metrics();
    let name = "weir_tls_certificate_expiry_timestamp_seconds{listener=\"mqtts\"} ";
    let at = page.lines().find_map(|line| line.strip_prefix(name)).expect("a sample");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("later");
    let left = at.parse::<u64>().expect("a number") - now.as_secs();
    assert!((20 * 86_400..21 * 86_400).contains(&left), "{left}");
    assert_eq!(weir.rest().get("/alarms").body["data"], serde_json::json!([]));
}

#[test]
fn a_certificate_that_is_about_to_end_is_an_alarm_until_there_is_another() {
    let certificate = Certificate::ending(5);
    let weir = Weir::start(
        Options::new()
            .set("listeners.mqtts.bind", "127.0.0.1:0")
            .set("listeners.mqtts.cert", &certificate.cert.display().to_string())
            .set("listeners.mqtts.key", &certificate.key.display().to_string())
            .expect("expires in 5 days"),
    );
    weir.wait_for_line(&["alarm raised", "certificate_expiry"]);
    let alarm = &weir.rest().get("/alarms").body["data"][0];
    assert_eq!(
        (alarm["name"].as_str(), alarm["resource"].as_str()),
        (Some("certificate_expiry"), Some("mqtts"))
    );
    let listed = weir.command(&["alarms", "ls"], "");
    assert!(
        listed.contains("certificate_expiry") && listed.contains("expires in 5 days"),
        "{listed}"
    );
    assert!(weir.rest().metrics().contains("weir_alarms{name=\"certificate_expiry\"} 1\n"));
    let other = Certificate::new();
    std::fs::copy(&other.cert, &certificate.cert).expect("copied");
    std::fs::copy(&other.key, &certificate.key).expect("copied");
    weir.hang_up();
    weir.wait_for_line(&["alarm cleared", "certificate_expiry"]);
    assert_eq!(weir.rest().get("/alarms").body["data"], serde_json::json!([]));
}

#[test]
fn a_revoked_client_is_turned_away_after_a_hangup() {
    let certificate = Certificate::new();
    let path = |path: &Path| path.display().to_string();
    let weir = Weir::start(
        Options::new()
            .set("listeners.mqtts.bind", "127.0.0.1:0")
            .set("listeners.mqtts.cert", &path(&certificate.cert))
            .set("listeners.mqtts.key", &path(&certificate.key))
            .set("listeners.mqtts.client_ca", &path(&certificate.ca))
            .set("listeners.mqtts.client_crl", &path(&certificate.revoke(&[])))
            .set("listeners.mqtts.require_client_cert", "true")
            .set("logging.level", "debug"),
    );
    let port = weir.listener("mqtts").port().to_string();
    let publishes = |name: &str| {
        let (cert, key) = certificate.client(name);
        let output = Command::new("mosquitto_pub")
            .args(["-h", "localhost", "-p", &port, "-q", "1", "-t", "t", "-m", name, "-i", name])
            .args(["--cafile", &path(&certificate.ca)])
            .args(["--cert", &path(&cert), "--key", &path(&key)])
            .output();
        output.expect("scripts/setup-test.sh installs mosquitto_pub").status.success()
    };
    assert!(publishes("device-1") && publishes("device-2"));
    for name in ["device-1", "device-2"] {
        let certificate = format!("\"certificate\":\"{name}\"");
        weir.wait_for_line(&["CONNECT", &certificate, &format!("\"client_id\":\"{name}\"")]);
    }
    let _ = certificate.revoke(&["device-1"]);
    weir.hang_up();
    weir.wait_for_line(&["certificate in use for new connections", "mqtts"]);
    assert!(!publishes("device-1") && publishes("device-2"));
    weir.wait_for_line(&["connection refused", "Revoked", "mqtts"]);
}
