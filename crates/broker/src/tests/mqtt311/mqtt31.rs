//! Clients of MQTT 3.1: what differs for them, and that everything else is as in 3.1.1.

use super::super::check;

#[test]
fn a_client_of_3_1_is_served() {
    check(
        r#"
# [MQTT31-1] [MQTT31-4]
a connect v=3.1 keep id=a-client-id-of-more-than-23-characters
  a connack 00
a subscribe 1 t,2 $share/g,0
  a suback 1 02 80
# A failure is said though 3.1 has no word for it. [MQTT31-8]
p connect v=3.1
  p connack 00
p publish 2 t one id=1
  a publish 2 id=1 t one
  p pubrec 1 00
p pubrel 1
  p pubcomp 1 00
a lost
# The session goes on, and nothing is said of it. [MQTT31-2]
a connect v=3.1 keep id=a-client-id-of-more-than-23-characters
  a connack 00
  a publish 2 id=1 dup t one
a pubrec 1
  a pubrel 1 00
a pubcomp 1
# [MQTT31-3]
n connect v=3.1 noid
  n connack 85
  n closed
# DUP on SUBSCRIBE and at QoS 0. [MQTT31-6] [MQTT31-7]
a raw 8a 06 00 02 00 01 75 00
  a suback 2 00
p raw 38 04 00 01 75 78
  a publish 0 u x
# [MQTT31-9]: status is the broker's own to say, and bridges say theirs out of habit.
p publish 1 $SYS/x no id=2
  p puback 2 00
p publish 1 $share/x no id=3
  p closed
"#,
    );
}
