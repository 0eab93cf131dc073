//! SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK.

use super::super::check;

#[test]
fn suback_answers_for_each_filter_in_order() {
    check(
        r#"
a connect v=3.1.1
  a connack 00
# [MQTT311-3.8.4-1] [MQTT311-3.8.4-2] [MQTT311-2.3.1-7] [MQTT311-3.8.4-5] [MQTT311-3.9.3-1] [MQTT311-3.9.3-2]
a subscribe 258 t/a,2 $share/g,0 t/b,0 t/c,1
  a suback 258 02 80 00 01
# As if asked for one by one; a message comes at the lower QoS. [MQTT311-3.8.4-4] [MQTT311-3.8.4-6]
p connect v=3.1.1
  p connack 00
p publish 2 t/a x id=1
  a publish 2 id=1 t/a x
  p pubrec 1 00
p publish 2 t/b x id=2
  a publish 0 t/b x
  p pubrec 2 00
p publish 2 t/c x id=3
  a publish 1 id=2 t/c x
  p pubrec 3 00
p publish 1 t/a x id=4
  a publish 1 id=3 t/a x
  p puback 4 00
"#,
    );
}

#[test]
fn the_same_filter_again_replaces_the_subscription() {
    check(
        r#"
s connect v=3.1.1
  s connack 00
s subscribe 1 t,1
  s suback 1 01
p connect v=3.1.1
  p connack 00
p publish 1 t one id=1 retain
  p puback 1 00
  s publish 1 id=1 t one
# [MQTT311-3.8.4-3]: retained messages come again, and there is one subscription, at its new QoS.
s subscribe 2 t,0
  s suback 2 00
  s publish 0 retain t one
s puback 1
p publish 1 t two id=2
  p puback 2 00
  s publish 0 t two
"#,
    );
}

#[test]
fn unsubscribe_takes_away_what_is_equal_and_answers_always() {
    check(
        r#"
s connect v=3.1.1 keep
  s connack 00
s subscribe 1 t/+,1 t/a,1 t/A,0 u,2
  s suback 1 01 01 00 02
p connect v=3.1.1
  p connack 00
p publish 2 u one id=1
  p pubrec 1 00
  s publish 2 id=1 u one
# [MQTT311-3.10.4-1] [MQTT311-3.10.4-4] [MQTT311-3.10.4-6] [MQTT311-2.3.1-7]
s unsubscribe 513 t/# t/+ u t/a
  s unsuback 513
# [MQTT311-3.10.4-5]
s unsubscribe 514 nothing
  s unsuback 514
# [MQTT311-3.10.4-2]
p publish 1 u two id=2
  p puback 2 00
p publish 1 t/a x id=3
  p puback 3 00
p publish 0 t/A y
  s publish 0 t/A y
# [MQTT311-3.10.4-3]
s lost
s connect v=3.1.1 keep
  s connack 00 present
  s publish 2 id=1 dup u one
s pubrec 1
  s pubrel 1 00
s pubcomp 1
"#,
    );
}
