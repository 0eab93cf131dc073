//! Durable sessions where two things meet: a packet and its record, a session and a queue, an answer and a log that
//! takes nothing.

use super::{check, check_on, check_with};
use crate::config::Config;

#[test]
fn a_queue_subscription_goes_on_after_a_crash() {
    check(
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 $q/jobs,1
  a suback 1 01
crash
p connect
  p connack 00
p publish 1 jobs one id=1
  p puback 1 00
# Packet ids of queues begin anywhere after a restart.
a connect keep expiry=1000
  a connack 00 present
  a publish 1 id=59392 jobs one
"#,
    );
}

#[test]
fn what_was_unsubscribed_before_its_suback_brings_no_retained_messages() {
    check(
        r#"
a connect expiry=1000
  a connack 00
p connect
  p connack 00
p publish 1 t kept id=1 retain
  p puback 1 10
log hold
a subscribe 1 t,1
a unsubscribe 2 t
log commit
  a suback 1 01
  a unsuback 2 00
ends
  0
"#,
    );
}

#[test]
fn one_session_in_a_group_and_beside_it_gets_each_copy_with_its_own_identifier() {
    check(
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t,1 sid=5
  a suback 1 01
a subscribe 2 $share/g/t,2 sid=7
  a suback 2 02
a subscribe 3 $share/h/t,1
  a suback 3 01
a lost
p connect
  p connack 00
p publish 2 t one id=1
  p pubrec 1 00
a connect keep expiry=1000
  a connack 00 present
  a publish 1 id=1 t one sid=5
  a publish 2 id=2 t one sid=7
  a publish 1 id=3 t one
a puback 1
a puback 3
wait 60
checkpoint
crash
a connect keep expiry=1000
  a connack 00 present
  a publish 2 id=2 dup t one sid=7
"#,
    );
}

#[test]
fn a_packet_id_whose_pubrel_was_not_stored_is_not_free() {
    check(
        r#"
s connect expiry=1000
  s connack 00
s subscribe 1 t,1
  s suback 1 01
p connect expiry=1000
  p connack 00
p publish 2 t one id=5
  p pubrec 5 00
  s publish 1 id=1 t one
log fails
p pubrel 5
# PUBCOMP would say that the packet id is free, but a restart would take the next message under it for this one.
p pubrel 5
ends
  0
crash
p connect keep expiry=1000
  p connack 00 present
p pubrel 5
  p pubcomp 5 00
p publish 2 t two id=5
  p pubrec 5 00
s connect keep expiry=1000
  s connack 00 present
  s publish 1 id=1 t one
  s publish 1 id=2 t two
"#,
    );
}

#[test]
fn a_session_is_in_the_log_before_any_message_for_it() {
    check_on(
        3,
        &Config::default(),
        r#"
p connect
  p connack 00
# The shard of a has not handed its records over when that of p stores a message for a.
late a
a connect expiry=1000
  a connack 00
a subscribe 1 t,1
p publish 1 t one id=1
  a publish 1 id=1 t one
  p puback 1 00
run
p publish 1 t two id=2
  a suback 1 01
  a publish 1 id=2 t two
  p puback 2 00
a puback 1
wait 60
crash
a connect keep expiry=1000
  a connack 00 present
  a publish 1 id=2 dup t two
"#,
    );
}

#[test]
fn a_full_session_drops_no_message_whose_packet_id_the_client_may_hold() {
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
a lost
p publish 2 t two id=2
  p pubrec 2 00
p publish 2 t three id=3
  p pubrec 3 00
p publish 2 t four id=4
  p pubrec 4 00
a connect keep expiry=1000
  a connack 00 present
  a publish 2 id=1 dup t one
  a publish 2 id=4 t four
"#,
    );
}

#[test]
fn a_subscription_that_could_not_be_stored_takes_no_later_one_along() {
    // More than a full log takes.
    let filter = "x".repeat(40_000);
    check(&format!(
        r#"
a connect expiry=1000
  a connack 00
p connect
  p connack 00
log hold
a subscribe 1 t,1 {filter}1,1 {filter}2,1
a subscribe 2 t,1
log full
log commit
  a suback 1 97 97 97 "subscription not stored: the log is full: no room on the disk for another segment"
  a suback 2 01
p publish 0 t one
  a publish 0 t one
ends
  0
"#
    ));
}

#[test]
fn a_held_publisher_of_3_x_reaches_durable_sessions_once_there_is_room() {
    check(
        r#"
s connect expiry=1000
  s connack 00
s subscribe 1 t,2
  s suback 1 02
p connect v=3.1.1 keep
  p connack 00
log hold
p publish 2 t one id=1
log full
log commit
p publish 2 t two id=2
log well
  p pubrec 1 00
  p pubrec 2 00
  s publish 2 id=1 t one
  s publish 2 id=2 t two
ends
  0
wait 60
crash
p connect v=3.1.1 keep
  p connack 00 present
p publish 2 t one id=1 dup
  p pubrec 1 00
s connect keep expiry=1000
  s connack 00 present
  s publish 2 id=1 dup t one
  s publish 2 id=2 dup t two
"#,
    );
}
