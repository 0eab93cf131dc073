use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::time::Duration;

use mqtt_codec::{Properties, PropertyBlock};
use mqtt_types::{Property, ReasonCode};
use serde_json::{Value, json};

use crate::broker::serve;
use crate::program::{run, start};

#[test]
fn messages_are_printed_and_settled_as_asked_until_there_are_enough() {
    for (ack, code) in [
        ("accept", Some(0x00)),
        ("release", Some(0x83)),
        ("busy", Some(0x97)),
        ("reject", Some(0x99)),
        ("never", None),
    ] {
        let (port, server) = serve(move |peer| {
            peer.grant("$q/a/+", ReasonCode::GRANTED_QOS_1, Properties::EMPTY);
            for number in [1, 2] {
                peer.deliver(number, b"x", Properties::EMPTY);
            }
            for number in [1, 2] {
                if let Some(code) = code {
                    peer.expect_puback(number, ReasonCode(code));
                }
            }
            peer.expect_disconnect();
        });
        let ended =
            run(&["sub", "-p", &port, "-t", "$q/a/+", "-q", "1", "-C", "2", "-v", "--ack", ack]);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(0), "a/b x\na/b x\n"),
            "{ack}: {}",
            ended.stderr
        );
        server.join().expect("the script holds");
    }
}

#[test]
fn json_has_the_payload_and_the_properties() {
    let (port, server) = serve(|peer| {
        peer.grant("a/#", ReasonCode::GRANTED_QOS_1, Properties::EMPTY);
        let block = PropertyBlock::of(&[
            Property::UserProperty("queue", "q"),
            Property::CorrelationData(b"\xff"),
            Property::MessageExpiryInterval(9),
        ]);
        peer.deliver(1, b"text", block.expect("short").properties());
        peer.deliver(2, b"\xff\x00", Properties::EMPTY);
        peer.expect_puback(1, ReasonCode::SUCCESS);
    });
    let ended = run(&["sub", "-p", &port, "-t", "a/#", "-q", "1", "-C", "2", "--json"]);
    let lines: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let properties = json!({"correlation_data": "/w==", "message_expiry_interval": 9, "user_properties": [["queue", "q"]]});
    assert_eq!(
        lines,
        [
            json!({"topic": "a/b", "payload": "text", "qos": 1, "retain": false, "dup": false, "properties": properties}),
            json!({"topic": "a/b", "payload_base64": "/wA=", "qos": 1, "retain": false, "dup": false, "properties": {}}),
        ]
    );
    server.join().expect("the script holds");
}

