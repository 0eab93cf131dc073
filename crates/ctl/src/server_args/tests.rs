use clap::Parser;

use super::*;

#[derive(Parser)]
#[command(disable_help_flag = true)]
struct Line {
    #[command(flatten)]
    server: ServerArgs,
}

fn server(line: &str) -> Server {
    let arguments = line.split_whitespace();
    let line = Line::try_parse_from(["x"].into_iter().chain(arguments)).expect(line);
    line.server.server().expect("they go together")
}

/// The address; what is spoken: TLS, WebSocket and its path; user and password.
fn summary(line: &str) -> String {
    let Server { address, transport, username, password } = server(line);
    let mut words = vec![address];
    words.extend((transport.network == Network::Unix).then(|| "unix".to_owned()));
    words.extend((transport.network == Network::Quic).then(|| "quic".to_owned()));
    words.extend(transport.tls.map(|_| "tls".to_owned()));
    words.extend(transport.websocket_path.map(|path| format!("ws {path}")));
    words.extend(username.map(|name| format!("user {name}")));
    words.extend(password.map(|password| format!("password {password}")));
    words.join(" ")
}

#[test]
fn flags_and_urls_say_where_and_what() {
    for (line, expected) in [
        ("", "127.0.0.1:1883"),
        ("-h broker -p 2883", "broker:2883"),
        ("-h ::1", "[::1]:1883"),
        ("--tls -h broker", "broker:8883 tls"),
        ("--cafile ca.pem", "127.0.0.1:8883 tls"),
        ("--insecure -p 1", "127.0.0.1:1 tls"),
        ("--ws", "127.0.0.1:8083 ws /mqtt"),
        ("--ws --ws-path /x --tls-use-os-certs", "127.0.0.1:8084 tls ws /x"),
        ("--unix /run/mqtt.sock", "/run/mqtt.sock unix"),
        ("-L mqtt://broker", "broker:1883"),
        ("-L MQTTS://broker/", "broker:8883 tls"),
        ("--url mqtts://[2001:db8::1]:99", "[2001:db8::1]:99 tls"),
        ("--url ws://broker", "broker:8083 ws /mqtt"),
        ("--url ws://broker/ --ws-path /x", "broker:8083 ws /x"),
        ("--url wss://broker:443/mqtt?a=b", "broker:443 tls ws /mqtt?a=b"),
        ("--url unix:/run/mqtt.sock", "/run/mqtt.sock unix"),
        ("--url quic://broker", "broker:14567 quic tls"),
        ("--url unix:mqtt.sock", "mqtt.sock unix"),
        ("--url unix:///run/mqtt.sock", "/run/mqtt.sock unix"),
        ("--url mqtt://me:p%40ss@broker", "broker:1883 user me password p@ss"),
        ("--url mqtt://me@broker:5", "broker:5 user me"),
    ] {
        assert_eq!(summary(line), expected, "{line}");
    }
}

#[test]
fn files_go_to_tls() {
    let transport =
        server("--cafile ca --cert c --key k --tls-version tlsv1.2 --insecure").transport;
    let expected = TlsOptions {
        ca_file: Some("ca".into()),
        certificate: Some(("c".into(), "k".into())),
        server_name: None,
        version: Some(TlsVersion::V1_2),
        insecure: true,
    };
    assert_eq!(transport.tls, Some(expected));
    assert_eq!(
        server("-L wss://b --cafile ca").transport.tls.expect("TLS").ca_file,
        Some("ca".into())
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    for line in [
        "--url mqtt://a -p 5",
        "--url mqtt://a --tls",
        "--unix s -h a",
        "--unix s --cafile ca",
        "--cert c",
        "--tls-version 1.1",
        "--url http://a",
        "--url a:1883",
        "--url mqtt://",
        "--url mqtt://a:b",
        "--url mqtt://a/topic",
        "--url mqtt://[::1]x",
        "--url mqtt://%zz@a",
        "--url unix:",
    ] {
        let arguments = ["x"].into_iter().chain(line.split_whitespace());
        assert!(Line::try_parse_from(arguments).is_err(), "{line}");
    }
    let arguments = ["x", "--url", "mqtt://a", "--cafile", "ca"];
    let line = Line::try_parse_from(arguments).unwrap_or_else(|error| panic!("{error}"));
    assert!(line.server.server().is_err_and(|usage| usage.0.contains("without TLS")));
}
