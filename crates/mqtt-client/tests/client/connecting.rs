use std::net::TcpListener;
use std::time::Duration;

use mqtt_client::{Client, ConnectOptions, Error, PropertyBlock, Will};
use mqtt_codec::{Auth, ConnAck, Packet, Properties};
use mqtt_types::{Property, ProtocolVersion, QoS, ReasonCode};
use policy::{ClientFirst, SCRAM_SHA_256, ScramKeys, ScramServer};

use crate::script::{Peer, serve};

#[test]
fn connect_carries_every_option_in_every_version() {
    for version in [ProtocolVersion::V3_1, ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let (options, server) = serve(move |peer| {
            peer.version = version;
            peer.expect(|packet| {
                let Packet::Connect(connect) = packet else { panic!("{packet:?}") };
                assert_eq!(
                    (connect.version, connect.clean_start, connect.keep_alive),
                    (version, false, 17)
                );
                assert_eq!((connect.client_id, connect.username), ("test", Some("user")));
                assert_eq!(connect.password, Some(&b"pass"[..]));
                let will = connect.will.expect("a will");
                assert_eq!(
                    (will.topic, will.payload, will.qos, will.retain),
                    ("w", &b"gone"[..], QoS::AtLeastOnce, true)
                );
                let expiry = version.is_v5().then_some(99);
                assert_eq!(connect.properties.session_expiry_interval(), expiry);
                assert_eq!(will.properties.user_property("k"), version.is_v5().then_some("v"));
            });
            let connack = ConnAck {
                session_present: version != ProtocolVersion::V3_1,
                reason_code: ReasonCode::SUCCESS,
                properties: Properties::EMPTY,
            };
            peer.send(&Packet::ConnAck(connack));
        });
        let will = Will {
            topic: "w".to_owned(),
            payload: b"gone".to_vec(),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: PropertyBlock::of(&[Property::UserProperty("k", "v")]).expect("short"),
        };
        let options = ConnectOptions {
            version,
            clean_start: false,
            keep_alive: 17,
            username: Some("user".to_owned()),
            password: Some(b"pass".to_vec()),
            will: Some(will),
            properties: PropertyBlock::of(&[Property::SessionExpiryInterval(99)]).expect("short"),
            ..options
        };
        let client = Client::connect(&options).expect("accepted");
        assert_eq!(client.connack().session_present, version != ProtocolVersion::V3_1);
        server.join().expect("the script holds");
    }
}

#[test]
fn connack_tells_what_the_server_wants() {
    let (options, server) = serve(|peer| {
        let block = PropertyBlock::of(&[
            Property::ReceiveMaximum(3),
            Property::AssignedClientIdentifier("auto-1"),
            Property::ServerKeepAlive(9),
            Property::MaximumPacketSize(50),
        ]);
        peer.accept(block.expect("short").properties());
        peer.expect_end();
    });
    let client = Client::connect(&options).expect("accepted");
    let connack = client.connack();
    assert_eq!((connack.receive_maximum, connack.server_keep_alive), (3, Some(9)));
    assert_eq!(connack.assigned_client_id.as_deref(), Some("auto-1"));
    let message = mqtt_client::Outgoing { topic: "a", payload: &[0; 100], ..Default::default() };
    assert!(matches!(client.send(&message), Err(Error::TooLarge { limit: 50, .. })));
    drop(client);
    server.join().expect("the script holds");
}

#[test]
fn a_refusal_comes_with_code_and_words() {
    let (options, server) = serve(|peer| {
        peer.expect(|packet| assert!(matches!(packet, Packet::Connect(_))));
        let block = PropertyBlock::of(&[Property::ReasonString("policy says no")]).expect("short");
        let properties = block.properties();
        let connack =
            ConnAck { session_present: false, reason_code: ReasonCode::NOT_AUTHORIZED, properties };
        peer.send(&Packet::ConnAck(connack));
    });
    let error = Client::connect(&options).map(|_| ()).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "server refused the connection: not authorized (0x87): policy says no"
    );
    server.join().expect("the script holds");
}

