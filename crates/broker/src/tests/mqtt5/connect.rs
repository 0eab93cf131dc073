//! CONNECT, CONNACK, DISCONNECT, PINGREQ, AUTH.

use mqtt_session::ServerLimits;
use mqtt_types::QoS;

use super::super::{check, check_with};
use crate::config::{Config, ServerReference};

#[test]
fn clean_start_begins_anew_and_else_the_session_goes_on() {
    check(
        r#"
# There is no session yet: a new one, and Session Present says so.
# [MQTT-3.1.2-6] [MQTT-3.2.2-3] [MQTT-3.1.4-5] [MQTT-3.2.0-1]
a connect keep expiry=100
  a connack 00
a subscribe 1 t,1
  a suback 1 01
a disconnect
  a closed
p connect
  p connack 00
# It outlives the connection and goes on. [MQTT-3.1.2-23] [MQTT-3.1.2-5] [MQTT-3.2.2-3] [MQTT-3.1.3-2] [MQTT-4.5.0-1]
p publish 1 t one id=1
  p puback 1 00
other connect keep expiry=100
  other connack 00
a connect keep expiry=100
  a connack 00 present
  a publish 1 id=1 t one
a puback 1
# Clean start: neither subscriptions nor messages are left. [MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2]
a disconnect
  a closed
p publish 1 t two id=2
  p puback 2 00
a connect expiry=100
  a connack 00
p publish 1 t three id=3
  p puback 3 10
"#,
    );
}

#[test]
fn a_session_ends_when_its_expiry_has_passed_and_not_before() {
    check(
        r#"
# While the connection is open it does not count. [MQTT-4.1.0-1]
a connect expiry=10
  a connack 00
a subscribe 1 t,1
  a suback 1 01
wait 60000
p connect
  p connack 00
p publish 1 t one id=1
  a publish 1 id=1 t one
  p puback 1 00
a puback 1
a lost
wait 9999
a connect keep expiry=10
  a connack 00 present
a lost
# [MQTT-4.1.0-2]
wait 10000
p publish 1 t two id=2
  p puback 2 10
a connect keep
  a connack 00
# With an expiry of 0 it goes with the connection, whatever the client said at the start.
a subscribe 1 t,1
  a suback 1 01
a lost
p publish 1 t three id=3
  p puback 3 10
"#,
    );
}

#[test]
fn one_client_id_is_one_connection() {
    check(
        r#"
a connect expiry=100
  a connack 00
# The old one hears why, then nothing more. [MQTT-3.1.4-3] [MQTT-3.14.4-1] [MQTT-3.14.4-2]
b connect id=a keep expiry=100
  a disconnect 8e
  a closed
  b connack 00 present
# Upper and lower case are other clients. [MQTT-3.1.3-2]
c connect id=A keep expiry=100
  c connack 00
b ping
  b pingresp
"#,
    );
}

#[test]
fn client_ids_of_letters_and_digits_are_taken() {
    // [MQTT-3.1.3-5]
    check(
        r#"
a connect id=0
  a connack 00
b connect id=0123456789abcdefghijklm
  b connack 00
c connect id=nopqrstuvwxyzABCDEFGHIJ
  c connack 00
d connect id=KLMNOPQRSTUVWXYZ
  d connack 00
"#,
    );
}

#[test]
fn who_has_no_client_id_gets_one() {
    check(
        r#"
# [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]: two of them do not take each other over.
a connect noid
  a connack 00 assigned
b connect noid
  b connack 00 assigned
a subscribe 1 t,0
  a suback 1 00
b subscribe 1 t,0
  b suback 1 00
a publish 0 t x
  a publish 0 t x
  b publish 0 t x
"#,
    );
}

#[test]
fn a_second_connect_ends_the_connection() {
    check(
        r#"
w connect
  w connack 00
w subscribe 1 will,0
  w suback 1 00
a connect will=will:gone:0
  a connack 00
# There is no second CONNACK, and what follows is not looked at. [MQTT-3.1.0-2] [MQTT-3.2.0-2] [MQTT-4.13.1-1]
# [MQTT-4.13.2-1]
a raw 10 0d 00 04 4d 51 54 54 05 02 00 00 00 00 00
  a disconnect 82
  a closed
  w publish 0 will gone
"#,
    );
}

