//! TLS: versions, pieces, clients' certificates, readers that do not read, ends of all kinds.

use std::io::{Read, Write};

use net::{ListenerConfig, TlsFiles};
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;

use crate::certificates::Authority;
use crate::client::{Client, DISCONNECT, echo, late_reader, pattern};
use crate::server::{Server, any_port};
use crate::streams::{Trickle, tcp, tls, tls_for};

/// A listener with these files.
pub fn listener(files: &TlsFiles) -> ListenerConfig {
    let tls = Some(files.load().expect("good files"));
    ListenerConfig { tls, ..ListenerConfig::plain("mqtts", any_port()) }
}

/// A server, and who signed its certificate.
pub fn serve() -> (Server, Authority, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    (Server::start(listener(&authority.server())), authority, folder)
}

#[test]
fn both_versions_carry_mqtt_on_both_shards() {
    let (server, authority, _folder) = serve();
    for version in [&TLS12, &TLS13] {
        let config = authority.client(&[version], None);
        // Client ids spread over the shards: some connections move to the other thread.
        for n in 0..6 {
            let id = format!("client-{n}-{:?}", version.version);
            let mut client = Client::connect(tls(tcp(server.ip()), &config), &id);
            assert_eq!(client.0.conn.protocol_version(), Some(version.version));
            echo(&mut client, &format!("echo/{id}"));
        }
    }
}

#[test]
fn a_second_connection_resumes_the_session() {
    let (server, authority, _folder) = serve();
    for version in [&TLS12, &TLS13] {
        let config = authority.client(&[version], None);
        for turn in 0..2 {
            let mut client = Client::connect(tls(tcp(server.ip()), &config), "again");
            echo(&mut client, "echo");
            let kind = client.0.conn.handshake_kind();
            let expected = [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed][turn];
            assert_eq!(kind, Some(expected), "{version:?}");
            client.send(&DISCONNECT).expect("sent");
        }
    }
}

#[test]
fn records_come_in_any_pieces() {
    let (server, authority, _folder) = serve();
    let config = authority.client(&[&TLS13], None);
    for size in [1, 7, 1000] {
        let stream = tls(Trickle(tcp(server.ip()), size), &config);
        let mut client = Client::connect(stream, &format!("trickle-{size}"));
        client.subscribe("trickle");
        let payload = pattern(20_000);
        client.publish("trickle", &payload);
        assert!(client.message() == ("trickle".to_owned(), payload), "pieces of {size}");
    }
}

#[test]
fn many_packets_of_one_record_are_all_served() {
    let (server, authority, _folder) = serve();
    let config = authority.client(&[&TLS13], None);
    let mut client = Client::connect(tls(tcp(server.ip()), &config), "pings");
    let pings = [0xC0, 0].repeat(100_000);
    // The answers are more than the sockets hold, so both sides have to keep on.
    let mut sent = 0;
    while sent < pings.len() {
        let end = (sent + 16_000).min(pings.len());
        client.send(&pings[sent..end]).expect("sent");
        for _ in (sent..end).step_by(2) {
            assert_eq!(client.packet().expect("an answer"), (0xD0, vec![]));
        }
        sent = end;
    }
}

#[test]
fn a_reader_that_waits_gets_everything_in_the_end() {
    let (server, authority, _folder) = serve();
    let config = authority.client(&[&TLS12, &TLS13], None);
    late_reader(server.ip(), |socket| tls(socket, &config));
}

#[test]
fn certificates_of_clients_are_asked_for_as_configured() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let stranger = Authority::new(folder.path(), "stranger");
    let good = authority.issue("device-1");
    let foreign = stranger.issue("device-2");
    for (require, identity, accepted) in [
        (false, None, true),
        (false, Some(&good), true),
        (false, Some(&foreign), false),
        (true, None, false),
        (true, Some(&good), true),
        (true, Some(&foreign), false),
    ] {
        let client_ca = Some(authority.ca());
        let files = TlsFiles { client_ca, require_client_cert: require, ..authority.server() };
        let server = Server::start(listener(&files));
        for version in [&TLS12, &TLS13] {
            let config = authority.client(&[version], identity);
            let outcome = Client::try_connect(tls(tcp(server.ip()), &config), "device", None);
            match outcome {
                Ok(_) => assert!(accepted, "required: {require}, {version:?}"),
                Err(error) => {
                    assert!(!accepted, "required: {require}, {version:?}: {error}");
                    // The alert arrives, not only the end of the connection.
                    assert!(error.to_string().contains("fatal alert"), "{error}");
                }
            }
        }
    }
}

