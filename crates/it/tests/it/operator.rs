//! Maximum QoS, the goodbye at a shutdown, and what an operator does to clients and messages; with clients that nobody
//! here wrote.

use std::process::{Command, Output, Stdio};

use it::{Connect, Options, Weir, until};
use serde_json::json;

/// Runs a mosquitto client against the broker.
pub(crate) fn mosquitto(weir: &Weir, program: &str, arguments: &[&str]) -> Output {
    let port = weir.listener("mqtt").port().to_string();
    let output = Command::new(program).args(["-p", &port]).args(arguments).output();
    output.expect("scripts/setup-test.sh installs the mosquitto clients")
}

pub(crate) fn words(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn mosquitto_hears_the_maximum_qos_and_is_held_to_it() {
    let weir = Weir::start(Options::new().set("mqtt.max_qos", "1"));
    let publish = |version: &str, qos: &str| {
        mosquitto(&weir, "mosquitto_pub", &["-V", version, "-t", "t", "-m", "x", "-q", qos])
    };
    for version in ["5", "311"] {
        let output = publish(version, "1");
        assert!(output.status.success(), "{version}: {}", words(&output));
    }
    // A client of 5.0 knows from CONNACK that it must not.
    let refused = publish("5", "2");
    assert!(words(&refused).to_lowercase().contains("qos"), "{}", words(&refused));
    // Granted is what there is.
    let arguments = ["-V", "5", "-t", "t", "-q", "2", "-W", "1", "-d"];
    let subscribed = mosquitto(&weir, "mosquitto_sub", &arguments);
    assert!(words(&subscribed).contains("Subscribed (mid: 1): 1"), "{}", words(&subscribed));
    let will = ["-V", "5", "-t", "t", "-W", "1", "--will-topic", "w", "--will-qos", "2"];
    let refused = mosquitto(&weir, "mosquitto_sub", &will);
    assert!(!refused.status.success(), "{}", words(&refused));
}

/// A script for paho that connects, asks for response information and says what it is told until the end.
const PAHO: &str = r#"
import sys
import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

def say(*words):
    print(*words, flush=True)

def on_connect(client, userdata, flags, reason, properties):
    say("connected", getattr(properties, "ResponseInformation", "-"))

def on_disconnect(client, userdata, flags, reason, properties):
    say("disconnected", reason.value, getattr(properties, "ServerReference", "-"))
    client.disconnect()
    sys.exit(0)

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="paho", protocol=mqtt.MQTTv5)
client.on_connect = on_connect
client.on_disconnect = on_disconnect
asked = Properties(PacketTypes.CONNECT)
asked.RequestResponseInformation = 1
client.connect("127.0.0.1", int(sys.argv[1]), properties=asked)
client.loop_forever()
"#;

