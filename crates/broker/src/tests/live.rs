//! The live road: subscribers, flows of all QoS, retained messages, shared subscriptions.

use super::{check, check_on, check_with};
use crate::config::Config;

#[test]
fn a_message_reaches_who_is_subscribed() {
    check(
        "
a connect
b connect v=3.1.1
c connect v=3.1
b subscribe 1 a/+,1 b,0
c subscribe 1 #,2
a publish 0 a/x one
a publish 1 a/x two id=5
b puback 1
a publish 2 b three id=6
# `[MQTT-4.3.3-10]`: until PUBREL it is the same message.
a publish 2 b three id=6 dup
a pubrel 6
c puback 1
c pubrec 2
c pubcomp 2
a publish 1 $other four id=7
a publish 2 nobody five id=8
",
    );
}

#[test]
fn retained_messages_come_with_a_subscription() {
    check(
        "
a connect
a publish 1 r/1 one id=1 retain
a publish 0 r/2 two retain
a publish 0 r/2 - retain
a publish 0 r/3 three retain expiry=10
b connect
b subscribe 1 r/+,1,rap sid=7
b subscribe 2 r/+,1,rh1 sid=8
b subscribe 3 r/1,0,rh1
b subscribe 4 r/1,0,rh2
b subscribe 5 $share/g/r/+,1
a publish 0 r/1 six retain
wait 10000
b subscribe 6 r/#,0
",
    );
}

#[test]
fn overlapping_subscriptions_give_one_message_with_all_identifiers() {
    check(
        "
a connect
a subscribe 1 x/+,0 sid=1
a subscribe 2 x/#,1 sid=2
a subscribe 3 x/y,2,nl sid=3
a publish 1 x/y mine id=1
b connect
b publish 1 x/y yours id=1
",
    );
}

#[test]
fn a_shared_subscription_gives_each_message_to_one() {
    check_on(
        1,
        &Config::default(),
        "
a connect keep expiry=100
b connect
c connect v=3.1.1
a subscribe 1 $share/g/t,1
b subscribe 1 $share/g/t,1
c subscribe 1 $share/other/t,0
p connect
p publish 1 t 1 id=1
p publish 1 t 2 id=2
# While a is away, who is connected gets it.
a lost
p publish 1 t 3 id=3
p publish 1 t 4 id=4
b unsubscribe 2 $share/g/t
p publish 1 t 5 id=5
a connect keep expiry=100
",
    );
}

#[test]
fn qos_0_reaches_a_slow_reader_as_far_as_its_buffer_goes() {
    let config = Config { max_output_buffer_bytes: 100, ..Config::default() };
    check_with(
        &config,
        "
a connect
a subscribe 1 t,1
b connect
a block
b publish 0 t - size=90
b publish 0 t - size=90
b publish 0 t lost
b publish 1 t kept id=1
a unblock
a puback 1
",
    );
}

#[test]
fn aliases_and_expiry_go_both_ways() {
    check(
        "
a connect aliases=2
a subscribe 1 #,0
b connect
b publish 0 some/topic one alias=1 expiry=60
b publish 0 - two alias=1
b publish 0 - three alias=2
",
    );
}

#[test]
fn clients_cannot_publish_to_addresses_of_the_broker() {
    check(
        "
a connect
a publish 1 $SYS/x one id=1
a publish 1 $q/x two id=2
a publish 2 $queue/x three id=3
a publish 2 $queue/x three id=3
a publish 1 $mine/x four id=4
b connect v=3.1.1
b publish 1 $share/x five id=1
c connect will=$SYS/x:gone:0
",
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