#[test]
fn a_new_certificate_is_for_new_connections() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Authority::new(folder.path(), "first");
    let second = Authority::new(folder.path(), "second");
    let files = first.server();
    let server = Server::start(listener(&files));
    let trusts_first = first.client(&[&TLS13], None);
    let trusts_second = second.client(&[&TLS13], None);
    let mut old = Client::connect(tls(tcp(server.ip()), &trusts_first), "old");
    std::fs::write(&files.identities[0].cert, "no certificate").expect("written");
    let error = server.reload().expect_err("a file of no use");
    assert!(error.contains("cannot use the certificate"), "{error}");
    echo(&mut Client::connect(tls(tcp(server.ip()), &trusts_first), "still"), "echo/still");
    let other = second.server();
    std::fs::copy(&other.identities[0].cert, &files.identities[0].cert).expect("copied");
    std::fs::copy(&other.identities[0].key, &files.identities[0].key).expect("copied");
    server.reload().expect("good files");
    echo(&mut Client::connect(tls(tcp(server.ip()), &trusts_second), "new"), "echo/new");
    echo(&mut old, "echo/old");
    let fresh = first.client(&[&TLS13], None);
    assert!(Client::try_connect(tls(tcp(server.ip()), &fresh), "late", None).is_err());
}

#[test]
fn the_end_is_said_and_heard() {
    let (server, authority, _folder) = serve();
    let config = authority.client(&[&TLS13], None);
    let mut watcher = Client::connect(tls(tcp(server.ip()), &config), "watcher");
    watcher.subscribe("gone/#");
    // Without DISCONNECT the will is published, whether TLS was closed properly or not, and at once although data
    // came with it.
    for (name, is_proper) in [("proper", true), ("torn", false)] {
        let topic = format!("gone/{name}");
        let stream = tls(tcp(server.ip()), &config);
        let mut client =
            Client::try_connect(stream, name, Some((&topic, "will"))).expect("accepted");
        client.publish("data", b"last");
        if is_proper {
            client.0.conn.send_close_notify();
            client.0.flush().expect("sent");
            let mut rest = Vec::new();
            client.0.read_to_end(&mut rest).expect("close_notify comes back");
            assert!(rest.is_empty());
        }
        drop(client);
        assert_eq!(watcher.message(), (topic, b"will".to_vec()));
    }
    // After DISCONNECT the server closes, properly.
    watcher.send(&DISCONNECT).expect("sent");
    let mut rest = Vec::new();
    watcher.0.read_to_end(&mut rest).expect("close_notify");
    assert!(rest.is_empty());
}

#[test]
fn what_is_no_tls_ends_with_an_alert_and_harms_nobody() {
    let (server, authority, _folder) = serve();
    let config = authority.client(&[&TLS13], None);
    let mut client = Client::connect(tls(tcp(server.ip()), &config), "steady");
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x10, 0x10, 0, 4], &[0xFF; 5000]] {
        let mut stream = tcp(server.ip());
        stream.write_all(garbage).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an end");
        assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}");
    }
    echo(&mut client, "echo");
}

#[test]
fn a_client_is_shown_the_certificate_of_the_name_it_asks_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let names = ["localhost", "*.plant.example", "mqtt.office.example"];
    let identities = names.map(|name| authority.issue(name)).to_vec();
    let files = TlsFiles { identities, ..authority.server() };
    let server = Server::start(listener(&files));
    for (asked, shown) in [
        ("localhost", Some("localhost")),
        ("line-1.plant.example", Some("*.plant.example")),
        ("mqtt.office.example", Some("mqtt.office.example")),
        // Nobody's name gets the first one, which the client does not take.
        ("elsewhere.example", None),
    ] {
        for version in [&TLS12, &TLS13] {
            let config = authority.client(&[version], None);
            let stream = tls_for(asked, tcp(server.ip()), &config);
            let outcome = Client::try_connect(stream, "sni", None);
            match (outcome, shown) {
                (Ok(client), Some(shown)) => {
                    let chain = client.0.conn.peer_certificates().expect("a certificate");
                    let found = chain[0].windows(shown.len()).any(|part| part == shown.as_bytes());
                    assert!(found, "{asked}");
                }
                (Err(error), None) => {
                    assert!(error.to_string().contains("not valid for name"), "{error}");
                }
                (Ok(_), None) => panic!("{asked} is served"),
                (Err(error), Some(_)) => panic!("{asked}: {error}"),
            }
        }
    }
}

