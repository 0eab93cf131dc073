//! MQTT over a Unix socket.

use std::os::unix::net::UnixStream;

use net::{Address, ListenerConfig};

use crate::client::{Client, echo};
use crate::server::Server;

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
