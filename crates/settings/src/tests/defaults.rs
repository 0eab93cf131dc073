use std::time::Duration;

use crate::keys;
use crate::settings::Settings;
use crate::*;

#[test]
fn every_default_is_a_value_of_its_key() {
    let mut settings = Settings::blank();
    for key in keys::all() {
        let outcome = key.set(&mut settings, key.default, crate::value::Written::Bare);
        assert!(outcome.is_ok(), "{}: {outcome:?}", key.name);
    }
}

#[test]
fn keys_are_in_their_section_and_named_once() {
    let mut names: Vec<&str> = keys::all().map(|key| key.name).collect();
    for section in keys::SECTIONS {
        for key in section.keys {
            let of = key.name.rsplit_once('.').map_or("", |(section, _)| section);
            assert_eq!(of, section.name, "{}", key.name);
            assert!(key.doc.ends_with('.'), "{} wants a whole sentence", key.name);
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// Each row must fill a field of its own: a value other than the default changes the settings, and no two rows change
/// them alike.
#[test]
fn every_key_fills_a_field_of_its_own() {
    let mut seen = vec![Settings::default()];
    for key in keys::all() {
        let value = [
            "false",
            "true",
            "7s",
            "7777",
            "7777KiB",
            "10.1.2.3:4",
            "random",
            "memory",
            "drop_oldest",
        ]
        .into_iter()
        .chain(["debug", "json", "always", "7", "1", "username", "billing=random", "http://a:1"])
        .filter(|value| *value != key.default)
        .find_map(|value| {
            let mut settings = Settings::default();
            key.set(&mut settings, value, crate::value::Written::Bare).ok()?;
            Some(settings)
        })
        .expect(key.name);
        assert!(!seen.contains(&value), "{} changes nothing of its own", key.name);
        seen.push(value);
    }
}

#[test]
fn the_contracts_defaults_hold() {
    let settings = Settings::default();
    assert_eq!(settings.data_dir.to_str(), Some("weir-data"));
    assert_eq!(settings.listeners.len(), 1);
    assert_eq!(settings.listeners[0].bind.to_string(), "127.0.0.1:1883");
    assert!(settings.listeners[0].enabled && settings.http.enabled);
    assert_eq!(settings.http.bind.to_string(), "127.0.0.1:18083");
    assert_eq!(settings.mqtt.publisher_hold, Duration::from_secs(30));
    assert_eq!(
        settings.queues.auto_create,
        AutoCreateSettings { enabled: true, max_queues: 10_000 }
    );
    let expected = QueueDefaults {
        dispatch_strategy: DispatchStrategy::RoundRobin,
        key_expression: "topic".to_owned(),
        key_inflight: 1,
        last_value: false,
        durability: Durability::Sync,
        retention: Some(Duration::from_secs(7 * 24 * 3600)),
        max_messages: None,
        max_bytes: None,
        overflow: Overflow::RejectPublish,
        max_inflight: 32,
        ack_timeout: Duration::from_secs(300),
        max_attempts: Some(16),
        retry_delay: Duration::from_secs(1),
        retry_delay_max: Duration::from_secs(60),
        dead_letter: DeadLetter::Own,
        dead_letter_expired: false,
        dead_letter_dropped: false,
        dead_letter_unkeyed: false,
        dedup_window: None,
        keep_settled: Duration::ZERO,
        paused: false,
    };
    assert_eq!(settings.queues.defaults, expected);
    let week = Some(Duration::from_secs(7 * 24 * 3600));
    let expected = StreamDefaults {
        retention: week,
        max_messages: None,
        max_bytes: None,
        last_value: false,
        key_expression: None,
        durability: Durability::Sync,
        max_inflight: 32,
        retry_delay: Duration::from_secs(1),
        retry_delay_max: Duration::from_secs(60),
        keep_positions: week,
        paused: false,
    };
    assert_eq!(settings.streams.defaults, expected);
}

/// `WEIR_WRITE_DOCS=1` writes the page instead of holding it fresh.
#[test]
fn the_reference_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let expected = reference();
    if std::env::var_os("WEIR_WRITE_DOCS").is_some() {
        std::fs::write(path, &expected).expect("docs/configuration.md can be written");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "docs/configuration.md is stale; `make docs` writes it anew");
}
