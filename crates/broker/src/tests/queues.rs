//! Both roads: queues beside live subscribers, consumers that share, consumers that come and go.

use super::{check, check_with};
use crate::config::Config;

#[test]
fn a_message_takes_both_roads() {
    check(
        r#"
p connect
  p connack 00
l connect
  l connack 00
l subscribe 1 sensor/#,0
  l suback 1 00
c connect
  c connack 00
c subscribe 1 $q/sensor/+/data,1 sid=9
  c suback 1 01
c lost
p publish 0 sensor/1/data zero
  l publish 0 sensor/1/data zero
p publish 1 sensor/1/data one id=1 retain
  l publish 0 sensor/1/data one
  p puback 1 00
p publish 2 sensor/2/data two id=2
  l publish 0 sensor/2/data two
  p pubrec 2 00
p publish 1 sensor/3/other three id=3
  l publish 0 sensor/3/other three
  p puback 3 00
c connect v=3.1.1
  c connack 00
c subscribe 1 $q/sensor/+/data,1
  c suback 1 01
  c publish 1 id=1 sensor/1/data zero
  c publish 1 id=2 sensor/1/data one
  c publish 1 id=3 sensor/2/data two
c puback 1
c puback 2
c puback 3
ledger sensor/+/data
  enqueued=3 settled=3
"#,
    );
}

#[test]
fn consumers_share_in_turns() {
    check(
        r#"
create jobs work max_inflight=2
a connect
  a connack 00
b connect
  b connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
b subscribe 1 $queue/jobs/work,1
  b suback 1 01
p connect
  p connack 00
p publish 1 work 1 id=1
  a publish 1 id=1 work 1
  p puback 1 00
p publish 1 work 2 id=2
  b publish 1 id=1 work 2
  p puback 2 00
p publish 1 work 3 id=3
  a publish 1 id=2 work 3
  p puback 3 00
p publish 1 work 4 id=4
  b publish 1 id=2 work 4
  p puback 4 00
p publish 1 work 5 id=5
  p puback 5 00
b puback 1
  b publish 1 id=3 work 5
ledger jobs
  enqueued=5 settled=1 in_flight=4
"#,
    );
}

#[test]
fn the_least_busy_consumer_is_next() {
    check(
        r#"
create jobs work strategy=3
a connect
  a connack 00
b connect
  b connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
b subscribe 1 $queue/jobs,1
  b suback 1 01
p connect
  p connack 00
p publish 1 work 1 id=1
  a publish 1 id=1 work 1
  p puback 1 00
p publish 1 work 2 id=2
  b publish 1 id=1 work 2
  p puback 2 00
p publish 1 work 3 id=3
  a publish 1 id=2 work 3
  p puback 3 00
b puback 1
p publish 1 work 4 id=4
  b publish 1 id=2 work 4
  p puback 4 00
p publish 1 work 5 id=5
  b publish 1 id=3 work 5
  p puback 5 00
"#,
    );
}

#[test]
fn what_a_lost_consumer_had_goes_to_the_next_in_order() {
    check(
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
p publish 1 work 2 id=2
  a publish 1 id=2 work 2 queue:jobs offset:1 attempt:1 publish-ts:1700000000000
  p puback 2 00
p publish 1 work 3 id=3
  a publish 1 id=3 work 3 queue:jobs offset:2 attempt:1 publish-ts:1700000000000
  p puback 3 00
a puback 2
a lost
b connect
  b connack 00
b subscribe 1 $queue/jobs,1 metadata
  b suback 1 01
  b publish 1 id=1 work 1 queue:jobs offset:0 attempt:2 publish-ts:1700000000000
  b publish 1 id=2 work 3 queue:jobs offset:2 attempt:2 publish-ts:1700000000000
b unsubscribe 2 $queue/jobs
  b unsuback 2 00
# The handshakes go on, and settle nothing.
b puback 1
b subscribe 3 $queue/jobs,0
  b suback 3 00
  b publish 0 work 1
  b publish 0 work 3
ledger jobs
  enqueued=3 settled=3
"#,
    );
}

#[test]
fn a_resumed_session_goes_on_consuming_as_it_asked() {
    check(
        r#"
create jobs work
a connect expiry=100
  a connack 00
a subscribe 1 $queue/jobs,1 sid=3 metadata
  a suback 1 01
a lost
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
a connect keep expiry=100
  a connack 00 present
  a publish 1 id=32768 work 1 sid=3 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
"#,
    );
}

