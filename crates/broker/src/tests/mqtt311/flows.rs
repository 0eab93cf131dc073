//! The exchanges of QoS 0, 1 and 2, both ways, their order, and what is sent again.

use super::super::check;

#[test]
fn a_publisher_is_answered_by_its_qos() {
    check(
        r#"
s connect v=3.1.1
  s connack 00
s subscribe 1 t,2
  s suback 1 02
p connect v=3.1.1
  p connack 00
# [MQTT311-3.3.4-1]
p publish 0 t zero
  s publish 0 t zero
# [MQTT311-4.3.2-2] [MQTT311-2.3.1-6]; the publisher's DUP stays with it. [MQTT311-3.3.1-3]
p publish 1 t one id=7
  p puback 7 00
  s publish 1 id=1 t one
s puback 1
p publish 1 t two id=7 dup
  p puback 7 00
  s publish 1 id=2 t two
# [MQTT311-4.3.3-2] [MQTT311-2.3.1-6]
p publish 2 t three id=9
  p pubrec 9 00
  s publish 2 id=3 t three
p publish 2 t three id=9 dup
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
fn a_subscriber_is_served_by_qos() {
    check(
        r#"
s connect v=3.1.1 keep
  s connack 00
s subscribe 1 t,2
  s suback 1 02
p connect v=3.1.1
  p connack 00
# [MQTT311-4.3.1-1]
p publish 0 t zero
  s publish 0 t zero
# Free identifiers, no DUP. [MQTT311-4.3.2-1] [MQTT311-4.3.3-1] [MQTT311-2.3.1-4] [MQTT311-2.3.1-1]
p publish 1 t one id=1
  p puback 1 00
  s publish 1 id=1 t one
p publish 2 t two id=2
  p pubrec 2 00
  s publish 2 id=2 t two
p publish 2 t three id=3
  p pubrec 3 00
  s publish 2 id=3 t three
p publish 2 t four id=4
  p pubrec 4 00
  s publish 2 id=4 t four
# PUBRELs in the order of the PUBRECs, not of the messages. [MQTT311-4.6.0-4] [MQTT311-2.3.1-6]
s pubrec 4
  s pubrel 4 00
s pubrec 2
  s pubrel 2 00
# What is open comes again with its identifiers, PUBLISH with DUP, in the order of the messages.
# [MQTT311-4.4.0-1] [MQTT311-4.6.0-1] [MQTT311-3.3.1-1] [MQTT311-4.3.3-1]
s lost
s connect v=3.1.1 keep
  s connack 00 present
  s pubrel 4 00
  s pubrel 2 00
  s publish 1 id=1 dup t one
  s publish 2 id=3 dup t three
s puback 1
s pubcomp 2
s pubcomp 4
s pubrec 3
  s pubrel 3 00
s pubcomp 3
s lost
s connect v=3.1.1 keep
  s connack 00 present
"#,
    );
}

#[test]
fn messages_of_a_topic_stay_in_order() {
    check(
        r#"
a connect v=3.1.1 keep
  a connack 00
a subscribe 1 t/+,1
  a suback 1 01
p connect v=3.1.1
  p connack 00
# [MQTT311-4.6.0-5] [MQTT311-4.6.0-6] [MQTT311-4.6.0-1]
p publish 1 t/a 1 id=1
  a publish 1 id=1 t/a 1
  p puback 1 00
p publish 1 t/b 2 id=2
  a publish 1 id=2 t/b 2
  p puback 2 00
a lost
p publish 1 t/a 3 id=3
  p puback 3 00
p publish 1 t/b 4 id=4
  p puback 4 00
a connect v=3.1.1 keep
  a connack 00 present
  a publish 1 id=1 dup t/a 1
  a publish 1 id=2 dup t/b 2
  a publish 1 id=3 t/a 3
  a publish 1 id=4 t/b 4
"#,
    );
}
