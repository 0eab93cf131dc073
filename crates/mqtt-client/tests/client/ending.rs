use std::sync::Arc;
use std::time::Duration;

use mqtt_client::{CloseReason, Error, PropertyBlock};
use mqtt_codec::{Disconnect, Packet};
use mqtt_types::{Property, ReasonCode};

use crate::script::{SOON, connected, connected_as, id};

#[test]
fn an_idle_connection_is_kept_alive_and_a_deaf_server_is_found_out() {
    let (client, server) = connected_as(
        |options| options.keep_alive = 1,
        |peer| {
            for answer in [true, true, false] {
                peer.expect(|packet| assert_eq!(*packet, Packet::PingReq));
                if answer {
                    peer.send(&Packet::PingResp);
                }
            }
            peer.expect_end();
        },
    );
    let error = client.next(SOON).expect_err("the server stopped to answer");
    assert!(matches!(error, Error::Closed(CloseReason::KeepAlive)), "{error}");
    server.join().expect("the script holds");
}

#[test]
fn without_a_keep_alive_no_ping_is_sent() {
    let (client, server) = connected_as(
        |options| options.keep_alive = 0,
        |peer| {
            peer.expect(|packet| assert!(matches!(packet, Packet::Disconnect(_))));
            peer.expect_end();
        },
    );
    client.disconnect(ReasonCode::SUCCESS).expect("orderly");
    server.join().expect("the script holds");
}

#[test]
fn disconnect_says_why_and_wakes_who_waits() {
    let (client, server) = connected(|peer| {
        peer.expect(|packet| match packet {
            Packet::Disconnect(disconnect) => {
                assert_eq!(disconnect.reason_code, ReasonCode::DISCONNECT_WITH_WILL)
            }
            other => panic!("{other:?} is no DISCONNECT"),
        });
        peer.expect_end();
    });
    let client = Arc::new(client);
    let waiting = Arc::clone(&client);
    let waiter = std::thread::spawn(move || waiting.next(SOON));
    client.disconnect(ReasonCode::DISCONNECT_WITH_WILL).expect("orderly");
    client.disconnect(ReasonCode::SUCCESS).expect("a second one does nothing");
    let error = waiter.join().expect("no panic").expect_err("it ended");
    assert!(matches!(error, Error::Closed(CloseReason::Ours)), "{error}");
    server.join().expect("the script holds");
}

#[test]
fn the_servers_reason_reaches_the_user() {
    let (client, server) = connected(|peer| {
        let block =
            PropertyBlock::of(&[Property::ReasonString("taken over by 127.0.0.1")]).expect("short");
        let reason_code = ReasonCode::SESSION_TAKEN_OVER;
        peer.send(&Packet::Disconnect(Disconnect { reason_code, properties: block.properties() }));
    });
    let error = client.next(SOON).expect_err("it ended").to_string();
    assert_eq!(error, "server disconnected: session taken over (0x8E): taken over by 127.0.0.1");
    assert!(client.disconnect(ReasonCode::SUCCESS).is_err());
    server.join().expect("the script holds");
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    let unasked = mqtt_codec::Ack::new(id(9), ReasonCode::SUCCESS);
    for packet in [
        Packet::PubAck(unasked),
        Packet::PubRec(unasked),
        Packet::PubComp(unasked),
        Packet::PingReq,
    ] {
        let (client, server) = connected(move |peer| {
            peer.send(&packet);
            peer.expect_end();
        });
        let error = client.next(SOON).expect_err("it ended");
        assert!(matches!(error, Error::Closed(CloseReason::Unexpected(_))), "{packet:?}: {error}");
        drop(client);
        server.join().expect("the script holds");
    }
}

#[test]
fn no_message_in_time_is_no_error() {
    let (client, server) = connected(|peer| peer.expect_end());
    assert_eq!(client.next(Duration::from_millis(1)).expect("open"), None);
    drop(client);
    server.join().expect("the script holds");
}

#[test]
fn a_server_that_closes_at_once_after_disconnect_is_no_failure() {
    for _ in 0..50 {
        let (client, server) = connected(|peer| {
            peer.expect(|packet| assert!(matches!(packet, Packet::Disconnect(_))));
        });
        client.disconnect(ReasonCode::SUCCESS).expect("orderly");
        server.join().expect("the script holds");
    }
}
