//! rumqttc behind the command line that `tests/clients` describes.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;

/// What was asked for.
struct Options {
    port: u16,
    is_v5: bool,
    client_id: String,
    qos: u8,
    count: usize,
    target: String,
    session: String,
}

const SESSION_SECONDS: u32 = 600;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let verb = arguments.next().expect("a verb");
    let mut values = HashMap::new();
    while let Some(key) = arguments.next() {
        values.insert(key, arguments.next().expect("a value"));
    }
    let text = |key: &str| values.get(key).cloned().unwrap_or_default();
    let options = Options {
        port: text("--port").parse().expect("a port"),
        is_v5: text("--version") == "5",
        client_id: text("--client-id"),
        qos: text("--qos").parse().expect("a QoS"),
        count: text("--count").parse().expect("a count"),
        target: text("--topic") + &text("--filter"),
        session: text("--session"),
    };
    match (verb.as_str(), options.is_v5) {
        ("publish", false) => v3::publish(&options),
        ("publish", true) => v5::publish(&options),
        ("subscribe", false) => v3::subscribe(&options),
        ("subscribe", true) => v5::subscribe(&options),
        (other, _) => panic!("no verb {other}"),
    }
}

fn keeps_session(options: &Options) -> bool {
    matches!(options.session.as_str(), "begin" | "resume")
}

/// rumqttc has a client for each version, alike but in their types.
macro_rules! client {
    ($keep:expr) => {
        use super::{Options, PATIENCE, json, keeps_session};

        fn connect(options: &Options) -> (Client, Connection) {
            let mut own = MqttOptions::new(&options.client_id, "127.0.0.1", options.port);
            if keeps_session(options) {
                let keep: fn(&mut MqttOptions) = $keep;
                keep(&mut own);
            }
            Client::new(own, 100)
        }

        fn next(connection: &mut Connection) -> Event {
            let event = connection.recv_timeout(PATIENCE).expect("an event in time");
            event.expect("the connection stands")
        }

        /// Publishes one after the other, and prints each completion.
        pub(super) fn publish(options: &Options) {
            let (client, mut connection) = connect(options);
            for number in 0..options.count {
                let topic = options.target.replace("{}", &format!("{number:05}"));
                let qos = qos_of(options.qos).expect("a QoS");
                client.publish(topic, qos, false, number.to_string()).expect("it can be sent");
                loop {
                    match (options.qos, next(&mut connection)) {
                        (0, Event::Outgoing(rumqttc::Outgoing::Publish(_)))
                        | (1, Event::Incoming(Packet::PubAck(_)))
                        | (2, Event::Incoming(Packet::PubComp(_))) => break,
                        _ => {}
                    }
                }
                println!("{}", json!({ "acked": number }));
            }
            leave(&client, &mut connection);
        }

        /// Subscribes, and prints each message.
        pub(super) fn subscribe(options: &Options) {
            let (client, mut connection) = connect(options);
            if options.session != "resume" {
                let qos = qos_of(options.qos).expect("a QoS");
                client.subscribe(&options.target, qos).expect("it can be sent");
                let granted = loop {
                    if let Event::Incoming(Packet::SubAck(ack)) = next(&mut connection) {
                        break ack.return_codes[0].clone();
                    }
                };
                let Code::Success(granted) = granted else { panic!("refused: {granted:?}") };
                println!("{}", json!({ "ready": true, "granted": granted as u8 }));
            }
            let mut received = 0;
            while received < options.count {
                if let Event::Incoming(Packet::Publish(publish)) = next(&mut connection) {
                    let topic = String::from_utf8_lossy(publish.topic.as_ref());
                    let payload = String::from_utf8_lossy(&publish.payload);
                    let (qos, retain) = (publish.qos as u8, publish.retain);
                    let said =
                        json!({ "topic": topic, "payload": payload, "qos": qos, "retain": retain });
                    println!("{said}");
                    received += 1;
                }
            }
            leave(&client, &mut connection);
        }

        fn leave(client: &Client, connection: &mut Connection) {
            client.disconnect().expect("it can be sent");
            while !matches!(next(connection), Event::Outgoing(rumqttc::Outgoing::Disconnect)) {}
        }
    };
}

mod v3 {
    use rumqttc::{Client, Connection, Event, MqttOptions, Packet, SubscribeReasonCode as Code};

    client!(|own| {
        own.set_clean_session(false);
    });

    fn qos_of(qos: u8) -> Option<rumqttc::QoS> {
        rumqttc::qos(qos).ok()
    }
}

mod v5 {
    use rumqttc::v5::mqttbytes::qos as qos_of;
    use rumqttc::v5::mqttbytes::v5::{Packet, SubscribeReasonCode as Code};
    use rumqttc::v5::{Client, Connection, Event, MqttOptions};

    client!(|own| {
        own.set_clean_start(false);
        own.set_session_expiry_interval(Some(super::SESSION_SECONDS));
    });
}
