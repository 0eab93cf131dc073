//! Plain sockets: Unix, and the end that comes together with data.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use net::{Address, ListenerConfig};

use crate::client::{Client, echo};
use crate::server::{Server, any_port};
use crate::streams::tcp;

#[test]
fn a_unix_socket_carries_mqtt_on_both_shards() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mqtt.sock");
    let server = Server::start(ListenerConfig::plain("local", Address::Unix(path.clone())));
    for n in 0..4 {
        let stream = UnixStream::connect(&path).expect("connected");
        let mut client = Client::connect(stream, &format!("client-{n}"));
        echo(&mut client, &format!("echo/{n}"));
    }
    drop(server);
    assert!(!path.exists(), "the socket goes with its listener");
}

#[test]
fn an_end_that_comes_with_data_is_seen_at_once() {
    let server = Server::start(ListenerConfig::plain("mqtt", any_port()));
    let mut watcher = Client::connect(tcp(server.ip()), "watcher");
    watcher.subscribe("gone");
    for n in 0..50 {
        let id = format!("client-{n}");
        let mut client =
            Client::try_connect(tcp(server.ip()), &id, Some(("gone", &id))).expect("accepted");
        client.publish("data", b"last");
        client.0.shutdown(Shutdown::Write).expect("ended");
        assert_eq!(watcher.message(), ("gone".to_owned(), id.into_bytes()));
    }
}
