//! Requests, files and silences that are refused.

use std::io::{Read, Write};
use std::time::Duration;

use net::{Config, ListenerConfig, TlsFiles};

use crate::certificates::Authority;
use crate::server::{Server, any_port};
use crate::streams::{REQUEST, tcp};
use crate::{tls, websocket};

/// All that comes back for a request.
fn answer(server: &Server, request: &str) -> String {
    let mut stream = tcp(server.ip());
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer and an end");
    answer
}

#[test]
fn a_request_for_something_else_is_answered() {
    let server = websocket::serve();
    for (from, to, status) in [
        ("/mqtt", "/other", "404"),
        ("Upgrade: websocket", "X: y", "426"),
        ("Protocol: mqtt", "Protocol: chat", "400"),
        ("Version: 13", "Version: 7", "426"),
    ] {
        let text = answer(&server, &REQUEST.replace(from, to));
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    }
    let long = format!("GET /mqtt HTTP/1.1\r\nX: {}", "y".repeat(10_000));
    assert!(answer(&server, &long).starts_with("HTTP/1.1 431 "));
}

#[test]
fn silence_has_an_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let plain = ListenerConfig::plain("mqtt", any_port());
    let websocket = Some(net::WebSocketConfig::default());
    let begun = [&b""[..], b"\x16\x03\x01\x02\x00\x01", b"GET /mqtt HT"];
    let listeners =
        [plain.clone(), tls::listener(&authority.server()), ListenerConfig { websocket, ..plain }];
    for (listener, begun) in listeners.into_iter().zip(begun) {
        let connect_timeout = Duration::from_millis(50);
        let config = Config { listeners: vec![listener], connect_timeout, ..Config::default() };
        let server = Server::with(config);
        for sent in [&b""[..], begun] {
            let mut stream = tcp(server.ip());
            stream.write_all(sent).expect("sent");
            let mut rest = Vec::new();
            // Input that nobody read makes it a reset instead of an end.
            let _ = stream.read_to_end(&mut rest);
            assert!(rest.is_empty());
        }
    }
}

#[test]
fn files_that_are_no_use_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let good = TlsFiles { client_ca: Some(authority.ca()), ..authority.server() };
    let other = authority.issue("other");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing here\n").expect("written");
    let broken = folder.path().join("broken.pem");
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&broken, text).expect("written");
    let missing = folder.path().join("missing.pem");
    let with = |change: &dyn Fn(&mut TlsFiles)| {
        let mut files = good.clone();
        change(&mut files);
        files.load().expect_err("refused").to_string()
    };
    let cases = [
        (
            with(&|f| f.identities[0].cert = missing.clone()),
            "the certificate",
            &missing,
            "No such file",
        ),
        (
            with(&|f| f.identities[0].cert = empty.clone()),
            "the certificate",
            &empty,
            "no certificate in it",
        ),
        (with(&|f| f.identities[0].key = missing.clone()), "the key", &missing, "No such file"),
        (with(&|f| f.identities[0].key = empty.clone()), "the key", &empty, "nothing of that kind"),
        (
            with(&|f| f.identities[0].key = other.key.clone()),
            "the key",
            &other.key,
            "with the certificate",
        ),
        (
            with(&|f| f.identities[0].cert = broken.clone()),
            "the key",
            &good.identities[0].key,
            "with the certificate",
        ),
        (with(&|f| f.client_ca = Some(empty.clone())), "the client CA", &empty, "no certificate"),
        (with(&|f| f.client_ca = Some(broken.clone())), "the client CA", &broken, ""),
        (
            with(&|f| f.client_crl = vec![missing.clone()]),
            "the revocation list",
            &missing,
            "No such",
        ),
        (
            with(&|f| f.client_crl = vec![broken.clone()]),
            "the revocation list",
            &broken,
            "no revocation",
        ),
        (with(&|f| f.client_crl = vec![empty.clone()]), "the revocation list", &empty, ""),
    ];
    for (message, what, path, why) in cases {
        let begin = format!("cannot use {what} {}: ", path.display());
        assert!(message.starts_with(&begin) && message.contains(why), "{message}");
    }
}