#[test]
fn a_refusal_has_a_code_and_is_the_end() {
    check(
        r#"
s connect
  s connack 00
s subscribe 1 #,0
  s suback 1 00
# A will on a topic that is not for clients: refused by a check beyond the form of the packet. There is no DISCONNECT and
# no will. [MQTT-3.1.4-2] [MQTT-3.2.2-7] [MQTT-3.14.0-1] [MQTT-4.13.2-1]
a connect will=$SYS/x:gone:0
  a connack 90
  a closed
# An authentication method that is not served. [MQTT-4.12.0-1] [MQTT-4.12.0-4]
b connect auth=SCRAM will=will:gone:0
  b connack 8c
  b closed
"#,
    );
}

#[test]
fn auth_has_no_place_without_a_method() {
    check(
        r#"
# CONNACK names no method, and no AUTH comes. [MQTT-4.12.0-6]
a connect user=u password=p
  a connack 00
# A client that begins one all the same is sent away. [MQTT-4.12.1-2] [MQTT-4.12.0-7]
a raw f0 06 19 04 15 00 01 6d
  a disconnect 82
  a closed
"#,
    );
}

#[test]
fn keep_alive_is_the_clients_unless_the_server_says_otherwise() {
    check(
        r#"
# [MQTT-3.2.2-22] [MQTT-3.1.2-22]
a connect keepalive=10
  a connack 00
wait 14999
a ping
  a pingresp
wait 14999
wait 1
  a disconnect 8d
  a closed
# 0 means for ever.
b connect
  b connack 00
wait 90000000
b ping
  b pingresp
"#,
    );
    let mut config = Config::default();
    config.limits.keep_alive_max = Some(4);
    check_with(
        &config,
        r#"
# What CONNACK says holds. [MQTT-3.1.2-21] [MQTT-3.2.2-21]
a connect keepalive=10
  a connack 00 keepalive=4
wait 5999
a ping
  a pingresp
wait 6000
  a disconnect 8d
  a closed
"#,
    );
}

#[test]
fn any_packet_shows_that_the_client_is_there() {
    check(
        r#"
a connect keepalive=10
  a connack 00
wait 14000
a publish 0 t x
wait 14000
a subscribe 1 t,0
  a suback 1 00
wait 14000
# [MQTT-3.12.4-1]
a ping
  a pingresp
wait 15000
  a disconnect 8d
  a closed
"#,
    );
}

#[test]
fn a_will_comes_as_it_was_given() {
    check(
        r#"
w connect
  w connack 00
w subscribe 1 will/#,2,rap
  w suback 1 02
# With its QoS, user properties in their order, and RETAIN as the client said.
# [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-14] [MQTT-3.1.3-10]
a connect will=will/a:gone:2 wup=b:2 wup=a:1 wup=b:1
  a connack 00
a lost
  w publish 2 id=1 will/a gone b:2 a:1 b:1
w pubrec 1
  w pubrel 1 00
w pubcomp 1
# [MQTT-3.1.2-15]
a connect will=will/a:kept:1 retainwill
  a connack 00
a lost
  w publish 1 id=2 retain will/a kept
w puback 2
n connect
  n connack 00
n subscribe 1 will/#,0
  n suback 1 00
  n publish 0 retain will/a kept
n unsubscribe 2 will/#
  n unsuback 2 00
# It was published, so it is gone: the next end of the session has none. [MQTT-3.1.2-10]
a connect
  a connack 00
a lost
# DISCONNECT 0x00 takes it back, and it does not come later either. [MQTT-3.14.4-3] [MQTT-3.1.2-10]
a connect will=will/a:never:0 delay=1 expiry=2
  a connack 00
a disconnect
  a closed
wait 10000
# Another code does not.
a connect will=will/a:with:0
  a connack 00
a disconnect 04
  a closed
  w publish 0 will/a with
"#,
    );
}

#[test]
fn a_delayed_will_is_stopped_by_a_return() {
    check(
        r#"
w connect
  w connack 00
w subscribe 1 will/#,0
  w suback 1 00
a connect will=will/a:late:0 delay=5 expiry=60
  a connack 00
a lost
wait 4999
# Back in time: it is not sent. [MQTT-3.1.3-9]
a connect keep expiry=60
  a connack 00 present
wait 60000
a lost
wait 60000
# The session ends before the delay does: it is sent then. [MQTT-3.1.2-8]
b connect will=will/b:late:0 delay=60 expiry=5
  b connack 00
b lost
wait 4999
wait 1
  w publish 0 will/b late
# And when a clean start ends the session.
b connect will=will/b:again:0 delay=60 expiry=100
  b connack 00
b lost
b connect
  b connack 00
  w publish 0 will/b again
"#,
    );
}

