//! Signing in over sockets: users by REST and the command line, clients that we did not write, floods.

use std::fs;
use std::time::Duration;

use it::{Certificate, Client, Connect, Event, Options, Program, Reach, Version, Weir};
use serde_json::json;

use crate::both_roads::exchange;

const PASSWORD: &str = "correct horse";

fn add(weir: &Weir, username: &str) {
    let body = json!({"username": username, "password": PASSWORD, "roles": []});
    let response = weir.rest().post("/users", &body);
    assert_eq!(response.status, 201, "{response:?}");
}

fn code(weir: &Weir, connect: &Connect) -> u8 {
    Client::connack_code(weir.mqtt, connect)
}

/// Two programs exchange messages as a user.
fn check(publisher: Program, subscriber: Program, version: Version) {
    let weir = Weir::start(Options::new());
    add(&weir, "ada");
    let reach = Reach::from(weir.mqtt).user("ada", PASSWORD);
    exchange(&weir, &reach, publisher, subscriber, version);
}

#[test]
fn passwords_with_mosquitto_and_paho_3() {
    check(Program::Mosquitto, Program::Paho, Version::V311);
}

#[test]
fn passwords_with_mosquitto_5() {
    check(Program::Mosquitto, Program::Mosquitto, Version::V5);
}

#[test]
fn passwords_with_aiomqtt_and_mqtt_js_5() {
    check(Program::Aiomqtt, Program::MqttJs, Version::V5);
}

#[test]
fn scram_with_mqtt_js() {
    let weir = Weir::start(Options::new());
    add(&weir, "ada=1,b");
    let reach = Reach::from(weir.mqtt).user("ada=1,b", PASSWORD).scram();
    exchange(&weir, &reach, Program::MqttJs, Program::MqttJs, Version::V5);
}

#[test]
fn scram_with_our_own_client() {
    let weir = Weir::start(Options::new());
    add(&weir, "ada");
    let port = weir.mqtt.port().to_string();
    let publish = |password: &str| {
        let arguments =
            ["pub", "-p", &port, "-u", "ada", "-P", password, "--scram", "-t", "t", "-m", "x"];
        weir.try_command(&arguments, "")
    };
    assert!(publish(PASSWORD).status.success());
    let refused = publish("wrong");
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(words.contains("bad user name or password (0x86)"), "{words}");
    let metrics = weir.rest().metrics();
    assert!(metrics.contains("weir_authentications_total{result=\"accepted\"} 1"), "{metrics}");
}

/// The same exchange over a listener where certificates say who clients are; one without a certificate has to sign in.
#[test]
fn certificates_name_their_clients() {
    let certificate = Certificate::new();
    let options = Options::new()
        .set("listeners.mqtts.bind", "127.0.0.1:0")
        .set("listeners.mqtts.cert", &certificate.cert.display().to_string())
        .set("listeners.mqtts.key", &certificate.key.display().to_string())
        .set("listeners.mqtts.client_ca", &certificate.ca.display().to_string())
        .set("listeners.mqtts.identity", "certificate")
        .set("auth.anonymous", "never");
    let weir = Weir::start(options);
    add(&weir, "ada");
    let tls = Reach::new("tls", weir.listener("mqtts"), Some(&certificate.ca));
    let pump = tls.clone().certificate(&certificate.client("pump-7"));
    exchange(&weir, &pump, Program::Mosquitto, Program::Paho, Version::V5);
    assert_eq!(weir.rest().delete("/queues/plant%2F%2B%2Fdata").status, 204);
    let password = tls.user("ada", PASSWORD);
    exchange(&weir, &password, Program::Mosquitto, Program::Mosquitto, Version::V311);

    let port = weir.listener("mqtts").port().to_string();
    let ca = certificate.ca.display().to_string();
    let publish = |own: &[&str]| {
        let all = [
            "pub",
            "-h",
            "localhost",
            "-p",
            &port,
            "--cafile",
            &ca,
            "-i",
            "c",
            "-t",
            "t",
            "-m",
            "x",
        ];
        weir.try_command(&[&all, own].concat(), "")
    };
    let keep = ["-c", "-x", "60"];
    let own = |name: &str| {
        let (cert, key) = certificate.client(name);
        [
            "--cert".to_owned(),
            cert.display().to_string(),
            "--key".to_owned(),
            key.display().to_string(),
        ]
    };
    let as_client = |name: &str| {
        let own = own(name);
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        publish(&[&own[..], &keep].concat())
    };
    assert!(as_client("pump-7").status.success());
    let other = as_client("pump-8");
    let words = String::from_utf8_lossy(&other.stderr);
    assert!(words.contains("the client id has a session of another user"), "{words}");
    assert!(as_client("pump-7").status.success());
    let nobody = publish(&[]);
    let words = String::from_utf8_lossy(&nobody.stderr);
    assert!(words.contains("anonymous clients are not allowed here"), "{words}");
}

