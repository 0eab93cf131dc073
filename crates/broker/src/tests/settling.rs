//! Verdicts of consumers (contract §3, settling).

use super::{check, check_on, check_with};
use crate::config::Config;

#[test]
fn each_code_has_its_meaning() {
    check(
        r#"
create jobs work
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
p connect
  p connack 00
p publish 1 work accept id=1
  a publish 1 id=1 work accept queue:jobs offset:0 attempt:1 publish-ts:1700000000000
  p puback 1 00
a puback 1
p publish 1 work reject id=2
  a publish 1 id=2 work reject queue:jobs offset:1 attempt:1 publish-ts:1700000000000
  p puback 2 00
a puback 2 99
ledger jobs
  enqueued=2 settled=1 dropped=1
p publish 1 work busy id=3
  a publish 1 id=3 work busy queue:jobs offset:2 attempt:1 publish-ts:1700000000000
  p puback 3 00
a puback 3 97
ledger jobs
  enqueued=3 settled=1 ready=1 dropped=1
# It rests for a second; another gets the message at once, no attempt counted.
b connect
  b connack 00
b subscribe 1 $queue/jobs,1 metadata
  b suback 1 01
  b publish 1 id=1 work busy queue:jobs offset:2 attempt:1 publish-ts:1700000000000
b puback 1 80
ledger jobs
  enqueued=3 settled=1 delayed=1 dropped=1
wait 799
wait 402
  b publish 1 id=2 work busy queue:jobs offset:2 attempt:2 publish-ts:1700000000000
ledger jobs
  enqueued=3 settled=1 in_flight=1 dropped=1
"#,
    );
}

#[test]
fn a_message_too_large_for_all_is_dead() {
    check(
        r#"
create jobs work
a connect mps=100
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work - id=1 size=200
  p puback 1 00
ledger jobs
  enqueued=1 dropped=1
b connect
  b connack 00
b subscribe 1 $queue/jobs,1
  b suback 1 01
p publish 1 work - id=2 size=200
  b publish 1 id=1 work <200 bytes>
  p puback 2 00
p publish 1 work small id=3
  a publish 1 id=1 work small
  p puback 3 00
ledger jobs
  enqueued=3 in_flight=2 dropped=1
"#,
    );
}

#[test]
fn a_message_expires_in_a_queue_when_its_turn_comes() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 work short id=1 expiry=5
  p puback 1 00
p publish 1 work long id=2 expiry=50
  p puback 2 00
wait 5000
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work long expiry=45
ledger jobs
  enqueued=2 in_flight=1 expired=1
"#,
    );
}

#[test]
fn a_lease_that_runs_out_goes_to_another() {
    let mut config = Config::default();
    config.queue_defaults.config.ack_timeout = std::time::Duration::from_secs(5);
    check_with(
        &config,
        r#"
create jobs work
a connect
  a connack 00
b connect
  b connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
p connect
  p connack 00
p publish 1 work 1 id=1
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
  p puback 1 00
b subscribe 1 $queue/jobs,1 metadata
  b suback 1 01
wait 5000
  b publish 1 id=1 work 1 queue:jobs offset:0 attempt:2 publish-ts:1700000000000
# Too late.
a puback 1
ledger jobs
  enqueued=1 in_flight=1
b puback 1
ledger jobs
  enqueued=1 settled=1
"#,
    );
}

#[test]
fn a_late_refusal_does_not_put_back_what_the_consumer_has_anew() {
    let mut config = Config::default();
    config.queue_defaults.config.ack_timeout = std::time::Duration::from_secs(5);
    check_with(
        &config,
        r#"
create jobs work
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
p connect
  p connack 00
p publish 1 work 1 id=1
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
  p puback 1 00
wait 5000
  a publish 1 id=2 work 1 queue:jobs offset:0 attempt:2 publish-ts:1700000000000
# Of the first delivery, which had run out: the second is still with the client.
a puback 1 80
wait 4000
ledger jobs
  enqueued=1 in_flight=1
a puback 2
ledger jobs
  enqueued=1 settled=1
p publish 1 work 2 id=2
  a publish 1 id=3 work 2 queue:jobs offset:1 attempt:1 publish-ts:1700000009000
  p puback 2 00
wait 5000
  a publish 1 id=4 work 2 queue:jobs offset:1 attempt:2 publish-ts:1700000009000
# Done is done.
a puback 3
ledger jobs
  enqueued=2 settled=2
a puback 4
ledger jobs
  enqueued=2 settled=2
"#,
    );
}

#[test]
fn a_lease_that_runs_out_while_its_body_is_read_is_not_delivered() {
    let mut config = Config::default();
    config.queue_defaults.config.ack_timeout = std::time::Duration::from_secs(5);
    check_with(
        &config,
        r#"
create jobs work
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
p connect
  p connack 00
p publish 1 work 1 id=1
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
  p puback 1 00
b connect
  b connack 00
b subscribe 1 $queue/jobs,1 metadata
  b suback 1 01
log slow
a puback 1 80
wait 1500
wait 5000
log reads
  b publish 1 id=1 work 1 queue:jobs offset:0 attempt:3 publish-ts:1700000000000
b puback 1
ledger jobs
  enqueued=1 settled=1
"#,
    );
}

#[test]
fn what_is_unwritten_counts_no_attempt_though_it_was_written_once_before() {
    let mut config = Config { max_output_buffer_bytes: 50, ..Config::default() };
    config.queue_defaults.config.ack_timeout = std::time::Duration::from_secs(5);
    check_with(
        &config,
        r#"
create jobs work
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
p connect
  p connack 00
p publish 1 work 1 id=1
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
  p puback 1 00
a block
wait 5000
a lost
b connect
  b connack 00
b subscribe 1 $queue/jobs,1 metadata
  b suback 1 01
  b publish 1 id=1 work 1 queue:jobs offset:0 attempt:2 publish-ts:1700000000000
"#,
    );
}

