//! How much a queue takes, how long it keeps it, and what it knows again.

use super::{check, check_on, check_with};
use crate::config::Config;

#[test]
fn a_full_queue_refuses_and_takes_again_when_there_is_room() {
    check(
        r#"
create jobs work max_messages=2
live connect
  live connack 00
live subscribe 1 work,1
  live suback 1 01
p connect
  p connack 00
p publish 1 work one id=1
  live publish 1 id=1 work one
  p puback 1 00
p publish 1 work two id=2
  live publish 1 id=2 work two
  p puback 2 00
p publish 1 work three id=3
  p puback 3 97 "message not stored: queue 'jobs' is full, its max_messages is 2"
p publish 0 work four
  live publish 0 work four
ledger jobs
  enqueued=2 ready=2
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work one
  a publish 1 id=2 work two
a puback 1
p publish 1 work five id=4
  a publish 1 id=3 work five
  live publish 1 id=3 work five
  p puback 4 00
p publish 1 work six id=5
  p puback 5 97 "message not stored: queue 'jobs' is full, its max_messages is 2"
ledger jobs
  enqueued=3 settled=1 in_flight=2
"#,
    );
}

#[test]
fn all_queues_take_a_message_or_none_does() {
    check(
        r#"
create one t/# max_messages=5
create two t/+ max_messages=1
p connect
  p connack 00
p publish 1 t/1 a id=1
  p puback 1 00
p publish 1 t/1 b id=2
  p puback 2 97 "message not stored: queue 'two' is full, its max_messages is 1"
p publish 1 t/1/2 c id=3
  p puback 3 00
ledger one
  enqueued=2 ready=2
ledger two
  enqueued=1 ready=1
"#,
    );
}

#[test]
fn bytes_are_limited_and_a_message_larger_than_all_is_refused_at_any_overflow() {
    check(
        r#"
create jobs work max_bytes=200
create old work2 max_bytes=200 overflow=drop
p connect
  p connack 00
p publish 1 work - id=1 size=100
  p puback 1 00
p publish 1 work - id=2 size=100
  p puback 2 97 "message not stored: queue 'jobs' is full, its max_bytes is 200"
p publish 1 work2 - id=3 size=150
  p puback 3 97 "message not stored: queue 'old' is full, its max_bytes is 200"
p publish 1 work2 - id=4 size=50
  p puback 4 00
p publish 1 work2 - id=5 size=60
  p puback 5 00
ledger jobs
  enqueued=1 ready=1
ledger old
  enqueued=2 ready=1 dropped=1
"#,
    );
}

#[test]
fn a_publisher_of_3_1_1_is_held_until_there_is_room() {
    check(
        r#"
create jobs work max_messages=1
p connect v=3.1.1
  p connack 00
p publish 1 work one id=1
  p puback 1 00
p publish 1 work two id=2
p publish 1 work three id=3
wait 5000
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work one
a puback 1
wait 100
  a publish 1 id=2 work two
  p puback 2 00
a puback 2
wait 100
  a publish 1 id=3 work three
  p puback 3 00
ledger jobs
  enqueued=3 settled=2 in_flight=1
"#,
    );
}

#[test]
fn a_publisher_of_3_1_1_that_is_held_for_too_long_is_disconnected() {
    let publisher_hold = std::time::Duration::from_secs(3);
    let config = Config { publisher_hold, ..Config::default() };
    check_with(
        &config,
        r#"
create jobs work max_messages=1
p connect v=3.1.1
  p connack 00
p publish 1 work one id=1
  p puback 1 00
p publish 1 work two id=2
wait 3100
  p closed
ledger jobs
  enqueued=1 ready=1
"#,
    );
}

#[test]
fn a_message_that_was_not_stored_takes_no_room() {
    check(
        r#"
create jobs work max_messages=1
p connect
  p connack 00
log hold
p publish 1 work one id=1
p publish 1 work two id=2
log fails
log commit
  p puback 1 83 "message not stored: the broker's log has failed, see its messages"
  p puback 2 97 "message not stored: queue 'jobs' is full, its max_messages is 1"
log well
p publish 1 work three id=3
  p puback 3 00
ledger jobs
  enqueued=1 ready=1
"#,
    );
}

#[test]
fn limits_hold_after_a_restart_and_when_they_are_changed() {
    check(
        r#"
create jobs work max_messages=2
p connect
  p connack 00
p publish 1 work one id=1
  p puback 1 00
crash
p connect
  p connack 00
p publish 1 work two id=2
  p puback 2 00
p publish 1 work three id=3
  p puback 3 97 "message not stored: queue 'jobs' is full, its max_messages is 2"
change jobs max_messages=3
p publish 1 work three id=3
  p puback 3 00
p publish 1 work four id=4
  p puback 4 97 "message not stored: queue 'jobs' is full, its max_messages is 3"
change jobs max_messages=1 overflow=drop
ledger jobs
  enqueued=3 ready=1 dropped=2
"#,
    );
}

