//! UNSUBSCRIBE of a durable session whose record could not be stored: the subscription is what it was, and has missed nothing.

use super::{check, check_with};
use crate::config::Config;

/// Three retained messages, and a session that has the first of them. Both ways: bodies at hand, and read from the log.
fn check_both(rest: &str) {
    let transcript = format!(
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
p publish 1 r/c three id=3 retain
  p puback 3 10
s connect expiry=1000 rm=1
  s connack 00
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/a one
{rest}"#
    );
    check(&transcript);
    check_with(&Config { retained_cache: 0, ..Config::default() }, &transcript);
}

/// What is retained while the subscription seems to have ended comes in no other way, and what came before does not come again.
#[test]
fn a_replay_goes_on_if_the_end_of_its_subscription_is_not_stored() {
    check_both(
        r#"
p publish 1 r/c three-new id=4 retain
  p puback 4 00
log hold
log refuses
s unsubscribe 2 r/+
p publish 1 r/b two-new id=5 retain
s puback 1
  s publish 1 id=2 r/c three-new
log commit
  p puback 5 10
  s unsuback 2 83
p publish 1 r/d four id=6
  p puback 6 00
s puback 2
  s publish 1 id=3 r/d four
s puback 3
  s publish 1 id=4 retain r/b two-new
s puback 4
"#,
    );
}

#[test]
fn it_goes_on_at_once_when_the_client_has_room() {
    check_both(
        r#"
log hold
log refuses
s unsubscribe 2 r/+
s puback 1
log commit
  s unsuback 2 83
  s publish 1 id=2 retain r/b two
s puback 2
  s publish 1 id=3 retain r/c three
s puback 3
"#,
    );
}

#[test]
fn it_goes_on_over_a_crash_too() {
    for between in ["crash", "checkpoint\ncrash"] {
        check_both(&format!(
            r#"
p publish 1 r/c three-new id=4 retain
  p puback 4 00
log refuses
s unsubscribe 2 r/+
  s unsuback 2 83
wait 100
{between}
s connect keep expiry=1000 rm=1
  s connack 00 present
  s publish 1 id=1 dup retain r/a one
s puback 1
  s publish 1 id=2 r/c three-new
s puback 2
  s publish 1 id=3 retain r/b two
s puback 3
"#
        ));
    }
}

#[test]
fn the_end_and_a_new_beginning_fail_together() {
    check_both(
        r#"
log hold
s unsubscribe 2 r/+
s subscribe 3 r/+,0
s unsubscribe 4 r/+
s puback 1
log fails
log commit
  s unsuback 2 83
  s suback 3 83 "subscription not stored: the log has failed: a test"
  s unsuback 4 83
log well
  s publish 1 id=2 retain r/b two
s puback 2
  s publish 1 id=3 retain r/c three
s puback 3
p publish 1 r/b two-new id=4 retain
  p puback 4 00
  s publish 1 id=4 r/b two-new
s puback 4
"#,
    );
}

/// What the new beginning asked for is to be sent when only the end that follows it fails.
#[test]
fn the_beginning_between_two_ends_brings_retained_messages_if_it_lasts() {
    // A full log takes small records.
    let long = "x".repeat(40_000);
    check_both(&format!(
        r#"
s subscribe 5 {long}1,0 {long}2,0
  s suback 5 00 00
log hold
s unsubscribe 2 r/+
s subscribe 3 r/+,1
s unsubscribe 4 r/+ {long}1 {long}2
s puback 1
log full
log commit
  s unsuback 2 00
  s suback 3 01
  s unsuback 4 83 83 83
log well
  s publish 1 id=2 retain r/a one
s puback 2
  s publish 1 id=3 retain r/b two
s puback 3
  s publish 1 id=4 retain r/c three
s puback 4
"#
    ));
}

#[test]
fn a_subscription_that_ends_gets_nothing_any_more() {
    check_both(
        r#"
log hold
s unsubscribe 2 r/+
s puback 1
log commit
  s unsuback 2 00
p publish 1 r/b two-new id=4 retain
  p puback 4 10
p publish 0 r/c three-new retain
wait 100
crash
s connect keep expiry=1000 rm=1
  s connack 00 present
ends
  0
"#,
    );
}

#[test]
fn a_session_that_ends_meanwhile_leaves_nothing_behind() {
    check_both(
        r#"
log hold
s unsubscribe 2 r/+
t connect id=s
  s disconnect 8e
  s closed
  t connack 00
log commit
# Nobody is there whom it could be for.
p publish 1 r/b two-new id=4 retain
  p puback 4 10
ends
  0
"#,
    );
}
