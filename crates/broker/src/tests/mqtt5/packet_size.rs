//! What Maximum Packet Size and Request Problem Information leave out.

use super::super::check;

#[test]
fn a_message_that_is_too_large_counts_as_sent() {
    check(
        r#"
s connect mps=60 rm=1 expiry=100
  s connack 00
s subscribe 1 t,1
  s suback 1 01
p connect
  p connack 00
# [MQTT-3.1.2-24] [MQTT-3.1.2-25]: it takes no place in the window, and is not kept.
p publish 1 t - size=100 id=1
  p puback 1 00
p publish 1 t small id=2
  p puback 2 00
  s publish 1 id=2 t small
s puback 2
s lost
s connect keep expiry=100
  s connack 00 present
"#,
    );
}

#[test]
fn words_are_left_out_where_they_do_not_fit() {
    check(
        r#"
# With room, a refusal says why.
a connect mps=200
  a connack 00
log fails
a publish 1 $SYS/x x id=1
  a puback 1 90 "only the broker itself publishes under $SYS/"
a subscribe 1 $queue/none,1
  a suback 1 83 "there is no queue 'none'; subscribe to $queue/none/<filter> to create it"
a publish 1 r x id=2 retain
  a puback 2 83 "message not stored: the broker's log has failed, see its messages"
a publish 2 r x id=3 retain
  a pubrec 3 83 "message not stored: the broker's log has failed, see its messages"
# [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.9.2-1] [MQTT-3.1.2-24]
b connect mps=22
  b connack 00
b publish 1 r x id=2 retain
  b puback 2 83
b publish 2 r x id=3 retain
  b pubrec 3 83
b subscribe 1 $queue/none,1
  b suback 1 83
# [MQTT-3.14.2-3]
b raw c1 00
  b disconnect 81
  b closed
"#,
    );
}

#[test]
fn who_wants_no_problem_information_gets_none_but_at_the_end() {
    check(
        r#"
a connect noproblems
  a connack 00
log fails
# [MQTT-3.1.2-29]
a publish 1 r x id=2 retain
  a puback 2 83
a publish 2 r x id=3 retain
  a pubrec 3 83
a subscribe 1 $queue/none,1
  a suback 1 83
# PUBLISH keeps the user properties that the publisher gave, and DISCONNECT may have words.
a subscribe 2 t,0
  a suback 2 00
a publish 0 t x up=a:b
  a publish 0 t x a:b
"#,
    );
}