#[test]
fn messages_expire_by_age_and_by_their_own_time() {
    check(
        r#"
create jobs work retention=10000
p connect
  p connack 00
p publish 1 work one id=1
  p puback 1 00
p publish 1 work two id=2 expiry=3
  p puback 2 00
wait 2999
ledger jobs
  enqueued=2 ready=2
wait 1
ledger jobs
  enqueued=2 ready=1 expired=1
crash
wait 6999
ledger jobs
  enqueued=2 ready=1 expired=1
wait 1
ledger jobs
  enqueued=2 expired=2
"#,
    );
}

#[test]
fn a_publisher_may_ask_for_a_delay() {
    check(
        r#"
create jobs work
live connect
  live connack 00
live subscribe 1 work,0
  live suback 1 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work later id=1 up=delay:5s
  live publish 0 work later delay:5s
  p puback 1 00
ledger jobs
  enqueued=1 delayed=1
wait 4000
crash
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
wait 999
wait 1
  a publish 1 id=1 work later delay:5s
p connect
  p connack 00
p publish 1 work never id=2 up=delay:soon
  p puback 2 83 "message not stored: user property 'delay' is 'soon', not a duration such as 30s, at most ten years"
p publish 1 other never id=3 up=delay:soon
  p puback 3 10
ledger jobs
  enqueued=1 in_flight=1
"#,
    );
}

#[test]
fn a_message_that_is_known_is_acknowledged_and_not_stored_again() {
    check(
        r#"
create jobs work dedup_window=10000 max_messages=2
p connect
  p connack 00
p publish 1 work one id=1 up=message-id:7
  p puback 1 00
p publish 1 work one id=2 up=message-id:7
  p puback 2 00
p publish 1 work two id=3 up=message-id:8
  p puback 3 00
ledger jobs
  enqueued=2 ready=2
crash
p connect
  p connack 00
p publish 1 work one id=4 up=message-id:7
  p puback 4 00
ledger jobs
  enqueued=2 ready=2
wait 10001
change jobs max_messages=9
p publish 1 work one id=5 up=message-id:7
  p puback 5 00
p publish 1 work none id=6 up=message-id:
  p puback 6 83 "message not stored: user property 'message-id' is '', not from 1 to 1024 bytes"
ledger jobs
  enqueued=3 ready=3
"#,
    );
}

#[test]
fn the_wall_clock_may_be_set() {
    check(
        r#"
create jobs work retention=60000
p connect
  p connack 00
p publish 1 work one id=1
  p puback 1 00
clock 30
ledger jobs
  enqueued=1 ready=1
wait 29000
ledger jobs
  enqueued=1 ready=1
wait 1000
ledger jobs
  enqueued=1 expired=1
"#,
    );
}

#[test]
fn a_delayed_publish_waits_for_room_in_its_queue() {
    check(
        r#"
create jobs work max_messages=1
p connect
  p connack 00
p publish 1 $delayed/1/work later id=1
  p puback 1 00
p publish 1 work one id=2
  p puback 2 00
wait 5000
ledger jobs
  enqueued=1 ready=1
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work one
a puback 1
wait 1000
  a publish 1 id=2 work later
"#,
    );
}

#[test]
fn a_queue_in_memory_is_empty_after_a_restart_and_counts_what_it_had() {
    check(
        r#"
create jobs work durability=memory
create kept work
p connect
  p connack 00
p publish 1 work one id=1
  p puback 1 00
p publish 1 work two id=2
  p puback 2 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work one
  a publish 1 id=2 work two
a puback 1
wait 100
crash
ledger jobs
  enqueued=2 settled=1 dropped=1
ledger kept
  enqueued=2 ready=2
p connect
  p connack 00
p publish 1 work three id=1
  p puback 1 00
checkpoint
crash
ledger jobs
  enqueued=3 settled=1 dropped=2
ledger kept
  enqueued=3 ready=3
"#,
    );
}

#[test]
fn what_was_in_memory_does_not_come_back_with_another_durability() {
    check(
        r#"
create jobs work durability=memory
p connect
  p connack 00
p publish 1 work one id=1
  p puback 1 00
crash
wait 100
change jobs durability=os
p connect
  p connack 00
p publish 1 work two id=1
  p puback 1 00
crash
ledger jobs
  enqueued=2 ready=1 dropped=1
"#,
    );
}

/// The message that a consumer was granted goes while its body is being read.
#[test]
fn what_is_dropped_on_its_way_to_a_consumer_holds_nothing_up() {
    check_on(
        1,
        &Config::default(),
        r#"
create jobs work max_messages=1 overflow=drop
p connect
  p connack 00
p publish 1 work one id=1
  p puback 1 00
a connect
  a connack 00
late a
a subscribe 1 $queue/jobs,1
  a suback 1 01
p publish 1 work two id=2
run
wait 1
  a publish 1 id=1 work two
  p puback 2 00
wait 1
ledger jobs
  enqueued=2 in_flight=1 dropped=1
"#,
    );
}
