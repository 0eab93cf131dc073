//! Alarms of the broker's own.

use std::time::Duration;

use mqtt_session::ServerLimits;

use super::{check, check_with};
use crate::config::Config;

#[test]
fn a_log_that_takes_nothing_is_an_alarm_until_it_does() {
    check(
        r#"
alarms
log full
wait 5
log full
alarms
  disk_full log since=0
log well
alarms
wait 5
log fails
alarms
  log_failed log since=10
"#,
    );
}

#[test]
fn a_session_that_drops_messages_is_an_alarm_until_it_has_stopped_for_a_minute() {
    let limits = ServerLimits { max_pending_messages: 2, ..ServerLimits::default() };
    check_with(
        &Config { limits, ..Config::default() },
        r#"
s connect expiry=1000
  s connack 00
s subscribe 1 a,1
  s suback 1 01
t connect expiry=1000
  t connack 00
t subscribe 1 a,1
  t suback 1 01
s disconnect
  s closed
t disconnect
  t closed
p connect
  p connack 00
p publish 1 a one id=1
  p puback 1 00
p publish 1 a two id=2
  p puback 2 00
alarms
wait 1000
p publish 1 a three id=3
  p puback 3 00
alarms
  session_overflow s since=1000
  session_overflow t since=1000
wait 30000
p publish 1 a four id=4
  p puback 4 00
wait 59999
alarms
  session_overflow s since=1000
  session_overflow t since=1000
# A session takes its alarm along.
t connect
  t connack 00
alarms
  session_overflow s since=1000
wait 1
alarms
"#,
    );
}

#[test]
fn the_status_tells_how_many_alarms_there_are() {
    let config = Config { status_interval: Duration::from_secs(10), ..Config::default() };
    check_with(
        &config,
        r#"
a connect
  a connack 00
a subscribe 1 $SYS/broker/alarms/#,0
  a suback 1 00
  a publish 0 retain $SYS/broker/alarms/count 0
log full
wait 10000
  a publish 0 $SYS/broker/alarms/count 1
  a publish 0 $SYS/broker/alarms/disk_full 1
log well
wait 10000
  a publish 0 $SYS/broker/alarms/count 0
  a publish 0 $SYS/broker/alarms/disk_full 0
"#,
    );
}
