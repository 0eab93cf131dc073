//! Messages that an operator publishes.

use mqtt_session::ServerLimits;
use mqtt_types::QoS;

use super::{check, check_with};
use crate::config::Config;

#[test]
fn an_operators_message_takes_both_roads_and_is_answered_like_any() {
    check(
        r#"
create jobs work
s connect
  s connack 00
s subscribe 1 work,1 news,0
  s suback 1 01 00
put 1 work one
  s publish 1 id=1 work one
  put 00
put 0 news two
  s publish 0 news two
  put 00
put 2 nobody three
  put 10
put 1 kept four retain
  put 10
put 1 $SYS/broker/version mine
  put 90
put 1 $q/work mine
  put 90
put 1 a/+ wild
  topic: topic name has a wildcard
s subscribe 2 kept,0
  s suback 2 00
  s publish 0 retain kept four
log hold
put 2 work five
  s publish 1 id=2 work five
log commit
  put 00
ledger jobs
  enqueued=2 ready=2
log full
put 1 work six
  put 97 "message not stored: the broker's disk is full"
put 0 news seven
  s publish 0 news seven
  put 00
log fails
put 0 work eight
  put 83 "message not stored: the broker's log has failed, see its messages"
put 1 $delayed/5/work nine
  put 83 "message not stored: the broker's log has failed, see its messages"
ends
  0
"#,
    );
}

#[test]
fn an_operator_is_held_to_the_limits_of_clients() {
    let limits = ServerLimits {
        maximum_qos: QoS::AtLeastOnce,
        retain_available: false,
        maximum_packet_size: 10,
        ..ServerLimits::default()
    };
    let config = Config { limits, max_topic_levels: 2, ..Config::default() };
    check_with(
        &config,
        r#"
put 2 t x
  qos: is above mqtt.max_qos, 1
put 1 t x retain
  retain: cannot be: mqtt.retain_available is off
put 1 a/b/c x
  topic: has more than 2 levels
put 1 t 1234567890
  payload: is too large: mqtt.max_packet_size is 10 bytes
"#,
    );
}
