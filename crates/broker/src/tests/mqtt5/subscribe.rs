//! SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK.

use super::super::check;

#[test]
fn suback_answers_for_each_filter_in_order() {
    check(
        r#"
a connect
  a connack 00
# [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-2.2.1-6] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1]
a subscribe 258 t/a,2 $share/g,0 t/b,0 t/c,1
  a suback 258 02 8f 00 01 "'$share/g': share name is empty or has a wildcard; write $share/<group>/<filter>"
# They are subscriptions like any, as if asked for one by one. [MQTT-3.8.4-5]
p connect
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
# The same filter twice in one packet: the second replaces the first. [MQTT-3.8.4-5] [MQTT-3.8.4-3]
a subscribe 2 u,2 u,0
  a suback 2 02 00
p publish 1 u x id=4
  a publish 0 u x
  p puback 4 00
"#,
    );
}

#[test]
fn the_lower_qos_counts() {
    let mut transcript = "\
s connect
  s connack 00
p connect
  p connack 00
"
    .to_owned();
    // [MQTT-3.8.4-8]
    let mut id = 0;
    for granted in 0..=2 {
        transcript += &format!(
            "s subscribe 1 t,{granted}\n  s suback 1 0{granted}\np publish 0 t x\n  s publish 0 t x\n"
        );
        for (qos, ack) in [(1, "puback"), (2, "pubrec")] {
            transcript += &format!("p publish {qos} t x id={}\n  p {ack} {} 00\n", id + 1, id + 1);
            transcript += &match granted.min(qos) {
                0 => "  s publish 0 t x\n".to_owned(),
                1 => {
                    id += 1;
                    format!("  s publish 1 id={id} t x\ns puback {id}\n")
                }
                _ => {
                    id += 1;
                    format!(
                        "  s publish 2 id={id} t x\ns pubrec {id}\n  s pubrel {id} 00\ns pubcomp {id}\n"
                    )
                }
            };
            if qos == 2 {
                let used = if granted == 0 { id + 1 } else { id };
                transcript += &format!("p pubrel {used}\n  p pubcomp {used} 00\n");
            }
        }
    }
    check(&transcript);
}

#[test]
fn the_same_filter_again_replaces_the_subscription_and_loses_nothing() {
    check(
        r#"
s connect rm=1
  s connack 00
s subscribe 1 t,1 sid=1
  s suback 1 01
p connect
  p connack 00
p publish 1 t one id=1 retain
  p puback 1 00
  s publish 1 id=1 t one sid=1
p publish 1 t two id=2
  p puback 2 00
# The retained message comes again, what waits is not lost, and there is one subscription. [MQTT-3.8.4-3] [MQTT-3.8.4-4]
s subscribe 2 t,1 sid=2
  s suback 2 01
s puback 1
  s publish 1 id=2 t two sid=1
s puback 2
  s publish 1 id=3 retain t one sid=2
s puback 3
p publish 1 t three id=3
  p puback 3 00
  s publish 1 id=4 t three sid=2
"#,
    );
}

#[test]
fn no_local_keeps_ones_own_messages_away() {
    check(
        r#"
# [MQTT-3.8.3-3]: also by the connection that comes later with the same client id.
a connect keep expiry=100
  a connack 00
a subscribe 1 t,1,nl
  a suback 1 01
a publish 1 t mine id=1
  a puback 1 00
a lost
a connect keep expiry=100
  a connack 00 present
a publish 0 t mine
b connect
  b connack 00
b publish 0 t yours
  a publish 0 t yours
# On a shared subscription it breaks the protocol. [MQTT-3.8.3-4]
b subscribe 1 $share/g/t,1,nl
  b disconnect 82 "SUBSCRIBE: no local is set on a shared subscription [MQTT-3.8.3-4]"
  b closed
"#,
    );
}

#[test]
fn malformed_requests_end_the_connection() {
    check(
        r#"
a connect
  a connack 00
# No filter. [MQTT-3.8.3-2]
a raw 82 03 00 01 00
  a disconnect 82 "SUBSCRIBE: payload has no topic filter [MQTT-3.8.3-2] [MQTT-3.10.3-2]"
  a closed
b connect
  b connack 00
# Reserved bits. [MQTT-3.8.3-5]
b raw 82 07 00 01 00 00 01 74 40
  b disconnect 81 "SUBSCRIBE: reserved bits of the subscription options are set [MQTT-3.8.3-5]"
  b closed
c connect
  c connack 00
# [MQTT-3.10.3-2]
c raw a2 03 00 01 00
  c disconnect 82 "UNSUBSCRIBE: payload has no topic filter [MQTT-3.8.3-2] [MQTT-3.10.3-2]"
  c closed
d connect
  d connack 00
# Not UTF-8. [MQTT-3.8.3-1]
d raw 82 07 00 01 00 00 01 ff 00
  d disconnect 81 "SUBSCRIBE: string is not UTF-8 [MQTT-1.5.4-1]"
  d closed
e connect
  e connack 00
# [MQTT-3.10.3-1]
e raw a2 06 00 01 00 00 01 ff
  e disconnect 81 "UNSUBSCRIBE: string is not UTF-8 [MQTT-1.5.4-1]"
  e closed
f connect
  f connack 00
# [MQTT-3.8.1-1]
f raw 80 07 00 01 00 00 01 74 00
  f disconnect 81 "SUBSCRIBE: reserved flags of the fixed header are wrong [MQTT-2.1.3-1]"
  f closed
g connect
  g connack 00
# [MQTT-3.10.1-1]
g raw a0 06 00 01 00 00 01 74
  g disconnect 81 "UNSUBSCRIBE: reserved flags of the fixed header are wrong [MQTT-2.1.3-1]"
  g closed
"#,
    );
}

#[test]
fn unsubscribe_takes_away_what_is_equal_and_answers_always() {
    check(
        r#"
s connect
  s connack 00
s subscribe 1 t/+,1 t/a,1 t/A,0 u,1
  s suback 1 01 01 00 01
p connect
  p connack 00
p publish 1 u one id=1
  p puback 1 00
  s publish 1 id=1 u one
# One answer with its identifier and a code for each filter, also where nothing was deleted; t/# is not t/+.
# [MQTT-3.10.4-1] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-2.2.1-6]
s unsubscribe 513 t/# t/+ u t/a t/+
  s unsuback 513 11 00 00 00 11
# Nothing more is added. [MQTT-3.10.4-2]
p publish 1 u two id=2
  p puback 2 10
p publish 1 t/a x id=3
  p puback 3 10
p publish 0 t/A y
  s publish 0 t/A y
s puback 1
"#,
    );
}

#[test]
fn what_was_begun_is_finished_after_unsubscribe() {
    check(
        r#"
s connect expiry=100
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
s unsubscribe 2 t
  s unsuback 2 00
# [MQTT-3.10.4-3]: also over a reconnection.
s pubrec 2
  s pubrel 2 00
s lost
s connect keep expiry=100
  s connack 00 present
  s pubrel 2 00
  s publish 1 id=1 dup t one
s pubcomp 2
s puback 1
"#,
    );
}