#[test]
fn anonymous_clients_are_let_in_until_there_are_users() {
    let weir = Weir::start(Options::new());
    weir.wait_for_line(&["who may connect", "until there are users"]);
    let (anonymous, v3) = (Connect::new("a"), Version::V311);
    assert_eq!(code(&weir, &anonymous), 0);
    assert_eq!(code(&weir, &anonymous.clone().user("nobody", "x")), 0x86);
    let said = weir.command(&["users", "add", "ada", "--password-stdin"], "correct horse\n");
    assert!(said.starts_with("user 'ada' added"), "{said}");
    assert_eq!(code(&weir, &anonymous), 0x87);
    assert_eq!(code(&weir, &anonymous.clone().version(v3)), 5);
    for (password, v5, v3_code) in [(PASSWORD, 0, 0), ("wrong", 0x86, 4)] {
        let ada = Connect::new("b").user("ada", password);
        assert_eq!(code(&weir, &ada), v5);
        assert_eq!(code(&weir, &ada.version(v3)), v3_code);
    }
    let weir = weir.terminate().restart();
    assert_eq!(code(&weir, &anonymous), 0x87, "users outlive the process");
    assert_eq!(code(&weir, &Connect::new("b").user("ada", PASSWORD)), 0);
    let metrics = weir.rest().metrics();
    for line in [
        "weir_authentications_total{result=\"accepted\"} 1",
        "weir_authentications_total{result=\"not_allowed\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
}

#[test]
fn the_setting_overrules_who_may_be_anonymous() {
    let weir = Weir::start(Options::new().set("auth.anonymous", "never"));
    assert_eq!(code(&weir, &Connect::new("a")), 0x87);
    drop(weir);
    let weir = Weir::start(Options::new().set("auth.anonymous", "always"));
    add(&weir, "ada");
    assert_eq!(code(&weir, &Connect::new("a")), 0);
    assert_eq!(code(&weir, &Connect::new("a").user("ada", "wrong")), 0x86);
}

#[test]
fn a_user_that_is_removed_is_gone_at_once() {
    let weir = Weir::start(Options::new());
    add(&weir, "ada");
    add(&weir, "bob");
    let mut ada = weir.connect(&Connect::new("a").user("ada", PASSWORD));
    let mut bob = weir.connect(&Connect::new("b").user("bob", PASSWORD));
    assert_eq!(weir.command(&["users", "rm", "ada"], ""), "user 'ada' removed\n");
    assert_eq!(ada.next(Duration::from_secs(10)), Some(Event::Disconnected { code: 0x87 }));
    bob.ping().expect("still there");
    assert_eq!(bob.next(Duration::from_secs(10)), Some(Event::Pong));
    assert_eq!(code(&weir, &Connect::new("a").user("ada", PASSWORD)), 0x86);
    let names: Vec<String> = weir
        .command(&["users", "ls"], "")
        .lines()
        .map(|line| line.split_whitespace().next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names, ["USER", "admin", "bob"]);
}

#[test]
fn a_hangup_reads_users_again() {
    let weir = Weir::start(Options::new().expect("the users from before stay in force"));
    add(&weir, "ada");
    let path = weir.data_dir().join("users.toml");
    let text = fs::read_to_string(&path).expect("readable");
    fs::write(&path, text.replace("\"ada\"", "\"eve\"")).expect("written");
    weir.hang_up();
    weir.wait_for_line(&["users in force"]);
    assert_eq!(code(&weir, &Connect::new("a").user("eve", PASSWORD)), 0);
    assert_eq!(code(&weir, &Connect::new("a").user("ada", PASSWORD)), 0x86);
    fs::write(&path, "version = ").expect("written");
    weir.hang_up();
    weir.wait_for_line(&["users.toml is damaged", "the users from before stay in force"]);
    assert_eq!(code(&weir, &Connect::new("a").user("eve", PASSWORD)), 0);
}

#[test]
fn a_flood_of_sign_ins_is_bounded_and_holds_nobody_up() {
    let options = Options::new()
        .set("auth.verification_threads", "1")
        .set("auth.max_waiting", "20")
        .set("auth.max_failures_per_address", "1000");
    let weir = Weir::start(options);
    add(&weir, "ada");
    let mut ada = weir.connect(&Connect::new("ada").user("ada", PASSWORD));
    let flood = |n| Connect::new(&format!("f{n}")).user(&format!("user{n}"), "guess");
    let mut flood: Vec<Client> = (0..60).map(|n| Client::knock(weir.mqtt, &flood(n))).collect();
    assert_eq!(ada.publish_acked("t", b"x"), 0x10);
    let early: Vec<Option<u8>> =
        flood.iter_mut().map(|client| client.connack(Duration::from_millis(1))).collect();
    assert!(early.contains(&None), "passwords are hashed beside what shards do: {early:x?}");
    let late = |(client, early): (&mut Client, Option<u8>)| {
        early.or_else(|| client.connack(Duration::from_secs(30))).expect("an answer")
    };
    let codes: Vec<u8> = flood.iter_mut().zip(early).map(late).collect();
    let (busy, wrong) = (count(&codes, 0x89), count(&codes, 0x86));
    assert!(busy > 0 && wrong >= 20 && busy + wrong == codes.len(), "{codes:x?}");
    let login = weir.command(&["users", "passwd", "ada", "--password-stdin"], "new");
    assert!(login.contains("set"), "{login}");
}

fn count(codes: &[u8], wanted: u8) -> usize {
    codes.iter().filter(|code| **code == wanted).count()
}

#[test]
fn guesses_are_held_back() {
    let weir = Weir::start(Options::new().set("auth.max_failures_per_user", "3"));
    add(&weir, "ada");
    let guess = Connect::new("a").user("ada", "guess");
    let codes: Vec<u8> = (0..4).map(|_| code(&weir, &guess)).collect();
    assert_eq!(codes, [0x86, 0x86, 0x86, 0x9F]);
    assert_eq!(code(&weir, &guess.version(Version::V311)), 3);
    let refused = weir.wait_for_line(&["connection refused", "0x9F"]);
    assert!(refused.contains("127.0.0.1") && !refused.contains("guess"), "{refused}");
}