#[test]
fn what_keeps_a_connection_from_being_made_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let mut options = ConnectOptions::new(address.clone());
    options.connect_timeout = Duration::from_millis(50);
    assert!(matches!(Client::connect(&options), Err(Error::Timeout { packet: "CONNACK", .. })));
    drop(listener);
    let error = Client::connect(&options).map(|_| ()).expect_err("nobody listens").to_string();
    assert!(error.starts_with(&format!("cannot connect to {address}: ")), "{error}");
    let error = Client::connect(&ConnectOptions::new("no port"))
        .map(|_| ())
        .expect_err("no address")
        .to_string();
    assert!(error.starts_with("address 'no port' cannot be resolved"), "{error}");
    let (options, server) = serve(|peer| peer.send_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let error = Client::connect(&options).map(|_| ()).expect_err("no MQTT").to_string();
    assert!(error.starts_with("server broke the protocol"), "{error}");
    server.join().expect("the script holds");
}

/// The server's part of an exchange, up to its proof.
fn exchange(peer: &mut Peer, password: &str) -> Option<Vec<u8>> {
    let first = peer.expect(|packet| {
        let Packet::Connect(connect) = packet else { panic!("{packet:?}") };
        assert_eq!((connect.username, connect.password), (None, None), "it is not sent");
        assert_eq!(connect.properties.authentication_method(), Some(SCRAM_SHA_256));
        ClientFirst::parse(connect.properties.authentication_data().expect("data")).expect("legal")
    });
    assert_eq!(first.username, "user");
    let keys = ScramKeys::of(password.as_bytes(), b"salt", 4_096);
    let (server, challenge) = ScramServer::begin(first, keys, "nonce");
    let block = PropertyBlock::of(&[
        Property::AuthenticationMethod(SCRAM_SHA_256),
        Property::AuthenticationData(&challenge),
    ]);
    let block = block.expect("short");
    let reason_code = ReasonCode::CONTINUE_AUTHENTICATION;
    peer.send(&Packet::Auth(Auth { reason_code, properties: block.properties() }));
    peer.expect(|packet| {
        let Packet::Auth(auth) = packet else { panic!("{packet:?}") };
        assert_eq!(auth.reason_code, ReasonCode::CONTINUE_AUTHENTICATION);
        server.finish(auth.properties.authentication_data().expect("data")).ok()
    })
}

/// Connects by SCRAM to a server that takes the client for that one's, and says at the end what `last` makes of its proof.
fn by_scram(
    password: &'static str,
    last: impl FnOnce(Option<Vec<u8>>) -> Vec<u8> + Send + 'static,
) -> Result<Client, Error> {
    let (options, server) = serve(move |peer| {
        let proof = last(exchange(peer, password));
        let block = PropertyBlock::of(&[
            Property::AuthenticationMethod(SCRAM_SHA_256),
            Property::AuthenticationData(&proof),
        ]);
        let block = block.expect("short");
        peer.send(&Packet::ConnAck(ConnAck {
            session_present: false,
            reason_code: ReasonCode::SUCCESS,
            properties: block.properties(),
        }));
    });
    let options = ConnectOptions {
        username: Some("user".to_owned()),
        password: Some(b"pencil".to_vec()),
        scram: true,
        ..options
    };
    let outcome = Client::connect(&options);
    server.join().expect("the server's part holds");
    outcome
}

#[test]
fn a_password_is_proved_and_the_server_has_to_know_it_too() {
    let client = by_scram("pencil", |proof| proof.expect("the right password"));
    assert!(client.is_ok(), "{:?}", client.err());
    for (password, last) in [("pencil", "v=AAAA"), ("pencil", ""), ("other", "v=AAAA")] {
        let outcome = by_scram(password, |_| last.as_bytes().to_vec());
        assert!(matches!(outcome, Err(Error::Exchange(_))), "{:?}", outcome.err());
    }
}
