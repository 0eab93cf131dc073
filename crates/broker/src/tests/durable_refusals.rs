//! Durable sessions over a log that takes not all, a disk that is damaged, a clock that is wrong: what was not stored is
//! as it was, and what was begun comes to its end.

use super::{check, check_on};
use crate::config::Config;

#[test]
fn a_change_that_cannot_be_stored_leaves_the_subscription_as_it_was() {
    check(
        r#"
a connect expiry=1000
  a connack 00
p connect
  p connack 00
a subscribe 1 t,1 $share/g/s,1 $q/jobs,1
  a suback 1 01 01 01
log hold
a subscribe 2 t,0 $share/g/s,0 $q/jobs,0 metadata
a unsubscribe 3 t
log fails
log commit
  a suback 2 83 83 83 "subscription not stored: the log has failed: a test"
  a unsuback 3 83
log well
p publish 1 t one id=1
  a publish 1 id=1 t one
  p puback 1 00
p publish 1 s two id=2
  a publish 1 id=2 s two
  p puback 2 00
p publish 1 jobs three id=3
  a publish 1 id=32768 jobs three
  p puback 3 00
ends
  0
wait 60
crash
a connect keep expiry=1000
  a connack 00 present
  a publish 1 id=1 dup t one
  a publish 1 id=2 dup s two
  a publish 1 id=59452 jobs three
"#,
    );
}

#[test]
fn what_was_ended_and_made_again_in_vain_is_ended() {
    // More than a full log takes.
    let filter = "x".repeat(40_000);
    check(&format!(
        r#"
a connect expiry=1000
  a connack 00
p connect
  p connack 00
log hold
a subscribe 1 t,1
a unsubscribe 2 t
a subscribe 3 t,1 {filter}1,1 {filter}2,1
log full
log commit
  a suback 1 01
  a unsuback 2 00
  a suback 3 97 97 97 "subscription not stored: the log is full: no room on the disk for another segment"
p publish 0 t one
ends
  0
"#
    ));
}

#[test]
fn a_client_before_5_0_that_cannot_be_told_has_unsubscribed() {
    check(
        r#"
a connect v=3.1.1 keep
  a connack 00
a subscribe 1 t,1
  a suback 1 01
log fails
a unsubscribe 2 t
  a unsuback 2
log well
p connect
  p connack 00
p publish 1 t one id=1
  p puback 1 10
"#,
    );
}

#[test]
fn a_later_subscription_is_not_undone_by_one_that_had_to_make_a_queue() {
    check(
        r#"
a connect expiry=1000
  a connack 00
log hold
# It waits for the queue; the others do not.
a subscribe 1 t,0 u,1 $q/jobs,1
a subscribe 2 t,2
a unsubscribe 3 u
log commit
  a suback 2 02
  a unsuback 3 00
  a suback 1 00 01 01
log commit
crash
p connect
  p connack 00
p publish 2 t one id=1
  p pubrec 1 00
p publish 1 u two id=2
  p puback 2 10
a connect keep expiry=1000
  a connack 00 present
  a publish 2 id=1 t one
"#,
    );
}

#[test]
fn a_pubrec_that_could_not_be_stored_is_stored_later() {
    check(
        r#"
s connect expiry=1000
  s connack 00
s subscribe 1 t,2
  s suback 1 02
z connect
  z connack 00
z publish 2 t one id=1
  s publish 2 id=1 t one
  z pubrec 1 00
z publish 2 t two id=2
  s publish 2 id=2 t two
  z pubrec 2 00
z publish 2 t three id=3
  s publish 2 id=3 t three
  z pubrec 3 00
log fails
# PUBREL would let the client forget what a restart would send again.
s pubrec 3
s pubrec 1
s pubrec 3
s lost
s connect keep expiry=1000
  s connack 00 present
  s publish 2 id=2 dup t two
log well
  s pubrel 3 00
  s pubrel 1 00
s pubcomp 3
s pubcomp 1
ends
  0
log fails
s pubrec 2
s lost
log hold
s connect keep expiry=1000
  s connack 00 present
log well
log commit
  s pubrel 2 00
"#,
    );
}

/// [MQTT-4.6.0-4]
#[test]
fn pubrels_of_a_resumed_session_come_in_the_order_of_the_pubrecs() {
    let begin = r#"
s connect expiry=1000
  s connack 00
s subscribe 1 t,2
  s suback 1 02
z connect
  z connack 00
z publish 2 t one id=1
  s publish 2 id=1 t one
  z pubrec 1 00
z publish 2 t two id=2
  s publish 2 id=2 t two
  z pubrec 2 00
z publish 2 t three id=3
  s publish 2 id=3 t three
  z pubrec 3 00
s pubrec 3
  s pubrel 3 00
s pubrec 1
  s pubrel 1 00
s pubrec 2
  s pubrel 2 00
"#;
    let end = r#"
s connect keep expiry=1000
  s connack 00 present
  s pubrel 3 00
  s pubrel 1 00
  s pubrel 2 00
"#;
    for between in ["s lost", "crash", "checkpoint\ncrash", "checkpoint\ncrash\ncheckpoint\ncrash"]
    {
        check(&format!("{begin}{between}{end}"));
    }
}

/// [MQTT-4.6.0-4]
#[test]
fn pubrels_of_a_queues_messages_come_in_the_order_of_the_pubrecs() {
    check(
        r#"
s connect expiry=1000
  s connack 00
s subscribe 1 $q/jobs,2
  s suback 1 02
z connect
  z connack 00
z publish 1 jobs one id=1
  s publish 2 id=32768 jobs one
  z puback 1 00
z publish 1 jobs two id=2
  s publish 2 id=32769 jobs two
  z puback 2 00
s pubrec 32769
  s pubrel 32769 00
s pubrec 32768
  s pubrel 32768 00
s lost
s connect keep expiry=1000
  s connack 00 present
  s pubrel 32769 00
  s pubrel 32768 00
"#,
    );
}

