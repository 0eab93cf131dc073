//! A wrong setting ends the start with the line that is wrong.

use it::{Options, Weir};

#[test]
fn a_wrong_setting_is_shown_and_nothing_is_served() {
    for (key, value, parts) in [
        (
            "mqtt.publsher_hold",
            "1s",
            ["unknown key `mqtt.publsher_hold`", "did you mean `mqtt.publisher_hold`?"],
        ),
        (
            "listeners.quic.enabled",
            "true",
            ["the listener `quic` needs a certificate", "add cert = "],
        ),
    ] {
        let Err(refused) = Weir::try_start(Options::new().set(key, value)) else {
            panic!("it serves with {key}={value}")
        };
        assert!(!refused.status.success());
        let text = refused.lines.join("\n");
        parts.iter().for_each(|part| assert!(text.contains(part), "{text}"));
    }
}
