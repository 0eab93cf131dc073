//! `$SYS/`: what the broker says of itself.

use std::time::Duration;

use super::{check, check_with};
use crate::config::Config;

#[test]
fn the_status_is_retained_and_told_when_it_changes() {
    let config =
        Config { status_interval: Duration::from_secs(10), version: "1.2.3", ..Config::default() };
    check_with(
        &config,
        r#"
a connect
  a connack 00
a subscribe 1 $SYS/broker/version,1
  a suback 1 01
  a publish 0 retain $SYS/broker/version weir version 1.2.3
a subscribe 2 $SYS/broker/clients/connected,1 $SYS/broker/load/connections/1min,0
  a suback 2 01 00
  a publish 0 retain $SYS/broker/clients/connected 0
  a publish 0 retain $SYS/broker/load/connections/1min 0.00
# A wildcard at the front does not match it.
a subscribe 3 #,0 +/broker/uptime,0
  a suback 3 00 00
wait 10000
  a publish 0 $SYS/broker/clients/connected 1
  a publish 0 $SYS/broker/load/connections/1min 0.92
wait 10000
  a publish 0 $SYS/broker/load/connections/1min 0.78
b connect expiry=100
  b connack 00
b subscribe 1 $SYS/broker/clients/+,2
  b suback 1 02
  b publish 0 retain $SYS/broker/clients/active 1
  b publish 0 retain $SYS/broker/clients/connected 1
  b publish 0 retain $SYS/broker/clients/disconnected 0
  b publish 0 retain $SYS/broker/clients/inactive 0
  b publish 0 retain $SYS/broker/clients/maximum 1
  b publish 0 retain $SYS/broker/clients/total 1
checkpoint
crash
c connect
  c connack 00
c subscribe 1 $SYS/broker/clients/total,1
  c suback 1 01
  c publish 0 retain $SYS/broker/clients/total 0
# No queue takes it.
c subscribe 2 $q/$SYS/#,1
  c suback 2 8f "'$q/$SYS/#': a queue or stream cannot be bound to an address of the broker's own"
"#,
    );
}

#[test]
fn nobody_else_says_it() {
    check(
        r#"
s connect
  s connack 00
s subscribe 1 $SYS/#,1
  s suback 1 01
a connect
  a connack 00
a publish 1 $SYS/broker/version mine id=1 retain
  a puback 1 90 "only the broker itself publishes under $SYS/"
# A client of 3.x cannot be told; bridges announce themselves so, and must not lose their connection for it.
b connect v=3.1.1
  b connack 00
b publish 1 $SYS/broker/connection/b/state 1 id=1 retain
  b puback 1 00
b publish 2 $SYS/broker/connection/b/state 1 id=2
  b pubrec 2 00
b pubrel 2
  b pubcomp 2 00
b publish 1 $q/a 1 id=3
  b closed
"#,
    );
}
