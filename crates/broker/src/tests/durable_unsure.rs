//! What a durable session's client was sent last before a crash is not known: messages at QoS 2 among it that are not sent
//! again leave no packet id behind at the client, where a later message would be taken for the old one.

use super::{check, check_with};
use crate::config::Config;

#[test]
fn what_a_client_has_and_has_expired_ends_with_pubrel() {
    for (version, pubcomp) in [("5", "a pubcomp 1 92"), ("3.1.1", "a pubcomp 1")] {
        let keep = if version == "5" { "keep expiry=1000" } else { "keep v=3.1.1" };
        // The client has answered, and the crash comes before that is stored; or its connection has ended before.
        for end in ["log hold\na pubrec 1\ncrash", "log hold\na lost\ncrash"] {
            for between in
                ["wait 6000", "checkpoint\ncrash\nwait 6000", "crash\ncheckpoint\nwait 6000\ncrash"]
            {
                check(&format!(
                    r#"
a connect {keep}
  a connack 00
a subscribe 1 t,2
  a suback 1 02
p connect
  p connack 00
p publish 2 t one id=1 expiry=5
  a publish 2 id=1 t one{left}
  p pubrec 1 00
{end}
{between}
a connect {keep}
  a connack 00 present
  a pubrel 1 00
a lost
# [MQTT-4.3.3-5]
a connect {keep}
  a connack 00 present
  a pubrel 1 00
{pubcomp}
wait 60
p connect
  p connack 00
p publish 2 t two id=2
  a publish 2 id=2 t two
  p pubrec 2 00
crash
a connect {keep}
  a connack 00 present
  a publish 2 id=2 t two
"#,
                    left = if version == "5" { " expiry=5" } else { "" },
                ));
            }
        }
    }
}

#[test]
fn what_waited_and_has_expired_takes_no_place_of_the_window() {
    check(
        r#"
a connect expiry=1000 rm=1
  a connack 00
a subscribe 1 t,2
  a suback 1 02
p connect
  p connack 00
log hold
p publish 2 t one id=1 expiry=5
p publish 2 t two id=2 expiry=5
# At QoS 1 there is nothing to forget.
p publish 1 t three id=3 expiry=5
p publish 2 t four id=4
log commit
  a publish 2 id=1 t one expiry=5
  p pubrec 1 00
  p pubrec 2 00
  p puback 3 00
  p pubrec 4 00
crash
wait 6000
# A PUBREL that no PUBLISH of this connection led to takes none.
a connect keep expiry=1000 rm=1
  a connack 00 present
  a pubrel 1 00
  a pubrel 2 00
  a publish 2 id=4 t four
# Its PUBCOMP gives none back.
a pubcomp 1
a pubcomp 2 92
p connect
  p connack 00
p publish 2 t five id=5
  p pubrec 5 00
a pubrec 4
  a pubrel 4 00
a pubcomp 4
  a publish 2 id=5 t five
"#,
    );
}

#[test]
fn nothing_at_qos_2_goes_to_a_connection_of_which_the_log_does_not_know() {
    check(
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t,2
  a suback 1 02
a lost
p connect
  p connack 00
p publish 2 t one id=1 expiry=5
  p pubrec 1 00
p publish 1 t two id=2
  p puback 2 00
log hold
a connect keep expiry=1000
  a connack 00 present
log commit
  a publish 2 id=1 t one expiry=5
  a publish 1 id=2 t two
log hold
a pubrec 1
crash
wait 6000
a connect keep expiry=1000
  a connack 00 present
  a publish 1 id=2 t two
  a pubrel 1 00
a pubcomp 1
"#,
    );
}

#[test]
fn what_came_while_its_client_was_away_was_not_sent_and_goes_without_a_word() {
    // A client need not bear a PUBREL for a packet id that it does not know.
    for between in ["crash", "checkpoint\ncrash", "crash\ncheckpoint\ncrash"] {
        check(&format!(
            r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t,2
  a suback 1 02
p connect
  p connack 00
p publish 2 t zero id=9 expiry=5
  a publish 2 id=1 t zero expiry=5
  p pubrec 9 00
a lost
p publish 2 t one id=1 expiry=5
  p pubrec 1 00
{between}
wait 6000
# What was sent before is known. [MQTT-4.3.3-7]
a connect keep expiry=1000
  a connack 00 present
  a publish 2 id=1 dup t zero expiry=0
"#
        ));
    }
}

#[test]
fn what_comes_after_a_restart_was_not_sent_before_it() {
    check(
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t,2
  a suback 1 02
crash
a connect keep expiry=1000
  a connack 00 present
a lost
p connect
  p connack 00
p publish 2 t one id=1 expiry=5
  p pubrec 1 00
wait 6000
a connect keep expiry=1000
  a connack 00 present
"#,
    );
}

#[test]
fn what_is_known_to_be_sent_is_sent_again_though_it_has_expired() {
    // [MQTT-4.3.3-7]
    check(
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t,2
  a suback 1 02
p connect
  p connack 00
p publish 2 t one id=1 expiry=5
  a publish 2 id=1 t one expiry=5
  p pubrec 1 00
wait 60
crash
wait 6000
a connect keep expiry=1000
  a connack 00 present
  a publish 2 id=1 dup t one expiry=0
"#,
    );
}

#[test]
fn what_has_to_go_from_a_full_session_ends_with_pubrel() {
    let mut config = Config::default();
    config.limits.max_pending_messages = 2;
    check_with(
        &config,
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t,2
  a suback 1 02
p connect
  p connack 00
p publish 2 t one id=1
  a publish 2 id=1 t one
  p pubrec 1 00
log hold
a pubrec 1
crash
p connect
  p connack 00
p publish 2 t two id=2
  p pubrec 2 00
p publish 2 t three id=3
  p pubrec 3 00
wait 60
crash
a connect keep expiry=1000
  a connack 00 present
  a pubrel 1 00
  a publish 2 id=2 t two
  a publish 2 id=3 t three
a pubcomp 1
wait 60
ends
  0
"#,
    );
}

#[test]
fn what_a_client_takes_no_more_ends_with_pubrel() {
    check(
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t,2
  a suback 1 02
p connect
  p connack 00
p publish 2 t a-message-of-some-length id=1
  a publish 2 id=1 t a-message-of-some-length
  p pubrec 1 00
log hold
a pubrec 1
crash
a connect keep expiry=1000 mps=20
  a connack 00 present
  a pubrel 1 00
a pubcomp 1
"#,
    );
}

#[test]
fn a_damaged_message_that_may_have_been_sent_ends_with_pubrel() {
    check(
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t,2
  a suback 1 02
p connect
  p connack 00
p publish 2 t one id=1
  a publish 2 id=1 t one
  p pubrec 1 00
crash
damage 16
a connect keep expiry=1000
  a connack 00 present
  a pubrel 1 00
a pubcomp 1
"#,
    );
}
