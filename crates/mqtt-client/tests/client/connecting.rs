use std::net::TcpListener;
use std::time::Duration;

use mqtt_client::{Client, ConnectOptions, Error, PropertyBlock, Will};
use mqtt_codec::{ConnAck, Packet, Properties};
use mqtt_types::{Property, ProtocolVersion, QoS, ReasonCode};

use crate::script::serve;

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
