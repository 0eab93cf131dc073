//! Both roads over every transport, with clients that we did not write; listeners that cannot be.

use it::{Certificate, Options, Program, Reach, Version, Weir};

use crate::both_roads::exchange;

/// One program publishes to the other over that transport.
fn check(transport: &str, publisher: Program, subscriber: Program, version: Version) {
    let certificate = Certificate::new();
    let is_tls = matches!(transport, "tls" | "wss");
    let mut options = Options::new()
        .set("listeners.other.kind", transport)
        .set("listeners.other.bind", "127.0.0.1:0");
    if is_tls {
        options = options
            .set("listeners.other.cert", &certificate.cert.display().to_string())
            .set("listeners.other.key", &certificate.key.display().to_string());
    }
    let weir = Weir::start(options);
    let ca = is_tls.then_some(certificate.ca.as_path());
    let reach = Reach::new(transport, weir.listener("other"), ca);
    exchange(&weir, &reach, publisher, subscriber, version);
}

#[test]
fn tls_with_mosquitto_and_paho() {
    check("tls", Program::Mosquitto, Program::Paho, Version::V311);
}

#[test]
fn tls_with_mqtt_js_and_mosquitto() {
    check("tls", Program::MqttJs, Program::Mosquitto, Version::V5);
}

#[test]
fn websocket_with_mqtt_js_3() {
    check("ws", Program::MqttJs, Program::MqttJs, Version::V311);
}

#[test]
fn websocket_with_mqtt_js_and_paho_5() {
    check("ws", Program::MqttJs, Program::Paho, Version::V5);
}

#[test]
fn websocket_with_paho_and_aiomqtt() {
    check("ws", Program::Paho, Program::Aiomqtt, Version::V311);
}

#[test]
fn secure_websocket_with_paho_and_mqtt_js() {
    check("wss", Program::Paho, Program::MqttJs, Version::V5);
}

#[test]
fn secure_websocket_with_aiomqtt_and_paho() {
    check("wss", Program::Aiomqtt, Program::Paho, Version::V311);
}

#[test]
fn a_unix_socket_with_mosquitto_and_paho() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("mqtt.sock");
    let bind = format!("unix:{}", path.display());
    let weir = Weir::start(Options::new().set("listeners.local.bind", &bind));
    weir.wait_for_line(&["listening local", &bind]);
    exchange(&weir, &Reach::unix(&path), Program::Mosquitto, Program::Paho, Version::V5);
    let stopped = weir.kill();
    assert!(path.exists(), "a killed broker leaves its socket");
    drop(stopped.restart().terminate());
    assert!(!path.exists(), "a broker that ends takes its socket with it");
}

#[test]
fn a_certificate_that_is_not_there_is_named_with_its_listener() {
    let certificate = Certificate::new();
    let options = Options::new()
        .set("listeners.mqtts.bind", "127.0.0.1:0")
        .set("listeners.mqtts.cert", "/nowhere/server.pem")
        .set("listeners.mqtts.key", &certificate.key.display().to_string());
    let Err(refused) = Weir::try_start(options) else { panic!("it serves without a certificate") };
    let text = refused.lines.join("\n");
    let words = "listener mqtts: cannot use the certificate /nowhere/server.pem: No such file";
    assert!(text.contains(words), "{text}");
}

#[test]
fn a_hangup_reads_certificates_again() {
    let (first, second) = (Certificate::new(), Certificate::new());
    let options = Options::new()
        .set("listeners.mqtts.bind", "127.0.0.1:0")
        .set("listeners.mqtts.cert", &first.cert.display().to_string())
        .set("listeners.mqtts.key", &first.key.display().to_string());
    let weir = Weir::start(options);
    std::fs::copy(&second.cert, &first.cert).expect("copied");
    std::fs::copy(&second.key, &first.key).expect("copied");
    weir.hang_up();
    weir.wait_for_line(&["certificate in use for new connections", "mqtts"]);
    let reach = Reach::new("tls", weir.listener("mqtts"), Some(&second.ca));
    exchange(&weir, &reach, Program::Paho, Program::Mosquitto, Version::V5);
}