/// Both wait for their packet ids to be stored, of which the log refuses one.
#[test]
fn what_comes_behind_a_delivery_that_the_log_refuses_does_not_overtake_it() {
    check_on(
        1,
        &Config::default(),
        r#"
create jobs work max_inflight=2
p connect
  p connack 00
p publish 1 work 0 id=1
  p puback 1 00
p publish 1 work 1 id=2
  p puback 2 00
p publish 1 work 2 id=3
  p puback 3 00
p publish 1 work 3 id=4
  p puback 4 00
a connect keep expiry=100
  a connack 00
a subscribe 1 $queue/jobs,2
  a suback 1 02
  a publish 2 id=32768 work 0
  a publish 2 id=32769 work 1
log hold
a pubrec 32768 00
a pubrec 32769 00
log refuses
log commit
  a pubrel 32769 00
wait 110
  a publish 2 id=32770 work 2
  a publish 2 id=32771 work 3
a pubrec 32768 00
  a pubrel 32768 00
a pubcomp 32769
a pubcomp 32768
"#,
    );
}

/// The disk stays full: another may take what waits, and this consumer gets it once there is room.
#[test]
fn deliveries_that_the_log_goes_on_refusing_go_back_in_order_and_count_no_attempt() {
    let stock = r#"
create jobs work max_inflight=2
p connect
  p connack 00
p publish 1 work 0 id=1
  p puback 1 00
p publish 1 work 1 id=2
  p puback 2 00
p publish 1 work 2 id=3
  p puback 3 00
p publish 1 work 3 id=4
  p puback 4 00
a connect keep expiry=100 rm=4
  a connack 00
a subscribe 1 $queue/jobs,2 metadata
  a suback 1 02
  a publish 2 id=32768 work 0 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
  a publish 2 id=32769 work 1 queue:jobs offset:1 attempt:1 publish-ts:1700000000000
log refuses
a pubrec 32768 00
log refuses
a pubrec 32769 00
"#;
    let refused = "log refuses\nwait 110\n";
    let in_flight = "ledger jobs\n  enqueued=4 settled=2 in_flight=2\n";
    let back = "ledger jobs\n  enqueued=4 settled=2 ready=2\n";
    let room = "wait 110\n";
    let again = r#"
  a publish 2 id=32770 work 2 queue:jobs offset:2 attempt:1 publish-ts:1700000000000
  a publish 2 id=32771 work 3 queue:jobs offset:3 attempt:1 publish-ts:1700000000000
"#;
    // Its packet ids are free, all that it may use.
    let leaves = "a unsubscribe 2 $queue/jobs\n  a unsuback 2 00\n";
    let returns = "a subscribe 3 $queue/jobs,2 metadata\n  a suback 3 02\n";
    let short = refused.repeat(8);
    check_on(1, &Config::default(), &[stock, &short, in_flight, room, again].concat());
    let long = refused.repeat(11);
    let rested = "wait 1000\n";
    let anew = again.replace("32770", "32772").replace("32771", "32773");
    check_on(1, &Config::default(), &[stock, &long, back, rested, &anew].concat());
    check_on(1, &Config::default(), &[stock, in_flight, leaves, back, returns, &anew].concat());
}

#[test]
fn busy_without_a_delay_comes_to_rest() {
    let mut config = Config { max_output_buffer_bytes: 50, ..Config::default() };
    config.queue_defaults.config.retry_delay = std::time::Duration::ZERO;
    config.limits.max_pending_bytes = 100;
    check_with(
        &config,
        r#"
create jobs work
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
a block
p connect
  p connack 00
p publish 1 work - id=1 size=60
  p puback 1 00
p publish 1 work - id=2 size=60
  p puback 2 00
p publish 1 work - id=3 size=60
  p puback 3 00
a unblock
  a publish 1 id=1 work <60 bytes>
  a publish 1 id=2 work <60 bytes>
  a publish 1 id=3 work <60 bytes>
a puback 1
a puback 2
ledger jobs
  enqueued=3 settled=2 in_flight=1
"#,
    );
}

#[test]
fn what_was_settled_is_recorded_later_when_the_log_refuses_it() {
    check(
        r#"
create jobs work
create kept work keep_settled=1000000
p connect
  p connack 00
p publish 1 work one id=1
  p puback 1 00
p publish 1 work two id=2
  p puback 2 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 $queue/kept,1
  a suback 1 01 01
  a publish 1 id=1 work one
  a publish 1 id=2 work two
  a publish 1 id=3 work one
  a publish 1 id=4 work two
log refuses
a puback 1 00
a puback 3 00
wait 20
wait 1100
crash
ledger jobs
  enqueued=2 settled=1 ready=1
ledger kept
  enqueued=2 settled=1 ready=1
"#,
    );
}

/// What was refused is not said later of a message that an operator has set back since.
#[test]
fn what_was_set_back_is_not_settled_by_what_the_log_refused_before() {
    check(
        r#"
create kept work keep_settled=1000000
p connect
  p connack 00
p publish 1 work one id=1
  p puback 1 00
a connect
  a connack 00
a subscribe 1 $queue/kept,1
  a suback 1 01
  a publish 1 id=1 work one
log refuses
a puback 1 00
wait 20
a unsubscribe 2 $queue/kept
  a unsuback 2 00
seek kept earliest
  at 0 purged=0 restored=1
wait 1100
crash
ledger kept
  enqueued=1 ready=1
"#,
    );
}
