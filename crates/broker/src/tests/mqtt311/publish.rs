//! PUBLISH: RETAIN, matching, overlapping subscriptions, what is not allowed.

use super::super::check;

#[test]
fn retain_keeps_the_last_message_of_a_topic() {
    check(
        r#"
s connect v=3.1.1
  s connack 00
s subscribe 1 r/#,1
  s suback 1 01
p connect v=3.1.1
  p connack 00
# Kept with its QoS. Who is subscribed already gets it with RETAIN 0. [MQTT311-3.3.1-5] [MQTT311-3.3.1-9]
p publish 1 r/a one id=1 retain
  p puback 1 00
  s publish 1 id=1 r/a one
s puback 1
n connect v=3.1.1
  n connack 00
# A new subscription gets the last of each topic, with RETAIN 1. [MQTT311-3.3.1-6] [MQTT311-3.3.1-8]
n subscribe 1 r/+,2
  n suback 1 02
  n publish 1 id=1 retain r/a one
n puback 1
n unsubscribe 2 r/+
  n unsuback 2
# QoS 0 takes its place. [MQTT311-3.3.1-7]
p publish 0 r/a two retain
  s publish 0 r/a two
# Without RETAIN nothing is kept, replaced or removed. [MQTT311-3.3.1-12]
p publish 0 r/a three
  s publish 0 r/a three
p publish 0 r/a -
  s publish 0 r/a 
p publish 0 r/b four
  s publish 0 r/b four
n subscribe 3 r/+,0
  n suback 3 00
  n publish 0 retain r/a two
n unsubscribe 4 r/+
  n unsuback 4
# An empty one is delivered, removes and is not kept. [MQTT311-3.3.1-10] [MQTT311-3.3.1-11]
p publish 0 r/a - retain
  s publish 0 r/a 
n subscribe 5 r/+,0
  n suback 5 00
"#,
    );
}

#[test]
fn what_arrives_matches_its_filter() {
    check(
        r#"
a connect v=3.1.1
  a connack 00
a subscribe 1 sport/+/player,0 Exact,0 deep/#,0
  a suback 1 00 00 00
b connect v=3.1.1
  b connack 00
b subscribe 1 #,0 +/x,0
  b suback 1 00 00
p connect v=3.1.1
  p connack 00
# [MQTT311-3.3.2-3] [MQTT311-4.7.3-4]
p publish 0 sport/tennis/player yes
  a publish 0 sport/tennis/player yes
  b publish 0 sport/tennis/player yes
p publish 0 sport/tennis/player/one no
  b publish 0 sport/tennis/player/one no
p publish 0 exact no
  b publish 0 exact no
p publish 0 deep yes
  a publish 0 deep yes
  b publish 0 deep yes
# [MQTT311-4.7.2-1]
p publish 0 $mine/x no
"#,
    );
}

#[test]
fn overlapping_subscriptions_count_as_their_best() {
    check(
        r#"
a connect v=3.1.1
  a connack 00
a subscribe 1 a/#,0 a/+,2 a/b,1
  a suback 1 00 02 01
p connect v=3.1.1
  p connack 00
# [MQTT311-3.3.5-1]
p publish 2 a/b x id=1
  a publish 2 id=1 a/b x
  p pubrec 1 00
"#,
    );
}

#[test]
fn a_publish_that_is_not_allowed_ends_the_connection() {
    check(
        r#"
s connect v=3.1.1
  s connack 00
s subscribe 1 #,0
  s suback 1 00
# There is no word for it, and an acknowledgement would be a lie; but for status, which bridges say out of habit and
# nobody misses. [MQTT311-3.3.5-2]
a connect v=3.1.1
  a connack 00
a publish 1 $share/x one id=1
  a closed
b connect v=3.1.1
  b connack 00
b publish 1 $SYS/x two id=1
  b puback 1 00
"#,
    );
}

#[test]
fn a_passing_error_is_waited_out_and_then_ends_the_connection() {
    check(
        r#"
s connect v=3.1.1 keep
  s connack 00
s subscribe 1 t,1
  s suback 1 01
# [MQTT311-4.8.0-2]: no false acknowledgement; closed when `publisher_hold` is over.
a connect v=3.1.1
  a connack 00
log fails
a publish 1 t one id=1
wait 29999
wait 1
  a closed
"#,
    );
}