#[test]
fn paho_is_told_where_to_be_answered_and_at_the_end_where_to_go() {
    let options = Options::new()
        .set("mqtt.response_information", "reply/${client_id}")
        .set("server.reference", "b.example:1883");
    let weir = Weir::start(options);
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/bin/python");
    let child = Command::new(python)
        .args(["-c", PAHO, &weir.listener("mqtt").port().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("scripts/setup-test.sh installs Python");
    until("paho", || {
        let client = weir.rest().get("/clients/paho");
        (client.body["connected"] == json!(true)).then_some(())
    });
    let stopped = weir.terminate();
    let output = child.wait_with_output().expect("it ends");
    let said = words(&output);
    assert_eq!(said, "connected reply/paho\ndisconnected 156 b.example:1883\n");
    drop(stopped);
}

#[test]
fn an_operator_sees_clients_and_sends_them_away() {
    let weir = Weir::start(Options::new());
    let rest = weir.rest();
    let mut client = weir.connect(&Connect::new("meter/7"));
    assert_eq!(client.subscribe("a/+", 1), 1);
    let listed = weir.command(&["clients", "ls", "--connected"], "");
    assert!(listed.contains("meter/7") && listed.contains("connected"), "{listed}");
    let subscribed = weir.command(&["subs", "ls", "--topic", "a/b"], "");
    assert!(subscribed.contains("meter/7") && subscribed.contains("a/+"), "{subscribed}");
    let published = rest.post("/publish", &json!({"topic": "a/b", "payload": "hello", "qos": 1}));
    assert_eq!((published.status, &published.body["reason_code"]), (200, &json!(0)));
    let (topic, payload, id) = client.message();
    assert_eq!((topic.as_str(), payload.as_slice()), ("a/b", &b"hello"[..]));
    client.ack(id.expect("QoS 1")).expect("it is connected");
    let nobody = rest.post("/publish", &json!({"topic": "nobody", "payload_base64": "AP8="}));
    assert_eq!(nobody.body["reason_code"], json!(16));
    let done = weir.command(&["clients", "rm", "meter/7"], "");
    assert_eq!(done, "client 'meter/7' sent away with its session\n");
    assert_eq!(
        client.next(std::time::Duration::from_secs(30)),
        Some(it::Event::Disconnected { code: 0x98 })
    );
    assert_eq!(rest.get("/clients/meter%2F7").status, 404);
}

/// An operator hears what an MQTT 5 client would; what would be refused again is no reason to try again.
#[test]
fn a_publish_that_a_queue_refuses_says_why() {
    let weir = Weir::start(Options::new());
    let rest = weir.rest();
    rest.create_queue("jobs/#", json!({"max_messages": 1}));
    let message = json!({"topic": "jobs/1", "payload": "x", "qos": 1});
    assert_eq!(rest.post("/publish", &message).status, 200);
    let full = rest.post("/publish", &message);
    let words = "message not stored: queue 'jobs/#' is full, its max_messages is 1";
    assert_eq!((full.status, &full.body["message"]), (503, &json!(words)));
    let each = rest.post("/publish/bulk", &json!({"messages": [message]}));
    let expected = json!([{"reason_code": 0x97, "reason": words}]);
    assert_eq!((each.status, &each.body["data"]), (200, &expected));

    let late = json!({"user_properties": [["delay", "soon"]]});
    let wrong = rest.post("/publish", &json!({"topic": "jobs/1", "properties": late}));
    let field = &wrong.body["details"]["field"];
    assert_eq!((wrong.status, field), (400, &json!("properties.user_properties")));
    let message = wrong.body["message"].as_str().expect("text");
    assert!(message.contains("user property 'delay' is 'soon'"), "{message}");
    // It means nothing where no queue takes the message.
    let nobody = rest.post("/publish", &json!({"topic": "nobody", "properties": late}));
    assert_eq!((nobody.status, &nobody.body["reason_code"]), (200, &json!(0x10)));
}

/// A client of 3.1.1 cannot be told why; whoever looks into the log at the level of debug is.
#[test]
fn the_log_says_why_a_client_of_3_1_1_is_refused_or_held() {
    let options = Options::new().set("logging.level", "debug").set("mqtt.publisher_hold", "100ms");
    let weir = Weir::start(options);
    let consumer = ["-V", "311", "-i", "meter", "-q", "1", "-t", "$queue/none"];
    let refused = mosquitto(&weir, "mosquitto_sub", &consumer);
    assert!(words(&refused).contains("denied"), "{}", words(&refused));
    weir.wait_for_line(&["subscription refused", "meter", "$queue/none", "there is no queue"]);
    weir.rest().create_queue("full", json!({"max_messages": 1}));
    let publisher = ["-V", "311", "-i", "pump", "-q", "1", "-t", "full", "-m", "x"];
    assert!(mosquitto(&weir, "mosquitto_pub", &publisher).status.success());
    assert!(!mosquitto(&weir, "mosquitto_pub", &publisher).status.success());
    weir.wait_for_line(&["publisher held", "pump", "queue 'full' is full, its max_messages is 1"]);
}

#[test]
fn a_cancelled_message_stays_cancelled_over_kill() {
    let weir = Weir::start(Options::new());
    weir.rest().create_queue("later", json!({}));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    for seconds in ["600", "601", "2"] {
        let code = publisher.publish_acked(&format!("$delayed/{seconds}/later"), b"x");
        assert!(code < 0x80, "{code:#x}");
    }
    let ids = |weir: &Weir| -> Vec<String> {
        let list = weir.rest().get("/delayed").body["data"].clone();
        let list = list.as_array().expect("a list").clone();
        let one = |message: &serde_json::Value| message["id"].as_str().expect("an id").to_owned();
        list.iter().map(one).collect()
    };
    let long = ids(&weir)[ids(&weir).len() - 2..].to_vec();
    assert_eq!(weir.rest().delete(&format!("/delayed/{}", long[0])).status, 204);
    assert_eq!(weir.rest().delete(&format!("/delayed/{}", long[0])).status, 404);
    let weir = weir.kill().restart();
    // The short one comes, of the long ones one is left.
    weir.rest().until("later", "the message that was not cancelled", |ledger| ledger.ready == 1);
    until("it has left the list", || (ids(&weir).len() == 1).then_some(()));
    assert_eq!(ids(&weir), [long[1].clone()]);
    let done = weir.command(&["delayed", "rm", &long[1]], "");
    assert_eq!(done, format!("delayed message '{}' cancelled\n", long[1]));
    assert!(ids(&weir).is_empty());
}

#[test]
fn retained_messages_are_seen_and_stay_removed_over_kill() {
    let mut weir = Weir::start(Options::new());
    let properties = json!({
        "payload_format_indicator": 1, "message_expiry_interval": 3600, "content_type": "text/plain",
        "response_topic": "reply", "correlation_data": "AP8=", "user_properties": [["k", "1"], ["k", "2"]],
    });
    let messages = json!({"messages": [
        {"topic": "r/a", "payload": "on", "qos": 1, "retain": true, "properties": properties},
        {"topic": "r/b", "payload_base64": "AP8=", "qos": 2, "retain": true},
        {"topic": "s/c", "payload": "off", "retain": true},
    ]});
    assert_eq!(weir.rest().post("/publish/bulk", &messages).status, 200);
    let topics = |weir: &Weir, query: &str| -> Vec<String> {
        let list = weir.rest().get(&format!("/retained{query}")).body["data"].clone();
        let list = list.as_array().expect("a list").clone();
        let one = |message: &serde_json::Value| message["topic"].as_str().expect("one").to_owned();
        list.iter().map(one).collect()
    };
    weir = weir.kill().restart();
    assert_eq!(topics(&weir, ""), ["r/a", "r/b", "s/c"]);
    let page = weir.rest().get("/retained?filter=r/%2B&limit=1").body;
    let (one, next) = (&page["data"][0], page["next"].as_str().expect("there is more"));
    assert_eq!(
        (&one["payload"], &one["text"], &one["qos"]),
        (&json!("b24="), &json!("on"), &json!(1))
    );
    assert_eq!(one["properties"], properties);
    assert!(one["publish_ts"].as_str().is_some_and(|moment| moment.starts_with("20")), "{one}");
    let page = weir.rest().get(&format!("/retained?filter=r/%2B&cursor={next}")).body;
    let one = &page["data"][0];
    assert_eq!((&one["topic"], &one["payload"]), (&json!("r/b"), &json!("AP8=")));
    assert!(one.get("text").is_none() && page["next"].is_null(), "{page}");
    for (request, field) in [
        (weir.rest().delete("/retained"), "filter"),
        (weir.rest().delete("/retained?filter=a/%23/b"), "filter"),
        (weir.rest().get("/retained?filter="), "filter"),
        (weir.rest().get("/retained?limit=0"), "limit"),
        (weir.rest().get("/retained?cursor=zz"), "cursor"),
    ] {
        assert_eq!((request.status, &request.body["details"]["field"]), (400, &json!(field)));
    }
    let removed = weir.rest().delete("/retained?filter=r/a");
    assert_eq!((removed.status, removed.body), (200, json!({"removed": 1})));
    weir = weir.kill().restart();
    assert_eq!(topics(&weir, ""), ["r/b", "s/c"]);
    let shown = weir.command(&["retained", "ls", "s/#"], "");
    assert!(shown.contains("s/c") && shown.contains("off") && !shown.contains("r/b"), "{shown}");
    let shown = weir.command(&["retained", "--json", "ls"], "");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&shown[0]["payload"], &shown[1]["text"]), (&json!("AP8="), &json!("off")));
    assert_eq!(weir.command(&["retained", "rm", "r/#"], ""), "1 retained message removed\n");
    let mut client = weir.connect(&Connect::new("late"));
    assert_eq!(client.subscribe("#", 1), 1);
    assert_eq!(client.message().0, "s/c");
    assert_eq!(
        weir.command(&["retained", "rm", "#", "--json"], "").trim(),
        "{\n  \"removed\": 1\n}"
    );
    assert!(topics(&weir, "").is_empty());
}