#[test]
fn a_damaged_message_that_was_begun_comes_to_its_end() {
    check(
        r#"
s connect expiry=1000
  s connack 00
s subscribe 1 t,2
  s suback 1 02
z connect
  z connack 00
z publish 2 t one id=1
  s publish 2 id=1 t one
  z pubrec 1 00
s lost
z publish 2 t two id=2
  z pubrec 2 00
damage 16
# It may have the first message already, and must forget its packet id.
s connect keep expiry=1000
  s connack 00 present
  s publish 2 id=2 t two
  s pubrel 1 00
s pubcomp 1
s pubrec 2
  s pubrel 2 00
s pubcomp 2
ends
  0
"#,
    );
}

#[test]
fn a_session_outlives_a_clock_that_was_not_set_yet() {
    for between in ["", "checkpoint\n"] {
        check(&format!(
            r#"
a connect expiry=1000 will=w:gone:1 delay=2000
  a connack 00
a subscribe 1 t,1
  a suback 1 01
p connect
  p connack 00
p publish 1 t one id=1
  a publish 1 id=1 t one
  p puback 1 00
wait 60
{between}crash 1970
wait 990000
a connect keep expiry=1000
  a connack 00 present
  a publish 1 id=1 dup t one
crash 1970
wait 1001000
a connect keep expiry=1000
  a connack 00
"#
        ));
    }
}

/// A full disk has room for a SUBSCRIBE and had none for what came with the CONNECT.
#[test]
fn a_subscription_is_granted_with_the_session_that_it_is_of() {
    let after = r#"
p connect
  p connack 00
p publish 1 t one id=1
  p puback 1 00
  s publish 1 id=1 t one
wait 60
crash
s connect keep expiry=1000
  s connack 00 present
  s publish 1 id=1 dup t one
"#;
    check(&format!(
        r#"
log refuses
s connect expiry=1000
  s connack 00
s subscribe 1 t,1
  s suback 1 01
{after}"#
    ));
    // The SUBSCRIBE is on its way when the CONNECT is refused.
    check(&format!(
        r#"
log hold
s connect expiry=1000
  s connack 00
s subscribe 1 t,1
log refuses
log commit
  s suback 1 01
{after}"#
    ));
    // So is one that came before a connection was lost.
    check(
        r#"
log refuses
s connect expiry=1000
  s connack 00
s lost
s connect keep expiry=1000
  s connack 00 present
s subscribe 1 t,1
  s suback 1 01
crash
s connect keep expiry=1000
  s connack 00 present
"#,
    );
}

#[test]
fn a_session_that_could_not_be_stored_is_stored_when_the_log_takes_records_again() {
    let of_first = |name: &&&str| crate::owner_of(name, 2).0 == 0;
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let names: Vec<_> = names.iter().filter(of_first).take(2).collect();
    let [s, z] = names[..] else { panic!("names of the first shard") };
    // The other shard gives no part of a checkpoint, so that there is none.
    check_on(
        2,
        &Config::default(),
        &format!(
            r#"
log fails
{s} connect expiry=1000
  {s} connack 00
{z} connect expiry=1000
  {z} connack 00
{z} lost
stall 1
log well
crash
run
{s} connect keep expiry=1000
  {s} connack 00 present
{z} connect keep expiry=1000
  {z} connack 00 present
"#
        ),
    );
}

/// What is stored for a session counts from its beginning, wherever the log has that.
#[test]
fn messages_before_the_beginning_of_their_session_keep_their_numbers() {
    check(
        r#"
p connect
  p connack 00
log refuses
s connect expiry=1000
  s connack 00
log hold
s subscribe 1 t,1
p publish 1 t one id=1
log refuses
log commit
  p puback 1 00
  s suback 1 97 "subscription not stored: the log is full: no room on the disk for another segment"
  s publish 1 id=1 t one
s subscribe 2 t,1
  s suback 2 01
p publish 1 t two id=2
  p puback 2 00
  s publish 1 id=2 t two
s puback 1
wait 60
crash
s connect keep expiry=1000
  s connack 00 present
  s publish 1 id=2 dup t two
"#,
    );
}

/// A number that the log knows from messages alone is not given to another session.
#[test]
fn what_was_stored_for_a_session_that_never_was_is_nobodys() {
    check(
        r#"
p connect
  p connack 00
log refuses
s connect expiry=1000
  s connack 00
log hold
s subscribe 1 t,1
p publish 1 t one id=1
log refuses
log commit
  p puback 1 00
  s suback 1 97 "subscription not stored: the log is full: no room on the disk for another segment"
  s publish 1 id=1 t one
crash
s connect keep expiry=1000
  s connack 00
s subscribe 1 t,1
  s suback 1 01
crash
s connect keep expiry=1000
  s connack 00 present
"#,
    );
}

#[test]
fn what_a_client_has_acknowledged_is_recorded_later_when_the_log_refuses_it() {
    check(
        r#"
p connect
  p connack 00
s connect expiry=1000
  s connack 00
s subscribe 1 t,2
  s suback 1 02
p publish 1 t one id=1
  p puback 1 00
  s publish 1 id=1 t one
p publish 2 t two id=2
  p pubrec 2 00
  s publish 2 id=2 t two
p publish 1 t three id=3
  p puback 3 00
  s publish 1 id=3 t three
s pubrec 2 00
  s pubrel 2 00
log refuses
s puback 1
s pubcomp 2
wait 20
wait 1100
crash
s connect keep expiry=1000
  s connack 00 present
  s publish 1 id=3 dup t three
"#,
    );
}