#[test]
fn a_consumer_at_qos_0_settles_by_writing() {
    let config = Config { max_output_buffer_bytes: 100, ..Config::default() };
    check_with(
        &config,
        r#"
create jobs work max_inflight=3
a connect
  a connack 00
a subscribe 1 $queue/jobs,0
  a suback 1 00
p connect
  p connack 00
p publish 1 work 1 id=1
  a publish 0 work 1
  p puback 1 00
ledger jobs
  enqueued=1 settled=1
a block
p publish 1 work - size=90 id=2
  p puback 2 00
p publish 1 work - size=90 id=3
  p puback 3 00
p publish 1 work - size=90 id=4
  p puback 4 00
p publish 1 work last id=5
  p puback 5 00
ledger jobs
  enqueued=5 settled=1 ready=1 in_flight=3
a unblock
  a publish 0 work <90 bytes>
  a publish 0 work <90 bytes>
  a publish 0 work <90 bytes>
  a publish 0 work last
ledger jobs
  enqueued=5 settled=5
"#,
    );
}

#[test]
fn a_consumer_at_qos_2_settles_by_pubrec() {
    check(
        r#"
create jobs work
a connect expiry=100
  a connack 00
a subscribe 1 $queue/jobs,2
  a suback 1 02
p connect
  p connack 00
p publish 1 work 1 id=1
  a publish 2 id=32768 work 1
  p puback 1 00
p publish 1 work 2 id=2
  a publish 2 id=32769 work 2
  p puback 2 00
a pubrec 32768
  a pubrel 32768 00
ledger jobs
  enqueued=2 settled=1 in_flight=1
a lost
# The first is the client's; the second went back, and comes again as the same.
a connect keep expiry=100
  a connack 00 present
  a pubrel 32768 00
  a publish 2 id=32769 dup work 2
a pubcomp 32768
a pubrec 32769
  a pubrel 32769 00
a pubcomp 32769
ledger jobs
  enqueued=2 settled=2
"#,
    );
}

#[test]
fn a_deleted_queue_ends_its_consumers() {
    check(
        r#"
create jobs work
a connect expiry=100
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work 1 id=1
  a publish 1 id=32768 work 1
  p puback 1 00
delete jobs
  a disconnect 98 "the queue of subscription $queue/jobs was deleted"
  a closed
p publish 1 work 2 id=2
  p puback 2 10
a connect keep expiry=100
  a connack 00 present
# A new one of that name is another queue.
create jobs work
a subscribe 1 $queue/jobs,1
  a suback 1 01
p publish 1 work 3 id=3
  a publish 1 id=32769 work 3
  p puback 3 00
ledger jobs
  enqueued=1 in_flight=1
"#,
    );
}

#[test]
fn an_attachment_that_meets_a_deletion_is_not_left_waiting() {
    check(
        r#"
create other else
create jobs work
a connect
  a connack 00
log hold
delete jobs
a subscribe 1 $queue/jobs,1
  a suback 1 01
log commit
  a disconnect 98 "the queue of subscription $queue/jobs was deleted"
  a closed
ledger jobs
  no such queue
"#,
    );
}

#[test]
fn two_queues_take_all_or_none() {
    check(
        r#"
create one a/+
create two +/b
p connect
  p connack 00
p publish 1 a/b x id=1
  p puback 1 00
log full
p publish 1 a/b y id=2
  p puback 2 97 "message not stored: the broker's disk is full"
log well
ledger one
  enqueued=1 ready=1
ledger two
  enqueued=1 ready=1
"#,
    );
}

#[test]
fn waiting_messages_are_found_again_after_a_crash() {
    check(
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
p publish 1 work 2 id=2
  a publish 1 id=2 work 2 queue:jobs offset:1 attempt:1 publish-ts:1700000000000
  p puback 2 00
p publish 1 work 3 id=3
  a publish 1 id=3 work 3 queue:jobs offset:2 attempt:1 publish-ts:1700000000000
  p puback 3 00
a puback 2
wait 50
checkpoint
p publish 1 work 4 id=4
  a publish 1 id=4 work 4 queue:jobs offset:3 attempt:1 publish-ts:1700000000050
  p puback 4 00
crash
ledger jobs
  enqueued=4 settled=1 ready=3
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:2 publish-ts:1700000000000
  a publish 1 id=2 work 3 queue:jobs offset:2 attempt:2 publish-ts:1700000000000
  a publish 1 id=3 work 4 queue:jobs offset:3 attempt:2 publish-ts:1700000000050
"#,
    );
}

#[test]
fn damage_stops_a_queue_and_nothing_else() {
    check(
        r#"
create jobs work
create other else
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
p publish 1 work 2 id=2
  p puback 2 00
p publish 1 else 3 id=3
  p puback 3 00
# The definitions are at 0 and 8.
damage 16
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
a subscribe 2 $queue/other,1
  a suback 2 01
  a publish 1 id=1 else 3
p publish 1 work 4 id=4
  p puback 4 00
a unsubscribe 3 $queue/jobs
  a unsuback 3 00
a subscribe 4 $queue/jobs,1
  a suback 4 01
ledger jobs
  enqueued=3 ready=3
"#,
    );
}