#[test]
fn who_is_revoked_stays_out_from_the_next_reload_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let (good, bad) = (authority.issue("good"), authority.issue("bad"));
    let files = TlsFiles {
        client_ca: Some(authority.ca()),
        client_crl: vec![authority.revoke(&["other"])],
        require_client_cert: true,
        ..authority.server()
    };
    let server = Server::start(listener(&files));
    for version in [&TLS12, &TLS13] {
        authority.revoke(&["other"]);
        server.reload().expect("good files");
        let of_good = authority.client(&[version], Some(&good));
        let of_bad = authority.client(&[version], Some(&bad));
        let connect = |config, id| Client::try_connect(tls(tcp(server.ip()), config), id, None);
        let mut there = connect(&of_bad, "there").expect("not revoked yet");
        echo(&mut there, "echo/there");
        authority.revoke(&["other", "bad"]);
        server.reload().expect("good files");
        // The session of before is no way around it: `of_bad` would resume it.
        let error = connect(&of_bad, "late").map(|_| ()).expect_err("revoked").to_string();
        assert!(error.contains("CertificateRevoked"), "{error}");
        echo(&mut connect(&of_good, "good").expect("not revoked"), "echo/good");
        // Who is there already is not thrown out by a list.
        echo(&mut there, "echo/there/again");
        std::fs::write(&files.client_crl[0], "no list").expect("written");
        let error = server.reload().expect_err("a file of no use");
        assert!(error.contains("cannot use the revocation list"), "{error}");
        assert!(connect(&of_bad, "later").is_err(), "the old list stays in use");
    }
}

#[test]
fn a_list_must_cover_the_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let stranger = Authority::new(folder.path(), "stranger");
    let files = TlsFiles {
        client_ca: Some(authority.ca()),
        client_crl: vec![stranger.revoke(&[])],
        require_client_cert: true,
        ..authority.server()
    };
    let server = Server::start(listener(&files));
    let config = authority.client(&[&TLS13], Some(&authority.issue("device")));
    assert!(Client::try_connect(tls(tcp(server.ip()), &config), "device", None).is_err());
}

#[test]
fn clients_of_a_new_authority_come_in_after_a_reload() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Authority::new(folder.path(), "first");
    let second = Authority::new(folder.path(), "second");
    let client_ca = folder.path().join("clients.pem");
    std::fs::copy(first.ca(), &client_ca).expect("copied");
    let files = TlsFiles {
        client_ca: Some(client_ca.clone()),
        require_client_cert: true,
        ..first.server()
    };
    let server = Server::start(listener(&files));
    // It trusts the server's authority and shows a certificate of the other one.
    let config = first.client(&[&TLS13], Some(&second.issue("device")));
    let connect = |id| Client::try_connect(tls(tcp(server.ip()), &config), id, None);
    assert!(connect("early").is_err());
    std::fs::copy(second.ca(), &client_ca).expect("copied");
    server.reload().expect("good files");
    echo(&mut connect("late").expect("known now"), "echo");
}

#[test]
fn the_end_of_a_certificate_is_known() {
    let (server, _authority, _folder) = serve();
    let expiries = server.handle().certificate_expiries().map(|(name, at)| (name.to_owned(), at));
    // What rcgen sets when nothing else is said: the year 4096.
    assert_eq!(expiries.collect::<Vec<_>>(), [("mqtts".to_owned(), 67_090_118_400)]);
    assert_eq!(server.handle().concerns(0).count(), 0);
    let concerns: Vec<_> = server.handle().concerns(67_090_118_401).collect();
    assert!(concerns[0].1.contains("has expired"), "{concerns:?}");
    let before = |days: i64| 67_090_118_400 - days * 86_400;
    let urgent = |at| server.handle().urgent_concerns(at).count();
    assert_eq!([urgent(before(15)), urgent(before(13)), urgent(before(-1))], [0, 1, 1]);
}
