//! Shared subscriptions (§4.8.2).

use super::super::{check, check_on};
use crate::config::Config;

#[test]
fn the_granted_qos_of_the_member_counts() {
    check(
        r#"
a connect
  a connack 00
a subscribe 1 $share/g/t,0
  a suback 1 00
b connect
  b connack 00
b subscribe 1 $share/h/t,1
  b suback 1 01
p connect
  p connack 00
# [MQTT-4.8.2-3]
p publish 2 t x id=1
  a publish 0 t x
  b publish 1 id=1 t x
  p pubrec 1 00
"#,
    );
}

#[test]
fn a_message_that_was_begun_at_qos_2_stays_with_its_member() {
    check_on(
        1,
        &Config::default(),
        r#"
a connect expiry=100
  a connack 00
a subscribe 1 $share/g/t,2
  a suback 1 02
b connect
  b connack 00
b subscribe 1 $share/g/t,2
  b suback 1 02
p connect
  p connack 00
p publish 2 t one id=1
  a publish 2 id=1 t one
  p pubrec 1 00
# [MQTT-4.8.2-4]: it is finished with the same client when that is back.
a lost
a connect keep expiry=100
  a connack 00 present
  a publish 2 id=1 dup t one
a pubrec 1
  a pubrel 1 00
a pubcomp 1
# A session that ends with its connection could not do that: one that can gets all at QoS 2.
p publish 2 t two id=2
  a publish 2 id=2 t two
  p pubrec 2 00
# [MQTT-4.8.2-5]: if its session ends before that, nobody else gets the message.
a disconnect
  a closed
a connect
  a connack 00
wait 1000
b ping
  b pingresp
a subscribe 1 $share/g/t,2
  a suback 1 02
a lost
c connect
  c connack 00
c subscribe 1 $share/g/t,2
  c suback 1 02
p publish 2 t three id=3
  c publish 2 id=1 t three
  p pubrec 3 00
c lost
wait 1000
b ping
  b pingresp
"#,
    );
}

#[test]
fn a_member_that_refuses_ends_the_message() {
    check_on(
        1,
        &Config::default(),
        r#"
a connect
  a connack 00
a subscribe 1 $share/g/t,2
  a suback 1 02
b connect
  b connack 00
b subscribe 1 $share/g/t,2
  b suback 1 02
p connect
  p connack 00
# [MQTT-4.8.2-6]: nobody else gets it.
p publish 1 t one id=1
  a publish 1 id=1 t one
  p puback 1 00
a puback 1 80
p publish 2 t two id=2
  b publish 2 id=1 t two
  p pubrec 2 00
b pubrec 1 97
p publish 1 t three id=3
  a publish 1 id=2 t three
  p puback 3 00
"#,
    );
}
