use mqtt_codec::{Ack, Packet, PropertyBlock};
use mqtt_types::{Property, QoS, ReasonCode};

use crate::broker::{Peer, id, serve};
use crate::program::{end, run, start};

fn expect_publish(peer: &mut Peer, qos: QoS, payload: &[u8]) {
    peer.expect(|packet| match packet {
        Packet::Publish(publish) => {
            assert_eq!((publish.topic, publish.qos, publish.payload), ("a/b", qos, payload));
        }
        other => panic!("{other:?} is no PUBLISH"),
    });
}

#[test]
fn a_message_goes_out_with_its_properties() {
    let (port, server) = serve(|peer| {
        peer.expect(|packet| {
            let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
            assert_eq!((publish.payload, publish.retain), (&b"-5"[..], true));
            assert_eq!(publish.properties.user_properties().collect::<Vec<_>>(), [("k", "v")]);
        });
        peer.expect_disconnect();
    });
    let ended = run(&[
        "pub",
        "-p",
        &port,
        "-t",
        "a/b",
        "-m",
        "-5",
        "-r",
        "-D",
        "publish",
        "user-property",
        "k",
        "v",
    ]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    server.join().expect("the script holds");
}

#[test]
fn each_line_is_a_message_and_refusals_fail_at_the_end_with_their_words() {
    let (port, server) = serve(|peer| {
        for (number, payload) in [(1, "one"), (2, "two"), (3, "three")] {
            expect_publish(peer, QoS::AtLeastOnce, payload.as_bytes());
            let block =
                PropertyBlock::of(&[Property::ReasonString("queue 'q' is full")]).expect("short");
            let mut ack = Ack::new(id(number), ReasonCode::SUCCESS);
            if number == 2 {
                ack = Ack {
                    properties: block.properties(),
                    ..Ack::new(id(2), ReasonCode::QUOTA_EXCEEDED)
                };
            }
            peer.send(&Packet::PubAck(ack));
        }
        peer.expect_disconnect();
    });
    let ended =
        end(start(&["pub", "-p", &port, "-t", "a/b", "-l", "-q", "1"]), "one\ntwo\nthree\n");
    assert_eq!(ended.code, Some(1));
    assert_eq!(
        ended.stderr,
        "weir: message to 'a/b' was refused: quota exceeded (0x97): queue 'q' is full\n"
    );
    server.join().expect("the script holds");
}

#[test]
fn that_nobody_took_a_message_is_said_only_when_asked() {
    for (flag, expected) in [
        ("-r", ""),
        ("-v", "weir: message to 'a/b' was taken by nobody: no matching subscribers (0x10)\n"),
    ] {
        let (port, server) = serve(|peer| {
            expect_publish(peer, QoS::AtLeastOnce, b"x");
            peer.send(&Packet::PubAck(Ack::new(id(1), ReasonCode::NO_MATCHING_SUBSCRIBERS)));
            peer.expect_disconnect();
        });
        let ended = run(&["pub", "-p", &port, "-t", "a/b", "-m", "x", "-q", "1", flag]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), expected), "{flag}");
        server.join().expect("the script holds");
    }
}

#[test]
fn an_answer_that_does_not_come_and_a_connection_that_is_lost_are_failures() {
    let (port, server) = serve(|peer| expect_publish(peer, QoS::AtLeastOnce, b"x"));
    let ended = run(&["pub", "-p", &port, "-t", "a/b", "-m", "x", "-q", "1"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("message to 'a/b' was not acknowledged: server closed"),
        "{}",
        ended.stderr
    );
    server.join().expect("the script holds");

    let (port, server) = serve(|_| {});
    let mut typing = start(&["pub", "-p", &port, "-t", "a/b", "-l"]);
    let input = typing.stdin.take();
    let output = typing.wait_with_output().expect("it ends while nobody types");
    assert_eq!(output.status.code(), Some(1));
    drop(input);
    server.join().expect("the script holds");
}

#[test]
fn what_cannot_be_understood_or_reached_is_said_with_a_next_step() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = nobody.local_addr().expect("bound").port().to_string();
    drop(nobody);
    for (arguments, code, words) in [
        (&["pub", "-p", &port, "-t", "a", "-m", "x"][..], 1, "start a broker with `weir serve`"),
        (&["pub", "-t", "a", "-f", "/nonexistent"], 1, "file '/nonexistent' cannot be read"),
        (&["pub", "-t", "a/+", "-m", "x"], 2, "topic name has a wildcard"),
        (&["pub", "-t", "", "-m", "x"], 2, "topic name is empty"),
        (&["pub", "-t", "a"], 2, "--message"),
        (
            &["pub", "-t", "a", "-n", "-V", "311", "-D", "publish", "content-type", "x"],
            2,
            "needs MQTT 5",
        ),
        (
            &["pub", "-t", "a", "-n", "-D", "publish", "colour", "x"],
            2,
            "publish has no property 'colour'",
        ),
        (&["sub", "-t", "a", "-V", "311", "--ack", "reject"], 2, "needs MQTT 5"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "");
    }
}
