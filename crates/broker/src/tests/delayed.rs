//! `$delayed/<seconds>/<topic>`.

use super::{check, check_with};
use crate::config::Config;

#[test]
fn a_delayed_message_takes_both_roads_when_its_time_has_come() {
    check(
        r#"
create jobs work
l connect
  l connack 00
l subscribe 1 work,1
  l suback 1 01
p connect
  p connack 00
p publish 1 $delayed/10/work late id=1
  p puback 1 00
p publish 2 $delayed/5/work soon id=2 expiry=60
  p pubrec 2 00
p publish 0 $delayed/7/work never expiry=3
p publish 1 $delayed/0/work now id=3
  l publish 1 id=1 work now
  p puback 3 00
l puback 1
wait 4999
ledger jobs
  enqueued=1 ready=1
wait 1
  l publish 1 id=2 work soon expiry=55
wait 5000
  l publish 1 id=3 work late
ledger jobs
  enqueued=3 ready=3
ends
  0
"#,
    );
}

#[test]
fn a_delay_goes_on_over_a_crash_and_ends_once() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 $delayed/10/work one id=1
  p puback 1 00
p publish 1 $delayed/20/work two id=2
  p puback 2 00
log hold
p publish 1 $delayed/10/work three id=3
crash
wait 9999
wait 1
ledger jobs
  enqueued=1 ready=1
checkpoint
crash
ledger jobs
  enqueued=1 ready=1
wait 5000
checkpoint
crash
wait 5000
ledger jobs
  enqueued=2 ready=2
wait 60
crash
wait 60000
ledger jobs
  enqueued=2 ready=2
p connect
  p connack 00
p publish 1 $delayed/5/r kept id=4 retain
  p puback 4 00
wait 5000
crash
s connect
  s connack 00
s subscribe 1 r,0
  s suback 1 00
  s publish 0 retain r kept
"#,
    );
}

#[test]
fn what_cannot_be_delayed_is_refused() {
    let config = Config { max_delayed_messages: 1, ..Config::default() };
    check_with(
        &config,
        r#"
create jobs work
p connect
  p connack 00
p publish 1 $delayed/soon/work x id=1
  p puback 1 90
p publish 1 $delayed/5/$SYS/x x id=2
  p puback 2 90
p publish 1 $delayed/5/work x id=3
  p puback 3 00
p publish 1 $delayed/5/work x id=4
  p puback 4 97
log full
# It waits for the disk, so that the queue gets it.
wait 6000
log well
wait 1000
ledger jobs
  enqueued=1 ready=1
log full
p publish 1 $delayed/5/work x id=5
  p puback 5 97 "message not stored: the broker's disk is full"
h connect v=3.1.1
  h connack 00
h publish 1 $delayed/5/work held id=1
wait 1000
log well
  h puback 1 00
# The delay counts from when it was sent.
wait 4000
ledger jobs
  enqueued=2 ready=2
ends
  0
"#,
    );
}
