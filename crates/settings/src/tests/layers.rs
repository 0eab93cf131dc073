use std::time::Duration;

use crate::*;

fn load(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> Result<Loaded, ConfigErrors> {
    load_named(file, environment, flags).0
}

/// Loads `file` (no file when empty) under `environment` under `flags`; also gives the file's path.
pub(super) fn load_named(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[&str],
) -> (Result<Loaded, ConfigErrors>, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("weir.toml");
    std::fs::write(&path, file).expect("the file can be written");
    let sources = Sources {
        file: (!file.is_empty()).then(|| path.clone()),
        environment: environment
            .iter()
            .map(|(k, v)| (String::from(*k), String::from(*v)))
            .collect(),
        flags: flags.iter().map(|flag| String::from(*flag)).collect(),
    };
    (sources.load(), path.display().to_string())
}

const FILE: &str = "\
data_dir = \"from-file\"
[mqtt]
publisher_hold = \"1s\"
receive_maximum = 10
max_packet_size = \"2MiB\"
";

#[test]
fn flags_beat_the_environment_and_that_beats_the_file() {
    let environment = [
        ("WEIR_MQTT__PUBLISHER_HOLD", "2s"),
        ("WEIR_MQTT__RECEIVE_MAXIMUM", "20"),
        ("WEIR_BIN", "x"),
    ];
    let loaded = load(FILE, &environment, &["mqtt.publisher_hold=3s"]).expect("valid");
    let mqtt = &loaded.settings.mqtt;
    assert_eq!(mqtt.publisher_hold, Duration::from_secs(3));
    assert_eq!(mqtt.receive_maximum, 20);
    assert_eq!(mqtt.max_packet_size, 2 << 20);
    assert_eq!(loaded.origin("mqtt.publisher_hold"), Origin::Flag);
    let variable = "WEIR_MQTT__RECEIVE_MAXIMUM".to_owned();
    assert_eq!(loaded.origin("mqtt.receive_maximum"), Origin::Environment { variable });
    let Origin::File { line, .. } = loaded.origin("mqtt.max_packet_size") else {
        panic!("it stands in the file");
    };
    assert_eq!(line, 5);
    assert_eq!(loaded.origin("mqtt.connect_timeout"), Origin::Default);
}

#[test]
fn effective_values_name_who_said_so() {
    let loaded =
        load("", &[], &["log.reserve=1MiB", "listeners.mqtt.bind=127.0.0.1:0"]).expect("valid");
    let of = |key: &str| {
        loaded
            .effective()
            .find(|value| value.key == key)
            .map(|v| (v.value, v.origin))
            .expect("a key")
    };
    assert_eq!(of("log.reserve"), ("1MiB".to_owned(), Origin::Flag));
    assert_eq!(of("listeners.mqtt.bind"), ("127.0.0.1:0".to_owned(), Origin::Flag));
    assert_eq!(of("log.segment_size"), ("64MiB".to_owned(), Origin::Default));
}

#[test]
fn the_top_of_the_file_is_set_without_a_section() {
    let loaded = load("", &[("WEIR_DATA_DIR", "here")], &[]).expect("valid");
    assert_eq!(loaded.settings.data_dir.to_str(), Some("here"));
}

#[test]
fn words_for_nothing_are_values() {
    let file = "\
[queues.defaults]
max_messages = \"none\"
max_bytes = \"1GiB\"
retention = 0
max_attempts = 0
dedup_window = \"off\"
dead_letter = \"letters\"
[server]
shards = \"auto\"
[mqtt]
keep_alive_max = \"5m\"
";
    let settings = load(file, &[], &[]).expect("valid").settings;
    let defaults = settings.queues.defaults;
    assert_eq!(defaults.max_messages, None);
    assert_eq!(defaults.max_bytes, Some(1 << 30));
    assert_eq!(defaults.retention, None);
    assert_eq!(defaults.max_attempts, None);
    assert_eq!(defaults.dedup_window, None);
    assert_eq!(defaults.dead_letter, DeadLetter::Queue("letters".to_owned()));
    assert_eq!(settings.server.shards, None);
    assert_eq!(settings.mqtt.keep_alive_max, Some(Duration::from_secs(300)));
}

#[test]
fn listeners_are_named_guessed_and_switched_off() {
    let file = "\
[listeners.mqtt]
enabled = false
[listeners.plant]
kind = \"tcp\"
bind = \"0.0.0.0:1884\"
[listeners.ws]
enabled = false
";
    let settings =
        load(file, &[("WEIR_LISTENERS__LAB__KIND", "tcp")], &["listeners.lab.bind=[::1]:0"])
            .expect("valid")
            .settings;
    let found: Vec<_> = settings
        .listeners
        .iter()
        .map(|l| (l.name.as_str(), l.kind.as_str(), l.bind.to_string(), l.enabled))
        .collect();
    let expected = [
        ("lab", "tcp", "[::1]:0".to_owned(), true),
        ("mqtt", "tcp", "127.0.0.1:1883".to_owned(), false),
        ("plant", "tcp", "0.0.0.0:1884".to_owned(), true),
        ("ws", "ws", "127.0.0.1:8083".to_owned(), false),
    ];
    assert_eq!(found, expected);
}

#[test]
fn listeners_of_each_kind_have_what_they_need() {
    let file = "\
[listeners.local]
bind = \"unix:/run/weir/mqtt.sock\"
[listeners.mqtts]
cert = \"server.pem\"
key = \"server.key\"
client_ca = \"ca.pem\"
require_client_cert = true
[listeners.ws]
[listeners.wss]
cert = \"web.pem\"
key = \"web.key\"
path = \"/other\"
";
    let settings = load(file, &[], &[]).expect("valid").settings;
    let listener = |name| {
        settings.listeners.iter().find(|listener| listener.name == name).expect("it is there")
    };
    let local = listener("local");
    assert_eq!((local.kind, &local.tls), (ListenerKind::Unix, &None));
    assert_eq!(local.bind, ListenAddress::Unix("/run/weir/mqtt.sock".into()));
    let tls = TlsSettings {
        certs: vec!["server.pem".into()],
        keys: vec!["server.key".into()],
        client_ca: Some("ca.pem".into()),
        client_crl: Vec::new(),
        require_client_cert: true,
    };
    assert_eq!(listener("mqtts").tls, Some(tls));
    assert_eq!((listener("ws").path.as_str(), listener("ws").kind), ("/mqtt", ListenerKind::Ws));
    let wss = listener("wss");
    assert_eq!((wss.path.as_str(), wss.kind), ("/other", ListenerKind::Wss));
    let tls = wss.tls.as_ref().expect("wss speaks TLS");
    assert!(tls.client_ca.is_none() && !tls.require_client_cert);
}

#[test]
fn listeners_have_limits_proxies_and_several_certificates() {
    let file = "\
[listeners.mqtt]
bind = \"[::]:1883\"
dual_stack = true
proxy_protocol = true
proxy_trusted = [\"10.0.0.0/8\", \"::1\"]
proxy_timeout = \"500ms\"
max_connections = 100
max_connect_rate = 7
connect_timeout = \"2s\"
max_packet_size = \"64KiB\"
max_message_rate = 50
max_byte_rate = \"1MiB\"
[listeners.mqtts]
cert = [\"a.pem\", \"b.pem\"]
key = [\"a.key\", \"b.key\"]
client_ca = \"ca.pem\"
client_crl = \"a.crl\"
";
    let environment = [("WEIR_LISTENERS__MQTTS__CLIENT_CRL", "b.crl, c.crl")];
    let loaded = load(file, &environment, &[]).expect("valid");
    let [mqtt, mqtts] = &loaded.settings.listeners[..] else { panic!("two listeners") };
    assert!(mqtt.dual_stack && !mqtts.dual_stack);
    let proxy = mqtt.proxy.as_ref().expect("proxied");
    assert_eq!(proxy.timeout, Duration::from_millis(500));
    let trusted: Vec<_> = proxy.trusted.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["10.0.0.0/8", "::1/128"]);
    let limits = ListenerLimits {
        max_connections: Some(100),
        max_connect_rate: Some(7),
        connect_timeout: Some(Duration::from_secs(2)),
        max_packet_size: Some(64 << 10),
        max_message_rate: Some(50),
        max_byte_rate: Some(1 << 20),
    };
    assert_eq!(mqtt.limits, limits);
    assert_eq!((&mqtts.limits, &mqtts.proxy), (&ListenerLimits::default(), &None));
    let tls = TlsSettings {
        certs: vec!["a.pem".into(), "b.pem".into()],
        keys: vec!["a.key".into(), "b.key".into()],
        client_ca: Some("ca.pem".into()),
        client_crl: vec!["b.crl".into(), "c.crl".into()],
        require_client_cert: false,
    };
    assert_eq!(mqtts.tls, Some(tls));
    let words =
        "connect_timeout=default max_packet_size=default max_connections=auto max_byte_rate=none";
    let flags: Vec<_> = words.split(' ').map(|word| format!("listeners.mqtt.{word}")).collect();
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let loaded = load(file, &[], &flags).expect("valid");
    let limits = ListenerLimits {
        max_connect_rate: Some(7),
        max_message_rate: Some(50),
        ..ListenerLimits::default()
    };
    assert_eq!(loaded.settings.listeners[0].limits, limits);
}

#[test]
fn strategies_of_groups_are_a_list() {
    let file = "[mqtt.shared_subscriptions]\nstrategy = \"random\"\n\
                group_strategies = [\"billing=hash_topic\", \"a=b = single_active\"]\n";
    let (outcome, _) = load_named(file, &[], &["mqtt.shared_subscriptions.stall_timeout=2s"]);
    let shared = outcome.expect("legal").settings.mqtt.shared_subscriptions;
    let groups: Vec<_> = shared.groups.iter().map(|(name, of)| (name.as_str(), *of)).collect();
    let expected = [("a=b", SharedStrategy::SingleActive), ("billing", SharedStrategy::HashTopic)];
    assert_eq!(groups, expected);
    assert_eq!(shared.strategy, SharedStrategy::Random);
    assert_eq!(shared.stall_timeout, Duration::from_secs(2));
    assert!(Settings::default().mqtt.shared_subscriptions.groups.is_empty());
}

#[test]
fn traces_are_set_as_users_of_collectors_write_it() {
    let file = "[telemetry.otlp]\nendpoint = \"http://127.0.0.1:4318\"\nsample_ratio = 0.01\n";
    let otlp = load(file, &[], &[]).expect("legal").settings.otlp;
    assert_eq!(otlp.endpoint.as_deref(), Some("http://127.0.0.1:4318"));
    assert_eq!(otlp.sample_millionths, 10_000);
    assert_eq!((otlp.service_name.as_str(), otlp.headers.len()), ("weirmq", 0));
    let off = load("[telemetry.otlp]\nsample_ratio = 1\n", &[], &[]).expect("legal").settings.otlp;
    assert_eq!((off.endpoint, off.sample_millionths), (None, 1_000_000));
    assert!(load("[telemetry.otlp]\nsample_ratio = 1.5\n", &[], &[]).is_err());
    assert!(load("[telemetry.otlp]\nsample_ratio = \"0.5\"\n", &[], &[]).is_err());
}