#[test]
fn disconnect_with_reserved_flags_or_a_foreign_code_is_answered() {
    check(
        r#"
# [MQTT-3.14.1-1]
a connect
  a connack 00
a raw e1 00
  a disconnect 81 "DISCONNECT: reserved flags of the fixed header are wrong [MQTT-2.1.3-1]"
  a closed
# [MQTT-3.14.2-1]
b connect
  b connack 00
b raw e0 01 01
  b disconnect 82 "DISCONNECT: reason code granted QoS 1 (0x01) is not one of this packet (§2.4)"
  b closed
"#,
    );
}

#[test]
fn a_qos_that_is_not_served_is_said_and_held_to() {
    let limits = ServerLimits { maximum_qos: QoS::AtLeastOnce, ..ServerLimits::default() };
    check_with(
        &Config { limits, ..Config::default() },
        r#"
# [MQTT-3.2.2-9]
s connect
  s connack 00 maxqos=1
# Subscriptions at any QoS are taken, to queues too, and granted what there is. [MQTT-3.2.2-10] [MQTT-3.8.4-7]
s subscribe 1 t,2 $q/jobs,2 u,0
  s suback 1 01 01 00
p connect
  p connack 00 maxqos=1
p publish 1 jobs x id=1
  p puback 1 00
  s publish 1 id=1 jobs x
s puback 1
p publish 2 t y id=2
  p disconnect 9b
  p closed
# [MQTT-3.2.2-12]
w connect will=gone:x:2
  w connack 9b
  w closed
# 3.x cannot be told; it is served what there is and no more.
o connect v=3.1.1
  o connack 00
o subscribe 1 t,2
  o suback 1 01
o publish 2 t z id=1
  o closed
o connect v=3.1.1 will=gone:x:2
  o closed
ends
  0
"#,
    );
}

#[test]
fn where_nothing_is_retained_that_is_said_and_held_to() {
    let limits = ServerLimits { retain_available: false, ..ServerLimits::default() };
    check_with(
        &Config { limits, ..Config::default() },
        r#"
p connect
  p connack 00 noretain
p publish 1 t x id=1
  p puback 1 10
p publish 1 t x id=2 retain
  p disconnect 9a
  p closed
# [MQTT-3.2.2-13]
w connect will=gone:x:1 retainwill
  w connack 9a
  w closed
o connect v=3.1.1
  o connack 00
o publish 0 t x retain
  o closed
"#,
    );
}

#[test]
fn who_asks_is_told_where_to_be_answered() {
    let information = Some("reply/${client_id}".into());
    let limits = ServerLimits { response_information: information, ..ServerLimits::default() };
    check_with(
        &Config { limits, ..Config::default() },
        r#"
# [MQTT-3.1.2-28]
a connect
  a connack 00
b connect response
  b connack 00 response=reply/b
b subscribe 1 reply/b/#,1
  b suback 1 01
a publish 0 reply/b/1 done
  b publish 0 reply/b/1 done
# A client id that makes no topic.
c connect response id=c/#
  c connack 00
"#,
    );
}

#[test]
fn who_is_sent_away_at_the_end_hears_where_to_go() {
    let elsewhere = |is_permanent| Config {
        server_reference: Some(ServerReference { text: "b.example:1883".into(), is_permanent }),
        ..Config::default()
    };
    for (config, goodbye, refusal) in [
        (Config::default(), "8b", "88"),
        (elsewhere(false), "9c reference=b.example:1883", "9c reference=b.example:1883"),
        (elsewhere(true), "9d reference=b.example:1883", "9d reference=b.example:1883"),
    ] {
        let transcript = r#"
a connect will=gone:x:1
  a connack 00
o connect v=3.1.1
  o connack 00
# A reference that the client cannot take is no reason not to let it go. [MQTT-3.1.2-24]
s connect mps=20
  s connack 00
drain
  a disconnect <goodbye>
  a closed
  o closed
<small>
  s closed
n connect
  n connack <refusal>
  n closed
v connect v=3.1.1
  v connack 88
  v closed
"#;
        let small = if goodbye == "8b" { "  s disconnect 8b" } else { "  s disconnect 9c" };
        let small = if goodbye.starts_with("9d") { "  s disconnect 9d" } else { small };
        let transcript = transcript
            .replace("<goodbye>", goodbye)
            .replace("<refusal>", refusal)
            .replace("<small>", small);
        check_with(&config, &transcript);
    }
}
