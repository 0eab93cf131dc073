//! The live road: subscribers, flows of all QoS, retained messages, shared subscriptions.

use super::{check, check_on, check_with};
use crate::config::Config;

#[test]
fn a_message_reaches_who_is_subscribed() {
    check(
        r#"
a connect
  a connack 00
b connect v=3.1.1
  b connack 00
c connect v=3.1
  c connack 00
b subscribe 1 a/+,1 b,0
  b suback 1 01 00
c subscribe 1 #,2
  c suback 1 02
a publish 0 a/x one
  b publish 0 a/x one
  c publish 0 a/x one
a publish 1 a/x two id=5
  a puback 5 00
  b publish 1 id=1 a/x two
  c publish 1 id=1 a/x two
b puback 1
a publish 2 b three id=6
  a pubrec 6 00
  b publish 0 b three
  c publish 2 id=2 b three
# `[MQTT-4.3.3-10]`: until PUBREL it is the same message.
a publish 2 b three id=6 dup
  a pubrec 6 00
a pubrel 6
  a pubcomp 6 00
c puback 1
c pubrec 2
  c pubrel 2 00
c pubcomp 2
a publish 1 $other four id=7
  a puback 7 10
a publish 2 nobody five id=8
  a pubrec 8 00
  c publish 2 id=3 nobody five
"#,
    );
}

#[test]
fn retained_messages_come_with_a_subscription() {
    check(
        r#"
a connect
  a connack 00
a publish 1 r/1 one id=1 retain
  a puback 1 10
a publish 0 r/2 two retain
a publish 0 r/2 - retain
a publish 0 r/3 three retain expiry=10
b connect
  b connack 00
b subscribe 1 r/+,1,rap sid=7
  b suback 1 01
  b publish 1 id=1 retain r/1 one sid=7
  b publish 0 retain r/3 three expiry=10 sid=7
b subscribe 2 r/+,1,rh1 sid=8
  b suback 2 01
b subscribe 3 r/1,0,rh1
  b suback 3 00
  b publish 0 retain r/1 one
b subscribe 4 r/1,0,rh2
  b suback 4 00
b subscribe 5 $share/g/r/+,1
  b suback 5 01
a publish 0 r/1 six retain
  b publish 0 r/1 six sid=8
  b publish 0 r/1 six
wait 10000
b subscribe 6 r/#,0
  b suback 6 00
  b publish 0 retain r/1 six
"#,
    );
}

#[test]
fn overlapping_subscriptions_give_one_message_with_all_identifiers() {
    check(
        r#"
a connect
  a connack 00
a subscribe 1 x/+,0 sid=1
  a suback 1 00
a subscribe 2 x/#,1 sid=2
  a suback 2 01
a subscribe 3 x/y/#,1 sid=3
  a suback 3 01
b connect
  b connack 00
b subscribe 1 own,1,nl
  b suback 1 01
b publish 1 own mine id=1
  b puback 1 00
a publish 1 own yours id=1
  a puback 1 00
  b publish 1 id=1 own yours
b puback 1
# Its own message comes by the subscription without No Local alone. `[MQTT-3.8.3-3]`
b subscribe 2 own/#,0 sid=4
  b suback 2 00
b publish 1 own mine id=2
  b publish 0 own mine sid=4
  b puback 2 00
a publish 1 own yours id=2
  a puback 2 00
  b publish 1 id=2 own yours sid=4
b puback 2
b publish 1 x/y yours id=1
  a publish 1 id=1 x/y yours sid=1 sid=2 sid=3
  b puback 1 00
"#,
    );
}

#[test]
fn a_packet_as_large_as_the_client_takes_is_sent() {
    check(
        r#"
a connect mps=40
  a connack 00
a subscribe 1 room/+,0
  a suback 1 00
b connect mps=40 aliases=1
  b connack 00
b subscribe 1 room/+,0
  b suback 1 00
# 40 bytes are taken, and leave no room for an alias; 41 are not. `[MQTT-3.1.2-24]`
b publish 0 room/1 - size=29
  a publish 0 room/1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxx
  b publish 0 room/1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxx
b publish 0 room/1 - size=30
b publish 0 room/1 - size=24
  a publish 0 room/1 xxxxxxxxxxxxxxxxxxxxxxxx
  b publish 0 room/1 xxxxxxxxxxxxxxxxxxxxxxxx alias=1
# Of 127 bytes; an alias would make its length a byte longer too, and it 131.
c connect mps=130 aliases=1
  c connack 00
c subscribe 1 hall/+,0
  c suback 1 00
a publish 0 hall/1 - size=116
  c publish 0 hall/1 <116 bytes>
"#,
    );
}

