//! PUBLISH: RETAIN, topic names, aliases, properties.

use super::super::check;

#[test]
fn retain_keeps_the_last_message_of_a_topic() {
    check(
        r#"
s connect
  s connack 00
s subscribe 1 r/#,1
  s suback 1 01
p connect
  p connack 00
# The newest takes the place of the one before. [MQTT-3.3.1-5]
p publish 1 r/a one id=1 retain
  p puback 1 00
  s publish 1 id=1 r/a one
s puback 1
p publish 0 r/a two retain
  s publish 0 r/a two
# Without RETAIN nothing is kept, replaced or removed, not even by an empty one. [MQTT-3.3.1-8]
p publish 0 r/a three
  s publish 0 r/a three
p publish 0 r/a -
  s publish 0 r/a 
p publish 0 r/b four
  s publish 0 r/b four
n connect
  n connack 00
n subscribe 1 r/#,0
  n suback 1 00
  n publish 0 retain r/a two
n unsubscribe 2 r/#
  n unsuback 2 00
# An empty one is delivered, removes what was kept and is not kept itself. [MQTT-3.3.1-6] [MQTT-3.3.1-7]
p publish 0 r/a - retain
  s publish 0 r/a 
n subscribe 3 r/#,0
  n suback 3 00
"#,
    );
}

#[test]
fn retain_handling_says_who_gets_retained_messages() {
    check(
        r#"
p connect
  p connack 00
p publish 0 r/a kept retain
s connect
  s connack 00
# 0: always, also again. [MQTT-3.3.1-9] [MQTT-3.8.4-4]
s subscribe 1 r/a,0
  s suback 1 00
  s publish 0 retain r/a kept
s subscribe 2 r/a,0
  s suback 2 00
  s publish 0 retain r/a kept
# 1: when the subscription is new. [MQTT-3.3.1-10]
s subscribe 3 r/a,0,rh1
  s suback 3 00
s subscribe 4 r/+,0,rh1
  s suback 4 00
  s publish 0 retain r/a kept
# 2: never. [MQTT-3.3.1-11]
s unsubscribe 5 r/a r/+
  s unsuback 5 00 00
s subscribe 6 r/a,0,rh2
  s suback 6 00
s subscribe 7 r/#,0,rh2
  s suback 7 00
"#,
    );
}

#[test]
fn retain_as_published_passes_the_flag_on() {
    check(
        r#"
plain connect
  plain connack 00
plain subscribe 1 t,0
  plain suback 1 00
as connect
  as connack 00
as subscribe 1 t,0,rap
  as suback 1 00
p connect
  p connack 00
# [MQTT-3.3.1-12] [MQTT-3.3.1-13]
p publish 0 t with retain
  as publish 0 retain t with
  plain publish 0 t with
p publish 0 t without
  as publish 0 t without
  plain publish 0 t without
"#,
    );
}

#[test]
fn dup_of_the_publisher_stays_with_the_publisher() {
    check(
        r#"
s connect expiry=100
  s connack 00
s subscribe 1 t,2
  s suback 1 02
p connect
  p connack 00
# [MQTT-3.3.1-3]
p publish 1 t one id=1 dup
  p puback 1 00
  s publish 1 id=1 t one
p publish 2 t two id=2 dup
  p pubrec 2 00
  s publish 2 id=2 t two
# Only what is sent again has DUP. [MQTT-3.3.1-1]
s lost
s connect keep expiry=100
  s connack 00 present
  s publish 1 id=1 dup t one
  s publish 2 id=2 dup t two
"#,
    );
}

#[test]
fn topic_names_are_checked() {
    // [MQTT-3.3.2-1] [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT-4.7.3-2]
    check(
        r#"
a connect
  a connack 00
a raw 30 06 00 03 61 2f 23 00
  a disconnect 90 "PUBLISH: topic name has a wildcard [MQTT-3.3.2-2]"
  a closed
b connect
  b connack 00
b raw 30 06 00 03 61 2f 2b 00
  b disconnect 90 "PUBLISH: topic name has a wildcard [MQTT-3.3.2-2]"
  b closed
c connect
  c connack 00
c raw 30 04 00 01 ff 00
  c disconnect 81 "PUBLISH: string is not UTF-8 [MQTT-1.5.4-1]"
  c closed
d connect
  d connack 00
d raw 30 05 00 02 61 00 00
  d disconnect 81 "PUBLISH: string has a null character [MQTT-1.5.4-2]"
  d closed
"#,
    );
}