#[test]
fn a_refused_subscription_fails_with_the_servers_words() {
    let (port, server) = serve(|peer| {
        let block = PropertyBlock::of(&[Property::ReasonString("queue 'x' does not exist")])
            .expect("short");
        peer.grant("$queue/x", ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR, block.properties());
    });
    let ended = run(&["sub", "-p", &port, "-t", "$queue/x"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    let words = "weir: subscription to '$queue/x' was refused: \
                 implementation specific error (0x83): queue 'x' does not exist\n";
    assert_eq!(ended.stderr, words);
    server.join().expect("the script holds");
}

#[test]
fn the_time_ends_it_and_too_few_messages_are_a_failure() {
    for (more, code) in [(&[][..], 0), (&["-C", "1"], 1)] {
        let (port, server) = serve(|peer| {
            peer.grant("a", ReasonCode::SUCCESS, Properties::EMPTY);
            peer.expect_disconnect();
        });
        let ended = run(&[&["sub", "-p", &port, "-t", "a", "-W", "50ms"], more].concat());
        assert_eq!(ended.code, Some(code), "{more:?}: {ended:?}");
        server.join().expect("the script holds");
    }
}

#[test]
fn a_lost_connection_is_a_failure_and_keeps_what_came() {
    let (port, server) = serve(|peer| {
        peer.grant("a", ReasonCode::GRANTED_QOS_1, Properties::EMPTY);
        peer.deliver(1, b"last", Properties::EMPTY);
    });
    let ended = run(&["sub", "-p", &port, "-t", "a", "-q", "1"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "last\n"), "{}", ended.stderr);
    server.join().expect("the script holds");
}

#[test]
fn an_interrupt_ends_it_in_order() {
    let (port, server) = serve(|peer| {
        peer.grant("a", ReasonCode::GRANTED_QOS_1, Properties::EMPTY);
        peer.deliver(1, b"x", Properties::EMPTY);
        peer.expect_puback(1, ReasonCode::SUCCESS);
        peer.expect_disconnect();
    });
    let mut child = start(&["sub", "-p", &port, "-t", "a", "-q", "1"]);
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("it is piped"))
        .read_line(&mut line)
        .expect("a message");
    assert_eq!(line, "x\n");
    interrupt(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    server.join().expect("the script holds");
}

#[test]
fn an_interrupt_settles_what_was_printed_before_it_ends() {
    // More than a pipe holds, so that it is in the middle of printing.
    let payload = vec![b'x'; 1 << 20];
    let (interrupted, is_interrupted) = std::sync::mpsc::channel();
    let (quiet, is_quiet) = std::sync::mpsc::channel();
    let (port, server) = serve(move |peer| {
        peer.grant("a", ReasonCode::GRANTED_QOS_1, Properties::EMPTY);
        peer.deliver(1, &payload, Properties::EMPTY);
        is_interrupted.recv().expect("the test interrupts it");
        peer.expect_silence(Duration::from_millis(300));
        quiet.send(()).expect("the test waits");
        peer.expect_puback(1, ReasonCode::SUCCESS);
        peer.expect_disconnect();
    });
    let mut child = start(&["sub", "-p", &port, "-t", "a", "-q", "1"]);
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0]).expect("it begins to print");
    interrupt(&child);
    interrupted.send(()).expect("the script waits");
    is_quiet.recv().expect("it neither settles nor ends while it prints");
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).expect("all of it");
    assert_eq!(rest.len(), 1 << 20);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    server.join().expect("the script holds");
}

#[test]
fn a_second_interrupt_ends_it_although_nobody_reads_what_it_prints() {
    let payload = vec![b'x'; 1 << 20];
    let (port, server) = serve(move |peer| {
        peer.grant("a", ReasonCode::GRANTED_QOS_1, Properties::EMPTY);
        peer.deliver(1, &payload, Properties::EMPTY);
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest);
        assert!(rest.is_empty(), "what is not out is not settled: {rest:?}");
    });
    let mut child = start(&["sub", "-p", &port, "-t", "a", "-q", "1"]);
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0]).expect("it begins to print");
    // Two that come at the same time may be taken for one.
    let ended = loop {
        interrupt(&child);
        std::thread::sleep(Duration::from_millis(10));
        if let Some(ended) = child.try_wait().expect("it can be asked") {
            break ended;
        }
    };
    assert_eq!(ended.signal(), Some(2));
    server.join().expect("the script holds");
}

fn interrupt(child: &Child) {
    let process = child.id().to_string();
    let killed = Command::new("kill").args(["-INT", &process]).status().expect("kill is there");
    assert!(killed.success());
}

#[test]
fn a_reader_who_has_enough_is_no_failure_and_what_he_did_not_get_is_not_settled() {
    let (left, has_left) = std::sync::mpsc::channel();
    let (port, server) = serve(move |peer| {
        peer.grant("a", ReasonCode::GRANTED_QOS_1, Properties::EMPTY);
        peer.deliver(1, b"x", Properties::EMPTY);
        peer.expect_puback(1, ReasonCode::SUCCESS);
        has_left.recv().expect("the reader leaves");
        peer.deliver(2, b"y", Properties::EMPTY);
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest);
        assert!(!rest.contains(&0x40), "a PUBACK came: {rest:?}");
    });
    let mut child = start(&["sub", "-p", &port, "-t", "a", "-q", "1"]);
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a message");
    drop(stdout);
    left.send(()).expect("the script waits");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    server.join().expect("the script holds");
}
