//! Who gets a message: matching, overlapping subscriptions, order.

use super::super::check;

#[test]
fn what_arrives_matches_its_filter() {
    check(
        r#"
a connect
  a connack 00
a subscribe 1 sport/tennis/+,0 /finance,0 exact/Topic,0 deep/#,0
  a suback 1 00 00 00 00
p connect
  p connack 00
# [MQTT-3.3.2-3]
p publish 0 sport/tennis/player1 yes
  a publish 0 sport/tennis/player1 yes
p publish 0 sport/tennis no
p publish 0 sport/tennis/player1/ranking no
p publish 0 sport/tennis/ yes
  a publish 0 sport/tennis/ yes
p publish 0 finance no
p publish 0 /finance yes
  a publish 0 /finance yes
p publish 0 deep yes
  a publish 0 deep yes
p publish 0 deep/a/b/c yes
  a publish 0 deep/a/b/c yes
# Names are compared as they are: by case, and é is not e with an accent. [MQTT-4.7.3-4]
p publish 0 exact/topic no
p publish 0 exact/Topic yes
  a publish 0 exact/Topic yes
p publish 0 exact/Topic/ no
a subscribe 2 caf\u{e9},0
  a suback 2 00
p publish 0 cafe no
"#,
    );
}

#[test]
fn wildcards_at_the_front_leave_dollar_topics_alone() {
    check(
        r#"
a connect
  a connack 00
a subscribe 1 #,0 +/x,0 $mine/#,1
  a suback 1 00 00 01
p connect
  p connack 00
# [MQTT-4.7.2-1]
p publish 0 $mine/x one
  a publish 0 $mine/x one
p publish 0 $other/x two
p publish 0 mine/$x three
  a publish 0 mine/$x three
"#,
    );
}

#[test]
fn overlapping_subscriptions_count_as_their_best() {
    check(
        r#"
a connect
  a connack 00
a subscribe 1 a/#,0 sid=1
  a suback 1 00
a subscribe 2 a/+,2 sid=2
  a suback 2 02
a subscribe 3 a/b,1
  a suback 3 01
p connect
  p connack 00
# The highest QoS, and the identifiers of those that have one. [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4]
p publish 2 a/b x id=1
  a publish 2 id=1 a/b x sid=1 sid=2
  p pubrec 1 00
p publish 1 a/b y id=2
  a publish 1 id=2 a/b y sid=1 sid=2
  p puback 2 00
p publish 0 a z
  a publish 0 a z sid=1
"#,
    );
}

#[test]
fn messages_of_a_topic_stay_in_order() {
    check(
        r#"
a connect rm=2 expiry=100
  a connack 00
a subscribe 1 t/+,1
  a suback 1 01
p connect
  p connack 00
# [MQTT-4.6.0-5] [MQTT-4.6.0-6]: through a window of two, a queue behind it, and a reconnection.
p publish 1 t/a 1 id=1
  a publish 1 id=1 t/a 1
  p puback 1 00
p publish 1 t/b 2 id=2
  a publish 1 id=2 t/b 2
  p puback 2 00
p publish 1 t/a 3 id=3
  p puback 3 00
p publish 1 t/b 4 id=4
  p puback 4 00
p publish 1 t/a 5 id=5
  p puback 5 00
a puback 2
  a publish 1 id=3 t/a 3
a lost
a connect keep rm=2 expiry=100
  a connack 00 present
  a publish 1 id=1 dup t/a 1
  a publish 1 id=3 dup t/a 3
a puback 1
  a publish 1 id=4 t/b 4
a puback 3
  a publish 1 id=5 t/a 5
"#,
    );
}

#[test]
fn a_message_goes_to_every_session_that_asked() {
    check(
        r#"
on connect
  on connack 00
on subscribe 1 t,1
  on suback 1 01
off connect expiry=100
  off connack 00
off subscribe 1 +,1
  off suback 1 01
off disconnect
  off closed
p connect
  p connack 00
# [MQTT-4.5.0-1]
p publish 1 t x id=1
  on publish 1 id=1 t x
  p puback 1 00
off connect keep expiry=100
  off connack 00 present
  off publish 1 id=1 t x
"#,
    );
}
