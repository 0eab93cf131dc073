//! The exchanges of QoS 0, 1 and 2, both ways, flow control, and what is sent again.

use super::super::check;

#[test]
fn a_publisher_is_answered_by_its_qos() {
    check(
        r#"
s connect
  s connack 00
s subscribe 1 t,2
  s suback 1 02
p connect
  p connack 00
# [MQTT-3.3.4-1]: nothing for QoS 0.
p publish 0 t zero
  s publish 0 t zero
# PUBACK with its identifier; then the same identifier is a new message, DUP or not.
# [MQTT-4.3.2-4] [MQTT-4.3.2-5] [MQTT-2.2.1-5]
p publish 1 t one id=7
  p puback 7 00
  s publish 1 id=1 t one
s puback 1
p publish 1 t two id=7 dup
  p puback 7 00
  s publish 1 id=2 t two
s puback 2
# PUBREC with its identifier, once until PUBREL; PUBCOMP with its identifier; then a new message.
# [MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12] [MQTT-2.2.1-5]
p publish 2 t three id=9
  p pubrec 9 00
  s publish 2 id=3 t three
p publish 2 t three id=9 dup
  p pubrec 9 00
p publish 2 t three id=9
  p pubrec 9 00
p pubrel 9
  p pubcomp 9 00
p publish 2 t four id=9
  p pubrec 9 00
  s publish 2 id=4 t four
"#,
    );
}

#[test]
fn a_refused_message_at_qos_2_leaves_its_identifier_free() {
    check(
        r#"
s connect
  s connack 00
s subscribe 1 t,0
  s suback 1 00
p connect
  p connack 00
# [MQTT-4.3.3-9]
p publish 2 $SYS/x no id=1
  p pubrec 1 90 "only the broker itself publishes under $SYS/"
p publish 2 t yes id=1
  p pubrec 1 00
  s publish 0 t yes
p pubrel 1
  p pubcomp 1 00
"#,
    );
}

#[test]
fn a_subscriber_is_served_by_qos() {
    check(
        r#"
s connect expiry=100
  s connack 00
s subscribe 1 t,2
  s suback 1 02
p connect
  p connack 00
# QoS 0: no identifier and no DUP. [MQTT-4.3.1-1] [MQTT-2.2.1-2]
p publish 0 t zero
  s publish 0 t zero
# QoS 1: a free identifier, no DUP; open until PUBACK. [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3]
p publish 1 t one id=1
  p puback 1 00
  s publish 1 id=1 t one
p publish 1 t two id=1
  p puback 1 00
  s publish 1 id=2 t two
s puback 1
# QoS 2: a free identifier, no DUP; open until PUBREC. [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-3]
p publish 2 t three id=2
  p pubrec 2 00
  s publish 2 id=3 t three
p publish 2 t four id=3
  p pubrec 3 00
  s publish 2 id=4 t four
# PUBREC is answered by PUBREL with its identifier. [MQTT-4.3.3-4] [MQTT-2.2.1-5]
s pubrec 4
  s pubrel 4 00
# All that is open comes again, in its order, and nothing else. [MQTT-4.4.0-1] [MQTT-4.3.3-5] [MQTT-4.3.3-6]
s lost
s connect keep expiry=100
  s connack 00 present
  s pubrel 4 00
  s publish 1 id=2 dup t two
  s publish 2 id=3 dup t three
s puback 2
s pubrec 3
  s pubrel 3 00
s pubcomp 3
s pubcomp 4
s lost
s connect keep expiry=100
  s connack 00 present
# Nothing is sent again while a connection stands. [MQTT-4.4.0-1]
p publish 1 t five id=5
  p puback 5 00
  s publish 1 id=5 t five
wait 3600000
"#,
    );
}

#[test]
fn what_was_sent_once_does_not_expire() {
    check(
        r#"
s connect expiry=1000
  s connack 00
s subscribe 1 t,2
  s suback 1 02
p connect expiry=1000
  p connack 00
# [MQTT-4.3.3-7]
p publish 2 t x id=1 expiry=5
  p pubrec 1 00
  s publish 2 id=1 t x expiry=5
s lost
wait 10000
s connect keep expiry=1000
  s connack 00 present
  s publish 2 id=1 dup t x expiry=0
s pubrec 1
  s pubrel 1 00
s pubcomp 1
# The publisher's exchange goes on though its message is too old by now. [MQTT-4.3.3-13]
p pubrel 1
  p pubcomp 1 00
"#,
    );
}

#[test]
fn an_error_acknowledges_too() {
    check(
        r#"
s connect rm=1 expiry=100
  s connack 00
s subscribe 1 t,2
  s suback 1 02
p connect
  p connack 00
p publish 1 t one id=1
  p puback 1 00
  s publish 1 id=1 t one
p publish 2 t two id=2
  p pubrec 2 00
p publish 2 t three id=3
  p pubrec 3 00
# The window is free again, and it is not sent again. [MQTT-4.4.0-2]
s puback 1 80
  s publish 2 id=2 t two
s pubrec 2 83
  s publish 2 id=3 t three
s lost
s connect keep rm=1 expiry=100
  s connack 00 present
  s publish 2 id=3 dup t three
"#,
    );
}

#[test]
fn a_full_window_holds_back_nothing_but_publishes_above_qos_0() {
    check(
        r#"
s connect rm=2
  s connack 00
s subscribe 1 t,2
  s suback 1 02
p connect
  p connack 00
p publish 1 t one id=1
  p puback 1 00
  s publish 1 id=1 t one
p publish 2 t two id=2
  p pubrec 2 00
  s publish 2 id=2 t two
# Two are open: no third. [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]
p publish 1 t three id=3
  p puback 3 00
# Everything else goes on. [MQTT-3.3.4-10] [MQTT-4.9.0-3]
p publish 0 t zero
  s publish 0 t zero
s ping
  s pingresp
s subscribe 2 other,0
  s suback 2 00
s publish 1 nobody x id=1
  s puback 1 10
# PUBREC does not give the place back, PUBCOMP does.
s pubrec 2
  s pubrel 2 00
s pubcomp 2
  s publish 1 id=3 t three
"#,
    );
}

#[test]
fn acknowledgements_without_a_message_are_borne_or_named() {
    check(
        r#"
a connect
  a connack 00
a puback 7
a pubcomp 7
a pubrec 7
  a pubrel 7 92
a pubrel 7
  a pubcomp 7 92
# [MQTT-3.6.1-1] [MQTT-4.13.1-1]
a raw 60 02 00 07
  a disconnect 81 "PUBREL: reserved flags of the fixed header are wrong [MQTT-2.1.3-1]"
  a closed
"#,
    );
}
