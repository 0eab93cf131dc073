//! What waits before it is tried again waits on over a crash of the broker, as long as it was to wait.

use super::check;

#[test]
fn a_back_off_goes_on_over_a_crash() {
    check(
        r#"
create jobs work retry_delay=10000
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
a puback 1 80
wait 50
ledger jobs
  enqueued=1 delayed=1
crash
ledger jobs
  enqueued=1 delayed=1
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
# It is to wait 10 s, 20 % more or less, and the checkpoint says so as the record did.
wait 3000
checkpoint
crash
ledger jobs
  enqueued=1 delayed=1
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
wait 4900
wait 4100
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:2 publish-ts:1700000000000
"#,
    );
}

#[test]
fn what_is_due_when_the_broker_comes_back_comes_at_once() {
    check(
        r#"
create jobs work retry_delay=10000
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
p publish 1 work 2 id=2
  p puback 2 00
a connect rm=1
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work 1
a puback 1 80
  a publish 1 id=2 work 2
wait 50
# The clock goes on while the broker is down, however it came to what it shows.
clock 13
crash
ledger jobs
  enqueued=2 ready=2
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:2 publish-ts:1700000000000
  a publish 1 id=2 work 2 queue:jobs offset:1 attempt:2 publish-ts:1700000000000
"#,
    );
}

#[test]
fn what_went_back_at_once_is_ready_after_a_crash() {
    check(
        r#"
create jobs work retry_delay=10000 ack_timeout=1000
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
p publish 1 work 2 id=2
  p puback 2 00
a connect rm=1
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work 1
a puback 1 97
wait 50
b connect
  b connack 00
b subscribe 1 $queue/jobs,1
  b suback 1 01
  b publish 1 id=1 work 1
  b publish 1 id=2 work 2
b lost
wait 50
crash
ledger jobs
  enqueued=2 ready=2
"#,
    );
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_wait_for_longer_than_a_back_off_lasts() {
    check(
        r#"
create jobs work retry_delay=10000 retry_delay_max=15000
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work 1
a puback 1 80
wait 50
clock -86400
crash
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
wait 17999
wait 1
  a publish 1 id=1 work 1
"#,
    );
}

#[test]
fn a_key_keeps_its_order_under_retries_over_a_crash() {
    check(
        r#"
create jobs t/# strategy=4 retry_delay=10000
p connect
  p connack 00
p publish 1 t/a 1 id=1
  p puback 1 00
p publish 1 t/a 2 id=2
  p puback 2 00
p publish 1 t/b 3 id=3
  p puback 3 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 t/a 1
  a publish 1 id=2 t/b 3
a puback 1 80
wait 50
crash
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 t/b 3
wait 12000
  a publish 1 id=2 t/a 1
a puback 2
  a publish 1 id=3 t/a 2
"#,
    );
}

#[test]
fn what_the_log_refused_of_a_back_off_is_said_again() {
    check(
        r#"
create jobs work retry_delay=10000
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work 1
a puback 1 80
log full
wait 50
log well
wait 50
wait 50
crash
ledger jobs
  enqueued=1 delayed=1
"#,
    );
}

#[test]
fn what_an_operator_purges_or_sets_back_waits_for_nothing() {
    check(
        r#"
create jobs work retry_delay=10000 keep_settled=60000
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
p publish 1 work 2 id=2
  p puback 2 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work 1
  a publish 1 id=2 work 2
a puback 1 80
a puback 2 80
wait 12000
  a publish 1 id=3 work 1
  a publish 1 id=4 work 2
a puback 3
wait 50
a lost
seek jobs earliest
  at 0 purged=0 restored=1
wait 50
crash
ledger jobs
  enqueued=2 ready=2
purge jobs
  purged 2
crash
ledger jobs
  enqueued=2 purged=2
"#,
    );
}