#[test]
fn aliases_end_with_their_connection() {
    check(
        r#"
s connect aliases=1 expiry=100
  s connack 00
s subscribe 1 topic/+,0
  s suback 1 00
p connect keep expiry=100
  p connack 00
p publish 0 topic/1 one alias=3
  s publish 0 topic/1 one alias=1
p publish 0 - two alias=3
  s publish 0 - two alias=1
# The same alias for another topic.
p publish 0 topic/2 three alias=3
  s publish 0 topic/2 three
p publish 0 - four alias=3
  s publish 0 topic/2 four
# The subscriber's side is new with its connection: the topic comes in full again. [MQTT-3.3.2-7] [MQTT-3.3.2-11]
s lost
s connect keep aliases=1 expiry=100
  s connack 00 present
p publish 0 topic/1 five
  s publish 0 topic/1 five alias=1
# And the publisher's: an alias of the old connection says nothing. [MQTT-3.3.2-7]
p lost
p connect keep expiry=100
  p connack 00 present
p publish 0 - six alias=3
  p disconnect 82 "topic alias"
  p closed
"#,
    );
}

#[test]
fn all_aliases_up_to_the_maximum_of_connack_are_taken() {
    // [MQTT-3.3.2-12]: CONNACK says 32.
    let mut transcript = "\
s connect
  s connack 00
s subscribe 1 #,0
  s suback 1 00
p connect
  p connack 00
"
    .to_owned();
    for alias in 1..=32 {
        transcript +=
            &format!("p publish 0 t/{alias} x alias={alias}\n  s publish 0 t/{alias} x\n");
    }
    for alias in (1..=32).rev() {
        transcript += &format!("p publish 0 - y alias={alias}\n  s publish 0 t/{alias} y\n");
    }
    transcript += "\
p publish 0 t/33 x alias=33
  p disconnect 94 \"topic alias\"
  p closed
";
    check(&transcript);
}

#[test]
fn properties_are_passed_on_as_they_are() {
    check(
        r#"
s connect
  s connack 00
s subscribe 1 t,0
  s suback 1 00
three connect v=3.1.1
  three connack 00
three subscribe 1 t,0
  three suback 1 00
p connect
  p connack 00
# [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]
p publish 0 t x format=1 type=text/plain reply=re/ply correlation=42 up=b:2 up=a:1 up=b:1 up=b:2
  s publish 0 t x format=1 type=text/plain reply=re/ply correlation=42 b:2 a:1 b:1 b:2
  three publish 0 t x
p publish 0 t y format=0
  s publish 0 t y format=0
  three publish 0 t y
# They stay with a retained message.
p publish 0 t z retain type=a/b up=k:v up=j:w
  s publish 0 t z type=a/b k:v j:w
  three publish 0 t z
s subscribe 2 t,0
  s suback 2 00
  s publish 0 retain t z type=a/b k:v j:w
"#,
    );
}

#[test]
fn texts_of_properties_are_checked() {
    check(
        r#"
# A Response Topic that is not UTF-8, and one with a wildcard. [MQTT-3.3.2-13] [MQTT-3.3.2-14]
a connect
  a connack 00
a raw 30 08 00 01 74 04 08 00 01 ff
  a disconnect 81 "PUBLISH: string is not UTF-8 [MQTT-1.5.4-1]"
  a closed
b connect
  b connack 00
b raw 30 08 00 01 74 04 08 00 01 23
  b disconnect 90 "PUBLISH: response topic name has a wildcard [MQTT-3.3.2-14]"
  b closed
# A Content Type that is not UTF-8. [MQTT-3.3.2-19]
c connect
  c connack 00
c raw 30 08 00 01 74 04 03 00 01 ff
  c disconnect 81 "PUBLISH: string is not UTF-8 [MQTT-1.5.4-1]"
  c closed
# A user property whose name is not, and one whose value is not. [MQTT-1.5.7-1]
d connect
  d connack 00
d raw 30 0b 00 01 74 07 26 00 01 ff 00 01 61
  d disconnect 81 "PUBLISH: string is not UTF-8 [MQTT-1.5.4-1]"
  d closed
e connect
  e connack 00
e raw 30 0b 00 01 74 07 26 00 01 61 00 01 ff
  e disconnect 81 "PUBLISH: string is not UTF-8 [MQTT-1.5.4-1]"
  e closed
"#,
    );
}

#[test]
fn expiry_counts_down_while_a_message_waits() {
    check(
        r#"
s connect expiry=1000
  s connack 00
s subscribe 1 t,1
  s suback 1 01
s lost
p connect
  p connack 00
p publish 1 t short id=1 expiry=10
  p puback 1 00
p publish 1 t long id=2 expiry=60
  p puback 2 00
p publish 1 t ever id=3
  p puback 3 00
# [MQTT-3.3.2-5] [MQTT-3.3.2-6]
wait 10000
s connect keep expiry=1000
  s connack 00 present
  s publish 1 id=2 t long expiry=50
  s publish 1 id=3 t ever
# A retained message too.
p publish 0 r kept retain expiry=30
wait 20000
s subscribe 2 r,0
  s suback 2 00
  s publish 0 retain r kept expiry=10
wait 10000
s subscribe 3 r,0
  s suback 3 00
"#,
    );
}
