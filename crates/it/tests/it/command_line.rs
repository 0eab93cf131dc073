//! `weir pub` and `weir sub` over every transport, against other people's clients.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use it::{Certificate, Options, Program, Reach, Version, Weir, weir_command};
use serde_json::json;

const COUNT: usize = 50;

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = weir_command()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("read");
    child.wait_with_output().expect("it ends")
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The other program publishes what `weir sub` consumes, and consumes what `weir pub` publishes.
fn check(weir: &Weir, reach: &Reach, program: Program, server: &[&str]) {
    let rest = weir.rest();
    rest.create_queue("plant/+/data", json!({}));
    program.publish(reach.clone(), Version::V5, "plant/{}/data", 1, COUNT);
    let consume = ["sub", "-q", "1", "-t", "$q/plant/+/data", "-C", "50", "-W", "60"];
    let output = run(&[&consume[..], server].concat(), "");
    assert!(output.status.success(), "{}", words(&output));
    let numbers: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().collect::<Vec<_>>(), numbers);
    rest.until("plant/+/data", "all settled", |ledger| ledger.settled == COUNT as u64);

    let lines: String = numbers.iter().map(|number| format!("{number}\n")).collect();
    let output = run(&[&["pub", "-q", "2", "-t", "plant/1/data", "-l"], server].concat(), &lines);
    assert!(output.status.success(), "{}", words(&output));
    let mut consumer = program.subscribe(reach.clone(), Version::V5, "$q/plant/+/data", 1, COUNT);
    let found: Vec<String> = (0..COUNT).map(|_| consumer.message().payload).collect();
    consumer.end();
    assert_eq!(found, numbers);
}

fn serve(kind: &str, certificate: Option<&Certificate>) -> Weir {
    let mut options =
        Options::new().set("listeners.other.kind", kind).set("listeners.other.bind", "127.0.0.1:0");
    if let Some(Certificate { cert, key, .. }) = certificate {
        options = options
            .set("listeners.other.cert", &cert.display().to_string())
            .set("listeners.other.key", &key.display().to_string());
    }
    Weir::start(options)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn tls_with_mosquitto() {
    let certificate = Certificate::new();
    let weir = serve("tls", Some(&certificate));
    let to = weir.listener("other");
    let reach = Reach::new("tls", to, Some(&certificate.ca));
    let (url, ca) = (format!("mqtts://localhost:{}", to.port()), text(&certificate.ca));
    check(&weir, &reach, Program::Mosquitto, &["--url", &url, "--cafile", &ca]);
    // Nobody is trusted who is not named.
    let output = run(&["pub", "-t", "a", "-m", "b", "--url", &url], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains("--cafile"), "{}", words(&output));
}

#[test]
fn quic_with_mosquitto_over_tcp() {
    let certificate = Certificate::new();
    let weir = serve("quic", Some(&certificate));
    let (url, ca) =
        (format!("quic://localhost:{}", weir.listener("other").port()), text(&certificate.ca));
    check(&weir, &weir.mqtt.into(), Program::Mosquitto, &["--url", &url, "--cafile", &ca]);
    // Nobody listens there.
    let output =
        run(&["pub", "-t", "a", "-m", "b", "--url", "quic://127.0.0.1:9", "--insecure"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains("cannot connect to 127.0.0.1:9"), "{}", words(&output));
}

#[test]
fn websocket_with_mqtt_js() {
    let weir = serve("ws", None);
    let to = weir.listener("other");
    let port = to.port().to_string();
    check(&weir, &Reach::new("ws", to, None), Program::MqttJs, &["--ws", "-p", &port]);
}

#[test]
fn secure_websocket_with_paho() {
    let certificate = Certificate::new();
    let weir = serve("wss", Some(&certificate));
    let to = weir.listener("other");
    let reach = Reach::new("wss", to, Some(&certificate.ca));
    let (port, ca) = (to.port().to_string(), text(&certificate.ca));
    check(&weir, &reach, Program::Paho, &["--ws", "-p", &port, "--cafile", &ca]);
}

#[test]
fn a_unix_socket_with_mosquitto() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("mqtt.sock");
    let bind = format!("unix:{}", path.display());
    let weir = Weir::start(Options::new().set("listeners.local.bind", &bind));
    check(&weir, &Reach::unix(&path), Program::Mosquitto, &["--url", &bind]);
}
