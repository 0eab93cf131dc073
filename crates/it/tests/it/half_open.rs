//! Peers that vanish: the network drops their packets and nobody says goodbye.

use std::process::{Child, Stdio};

use it::{Options, Severed, Weir, until};

fn subscriber(network: &Severed, weir: &Weir, name: &str, keep_alive: &str) -> Child {
    let mut command = network.there(it::weir_command().get_program());
    command.args(["sub", "-h", Severed::ADDRESS, "-p", &weir.mqtt.port().to_string(), "-i", name]);
    command.args(["-k", keep_alive, "-t", name, "-q", "1"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

fn connected(weir: &Weir) -> Vec<String> {
    let list = weir.command(&["clients", "ls", "--json"], "");
    let clients: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    let clients = clients.as_array().or_else(|| clients["data"].as_array()).expect("a list");
    let connected = clients.iter().filter(|client| client["connected"] == true);
    connected.map(|client| client["client_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn peers_whose_packets_vanish_are_found_out() {
    let Some(network) = Severed::network("half_open::peers_whose_packets_vanish_are_found_out")
    else {
        return;
    };
    let options = Options::new()
        .set("listeners.mqtt.bind", &format!("{}:0", Severed::ADDRESS))
        .set("auth.anonymous", "always")
        .set("mqtt.dead_peer_probe", "1s")
        .expect("whoever reaches this listener");
    let weir = Weir::start(options);
    let mut peers = [("silent", "0"), ("owing", "0"), ("alive", "2")]
        .map(|(name, keep_alive)| subscriber(&network, &weir, name, keep_alive));
    until("three clients", || (connected(&weir).len() == 3).then_some(()));
    let here = ["-h", Severed::ADDRESS, "-p", &weir.mqtt.port().to_string()];
    network.cut();
    let publish = [&["pub"][..], &here, &["-t", "owing", "-m", "unacknowledged", "-q", "1"]];
    let _ = weir.command(&publish.concat(), "");
    until("nobody", || connected(&weir).is_empty().then_some(()));
    // Who does not ask whether the broker is there has not gone by itself.
    for peer in &mut peers[..2] {
        assert!(peer.try_wait().expect("it can be asked").is_none(), "a peer has ended");
    }
    for peer in &mut peers {
        let _ = peer.kill();
        peer.wait().expect("it ends");
    }
}