#[test]
fn a_shared_subscription_gives_each_message_to_one() {
    check_on(
        1,
        &Config::default(),
        r#"
a connect keep expiry=100
  a connack 00
b connect
  b connack 00
c connect v=3.1.1
  c connack 00
a subscribe 1 $share/g/t,1
  a suback 1 01
b subscribe 1 $share/g/t,1
  b suback 1 01
c subscribe 1 $share/other/t,0
  c suback 1 00
p connect
  p connack 00
p publish 1 t 1 id=1
  a publish 1 id=1 t 1
  c publish 0 t 1
  p puback 1 00
p publish 1 t 2 id=2
  b publish 1 id=1 t 2
  c publish 0 t 2
  p puback 2 00
# While a is away, who is connected gets it: also what a has not answered for.
a lost
  b publish 1 id=2 t 1
p publish 1 t 3 id=3
  b publish 1 id=3 t 3
  c publish 0 t 3
  p puback 3 00
p publish 1 t 4 id=4
  b publish 1 id=4 t 4
  c publish 0 t 4
  p puback 4 00
b unsubscribe 2 $share/g/t
  b unsuback 2 00
p publish 1 t 5 id=5
  c publish 0 t 5
  p puback 5 00
a connect keep expiry=100
  a connack 00 present
  a publish 1 id=5 t 5
"#,
    );
}

#[test]
fn qos_0_reaches_a_slow_reader_as_far_as_its_buffer_goes() {
    let config = Config { max_output_buffer_bytes: 100, ..Config::default() };
    check_with(
        &config,
        r#"
a connect
  a connack 00
a subscribe 1 t,1
  a suback 1 01
b connect
  b connack 00
a block
b publish 0 t - size=90
b publish 0 t - size=90
b publish 0 t lost
b publish 1 t kept id=1
  b puback 1 00
a unblock
  a publish 0 t <90 bytes>
  a publish 0 t <90 bytes>
  a publish 1 id=1 t kept
a puback 1
"#,
    );
}

#[test]
fn aliases_and_expiry_go_both_ways() {
    check(
        r#"
a connect aliases=2
  a connack 00
a subscribe 1 #,0
  a suback 1 00
b connect
  b connack 00
b publish 0 some/topic one alias=1 expiry=60
  a publish 0 some/topic one expiry=60 alias=1
b publish 0 - two alias=1
  a publish 0 - two alias=1
b publish 0 - three alias=2
  b disconnect 82 "topic alias"
  b closed
"#,
    );
}

#[test]
fn clients_cannot_publish_to_addresses_of_the_broker() {
    check(
        r#"
a connect
  a connack 00
a publish 1 $SYS/x one id=1
  a puback 1 90 "only the broker itself publishes under $SYS/"
a publish 1 $q/x two id=2
  a puback 2 90 "this is an address to subscribe to; publish to an ordinary topic"
a publish 2 $queue/x three id=3
  a pubrec 3 90 "this is an address to subscribe to; publish to an ordinary topic"
a publish 2 $queue/x three id=3
  a pubrec 3 90 "this is an address to subscribe to; publish to an ordinary topic"
a publish 1 $mine/x four id=4
  a puback 4 10
b connect v=3.1.1
  b connack 00
b publish 1 $share/x five id=1
  b closed
c connect will=$SYS/x:gone:0
  c connack 90
  c closed
"#,
    );
}

#[test]
fn retained_messages_beyond_all_limits_of_a_session_arrive() {
    let mut config = Config { max_output_buffer_bytes: 200, ..Config::default() };
    config.limits.max_pending_messages = 2;
    let mut transcript = "a connect\n".to_owned();
    for n in 0..12 {
        transcript += &format!("a publish 0 r/{n:02} {n:030} retain\n");
    }
    transcript += "b connect\nb subscribe 1 r/#,0\n  b suback 1 00\n";
    transcript = transcript.replace("a connect\n", "a connect\n  a connack 00\n");
    transcript = transcript.replace("b connect\n", "b connect\n  b connack 00\n");
    for n in 0..12 {
        transcript += &format!("  b publish 0 retain r/{n:02} {n:030}\n");
    }
    check_with(&config, &transcript);
}
