use super::layers::load;
use crate::*;

fn check(file: &str, environment: &[(&str, &str)], flags: &[&str], expected: &str) {
    let errors = load(file, environment, flags).expect_err("it is wrong");
    println!("{errors}\n=====");
    let _ = expected;
}

#[test]
fn all() {
    check("[mqtt]\npublsher_hold = \"30s\"\n", &[], &[], "");
    check("[mqtt]\npublisher_hold = \"30x\"\nreceive_maximum = \"5\"\n", &[], &[], "");
    check("[mqtt]\npublisher_hold = 30\nreceive_maximum = 0\n", &[], &[], "");
    check("[mqqt]\na = 1\nb = 2\n[queue]\n", &[], &[], "");
    check("mqtt = 5\n", &[], &[], "");
    check("[mqtt\npublisher_hold = 30\n", &[], &[], "");
    check("[listeners.ws]\n", &[], &[], "");
    check("[listeners.mqtt]\nkind = \"tls\"\n", &[], &[], "");
    check("[listeners.plant]\nbind = \"127.0.0.1:1884\"\n", &[], &[], "");
    check("[listeners.plant]\nkind = \"tcp\"\nbnd = \"127.0.0.1:1884\"\n", &[], &[], "");
    check("[listeners.mqtt]\nbind = \"localhost:1883\"\n", &[], &[], "");
    check("[queues.defaults]\ndispatch_strategy = \"roundrobin\"\n", &[], &[], "");
    check("[queues.defaults]\nretry_delay = \"5m\"\n", &[], &[], "");
    check("", &[("WEIR_MQTT__PUBLISHER_HOLDS", "1s")], &[], "");
    check("", &[("WEIR_MQTT__PUBLISHER_HOLD", "1 s")], &[], "");
    check(
        "",
        &[],
        &["mqtt.max_packet_size=1KB", "mqtt.max_packet_size=1GiB", "nothing", "logging.level=Info"],
        "",
    );
    check("[http]\nbind = \"127.0.0.1:1883\"\n", &[], &[], "");
    check("[[listeners]]\nname = \"mqtt\"\n", &[], &[], "");
    check("[listener.mqtt]\nbind = \"x\"\n", &[], &[], "");
    check("max_inflight = 5\n", &[], &[], "");
    check("[listeners.\"a b\"]\nbind = \"x\"\n", &[], &[], "");
    check("[mqtt]\npublisher_hold = [\"1s\"]\n", &[], &[], "");
    check("[mqtt.publisher_hold]\nx = 1\n", &[], &[], "");
}
