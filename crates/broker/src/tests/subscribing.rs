//! What SUBACK says (contract §2).

use super::{check, check_with};
use crate::config::Config;

#[test]
fn suback_tells_the_truth() {
    check(
        r#"
create jobs work
a connect
  a connack 00
a subscribe 1 a/+b,1 t/#,2 #/t,0
  a suback 1 8f 02 8f "'a/+b': '+' must be alone in its level of a topic filter"
a subscribe 2 $q/a/+b,1
  a suback 2 8f "'$q/a/+b': '+' must be alone in its level of a topic filter"
a subscribe 3 $queue/-x,1
  a suback 3 8f "'$queue/-x': name is not simple: a letter or digit, then up to 127 of letters, digits, '-', '.' and '_'"
a subscribe 4 $queue/jobs/other,1
  a suback 4 8f "queue 'jobs' is bound to 'work'"
a subscribe 5 $q/jobs,1
  a suback 5 8f "queue 'jobs' is bound to 'work'"
a subscribe 6 $share/g/$q/x,1
  a suback 6 8f "'$share/g/$q/x': a queue or stream shares by itself; subscribe to it without $share"
a subscribe 7 $share/g,1
  a suback 7 8f "'$share/g': share name is empty or has a wildcard; write $share/<group>/<filter>"
a subscribe 8 $queue/none,1
  a suback 8 83 "there is no queue 'none'; subscribe to $queue/none/<filter> to create it"
a subscribe 9 $q/$SYS/#,1
  a suback 9 8f "'$q/$SYS/#': a queue or stream cannot be bound to an address of the broker's own"
a subscribe 10 $queue/jobs,2 $q/new/+,1 $queue/fresh/new/+,0
  a suback 10 02 01 00
a subscribe 11 $dead/jobs,1
  a suback 11 83 "queue 'jobs' keeps no dead letters"
a subscribe 13 $dead/none,1
  a suback 13 83 "there is no queue 'none'"
a subscribe 14 $stream/none,1
  a suback 14 83 "there is no stream 'none'; subscribe to $stream/none/<filter> to create it"
a unsubscribe 12 t/# nothing $queue/jobs
  a unsuback 12 00 11 00
b connect v=3.1.1
  b connack 00
b subscribe 1 $queue/none,1 t,1 a/+b,1
  b suback 1 80 01 80
b unsubscribe 2 t
  b unsuback 2
"#,
    );
}

#[test]
fn a_queue_is_not_made_when_it_may_not_be() {
    let config = Config { auto_create: false, ..Config::default() };
    check_with(
        &config,
        r#"
a connect
  a connack 00
a subscribe 1 $q/t,1
  a suback 1 83 "there is no queue 't' and queues.auto_create is off"
"#,
    );
    let config = Config { max_queues: 1, ..Config::default() };
    check_with(
        &config,
        r#"
a connect
  a connack 00
a subscribe 1 $q/t,1 $q/u,1
  a suback 1 01 97 "'$q/u': there are 1 queues, as many as queues.auto_create.max_queues allows"
a subscribe 2 $q/t,2
  a suback 2 02
b connect v=3.1.1
  b connack 00
b subscribe 1 $q/u,1
  b suback 1 80
"#,
    );
}

#[test]
fn a_definition_that_cannot_be_stored_is_refused() {
    check(
        r#"
a connect
  a connack 00
log fails
a subscribe 1 $q/t,1
  a suback 1 83 "'$q/t': the definition could not be stored: the log has failed: a test"
ends
  0
"#,
    );
}

#[test]
fn a_client_that_leaves_before_its_queue_is_there_leaves_nothing_behind() {
    check(
        r#"
a connect
  a connack 00
log hold
a subscribe 1 $q/t,1
b connect
  b connack 00
b subscribe 1 $q/t,1
a lost
log commit
  b suback 1 01
ends
  0
p connect
  p connack 00
p publish 1 t one id=1
  b publish 1 id=1 t one
  p puback 1 00
ledger t
  enqueued=1 in_flight=1
"#,
    );
}

#[test]
fn words_are_left_out_for_who_takes_small_packets_only() {
    check(
        r#"
a connect mps=40
  a connack 00
a subscribe 1 $queue/none,1
  a suback 1 83
"#,
    );
}
