//! CONNECT, CONNACK, wills, keep alive, DISCONNECT, PINGREQ.

use super::super::check;

#[test]
fn clean_session_forgets_and_else_the_session_goes_on() {
    check(
        r#"
# A new one, which is kept. [MQTT311-3.1.2-4] [MQTT311-3.2.2-3] [MQTT311-3.1.4-4] [MQTT311-3.2.0-1]
a connect v=3.1.1 keep
  a connack 00
a subscribe 1 t,1
  a suback 1 01
a disconnect
  a closed
p connect v=3.1.1
  p connack 00
# [MQTT311-3.1.2-5] [MQTT311-4.5.0-1] [MQTT311-4.1.0-1]
p publish 1 t one id=1
  p puback 1 00
wait 86400000
p publish 2 t two id=2
  p pubrec 2 00
p publish 0 t zero
other connect v=3.1.1 keep
  other connack 00
# [MQTT311-3.1.2-4] [MQTT311-3.2.2-2] [MQTT311-3.1.3-2]
a connect v=3.1.1 keep
  a connack 00 present
  a publish 1 id=1 t one
  a publish 1 id=2 t two
a puback 1
a puback 2
a lost
# Nothing is left of it after a clean session, and that one ends with its connection.
# [MQTT311-3.1.2-6] [MQTT311-3.1.4-3] [MQTT311-3.2.2-1] [MQTT311-4.1.0-2]
a connect v=3.1.1
  a connack 00
p publish 1 t three id=3
  p puback 3 00
a subscribe 1 t,1
  a suback 1 01
p publish 1 t four id=4
  a publish 1 id=1 t four
  p puback 4 00
a lost
a connect v=3.1.1 keep
  a connack 00
p publish 1 t five id=5
  p puback 5 00
"#,
    );
}

#[test]
fn retained_messages_are_nobodys_session() {
    check(
        r#"
# [MQTT311-3.1.2-7]
p connect v=3.1.1
  p connack 00
p publish 1 t kept id=1 retain
  p puback 1 00
p disconnect
  p closed
p connect v=3.1.1
  p connack 00
p subscribe 1 t,0
  p suback 1 00
  p publish 0 retain t kept
"#,
    );
}

#[test]
fn one_client_id_is_one_connection() {
    check(
        r#"
a connect v=3.1.1
  a connack 00
# The old one is closed. [MQTT311-3.1.4-2]
b connect v=3.1.1 id=a
  a closed
  b connack 00
c connect v=3.1.1 id=A
  c connack 00
b ping
  b pingresp
"#,
    );
}

#[test]
fn client_ids() {
    check(
        r#"
# [MQTT311-3.1.3-5]
a connect v=3.1.1 id=0123456789abcdefghijklm
  a connack 00
b connect v=3.1.1 id=nopqrstuvwxyzABCDEFGHIJ
  b connack 00
c connect v=3.1.1 id=KLMNOPQRSTUVWXYZ
  c connack 00
# Without one a clean session has one of its own. [MQTT311-3.1.3-6] [MQTT311-3.1.3-7]
d connect v=3.1.1 noid
  d connack 00
e connect v=3.1.1 noid
  e connack 00
d ping
  d pingresp
# [MQTT311-3.1.3-8] [MQTT311-3.2.2-4] [MQTT311-3.2.2-5]
f connect v=3.1.1 noid keep
  f connack 85
  f closed
"#,
    );
}

#[test]
fn a_will_comes_as_it_was_given_or_not_at_all() {
    check(
        r#"
w connect v=3.1.1
  w connack 00
w subscribe 1 will/#,2
  w suback 1 02
# [MQTT311-3.1.2-8] [MQTT311-3.1.2-16]
a connect v=3.1.1 will=will/a:gone:2
  a connack 00
a lost
  w publish 2 id=1 will/a gone
w pubrec 1
  w pubrel 1 00
w pubcomp 1
# [MQTT311-3.1.2-17]
a connect v=3.1.1 will=will/a:kept:1 retainwill
  a connack 00
a lost
  w publish 1 id=2 will/a kept
w puback 2
n connect v=3.1.1
  n connack 00
n subscribe 1 will/#,0
  n suback 1 00
  n publish 0 retain will/a kept
n disconnect
  n closed
# Published once, it is gone. [MQTT311-3.1.2-10] [MQTT311-3.1.2-12]
a connect v=3.1.1
  a connack 00
a lost
# DISCONNECT takes it back. [MQTT311-3.14.4-3] [MQTT311-3.1.2-10]
a connect v=3.1.1 will=will/a:never:0
  a connack 00
a disconnect
  a closed
wait 100000
# Silence does not. [MQTT311-3.1.2-24]
a connect v=3.1.1 will=will/a:silent:0 keepalive=10
  a connack 00
wait 14000
a ping
  a pingresp
wait 14999
wait 1
  a closed
  w publish 0 will/a silent
"#,
    );
}

#[test]
fn a_ping_is_answered() {
    // [MQTT311-3.12.4-1]
    check(
        r#"
a connect v=3.1.1
  a connack 00
a ping
  a pingresp
"#,
    );
}
