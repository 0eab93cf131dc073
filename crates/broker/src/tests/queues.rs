//! Both roads: queues beside live subscribers, consumers that share, consumers that come and go.

use super::{check, check_with};
use crate::config::Config;

#[test]
fn a_message_takes_both_roads() {
    check(
        "
p connect
l connect
l subscribe 1 sensor/#,0
c connect
c subscribe 1 $q/sensor/+/data,1 sid=9
c lost
p publish 0 sensor/1/data zero
p publish 1 sensor/1/data one id=1 retain
p publish 2 sensor/2/data two id=2
p publish 1 sensor/3/other three id=3
c connect v=3.1.1
c subscribe 1 $q/sensor/+/data,1
c puback 1
c puback 2
c puback 3
ledger sensor/+/data
",
    );
}

#[test]
fn consumers_share_in_turns() {
    check(
        "
create jobs work max_inflight=2
a connect
b connect
a subscribe 1 $queue/jobs,1
b subscribe 1 $queue/jobs/work,1
p connect
p publish 1 work 1 id=1
p publish 1 work 2 id=2
p publish 1 work 3 id=3
p publish 1 work 4 id=4
p publish 1 work 5 id=5
b puback 1
ledger jobs
",
    );
}

#[test]
fn the_least_busy_consumer_is_next() {
    check(
        "
create jobs work strategy=3
a connect
b connect
a subscribe 1 $queue/jobs,1
b subscribe 1 $queue/jobs,1
p connect
p publish 1 work 1 id=1
p publish 1 work 2 id=2
p publish 1 work 3 id=3
b puback 1
p publish 1 work 4 id=4
p publish 1 work 5 id=5
",
    );
}

#[test]
fn what_a_lost_consumer_had_goes_to_the_next_in_order() {
    check(
        "
create jobs work
a connect
a subscribe 1 $queue/jobs,1 metadata
p connect
p publish 1 work 1 id=1
p publish 1 work 2 id=2
p publish 1 work 3 id=3
a puback 2
a lost
b connect
b subscribe 1 $queue/jobs,1 metadata
b unsubscribe 2 $queue/jobs
# The handshakes go on, and settle nothing.
b puback 1
b subscribe 3 $queue/jobs,0
ledger jobs
",
    );
}

#[test]
fn a_resumed_session_goes_on_consuming_as_it_asked() {
    check(
        "
create jobs work
a connect expiry=100
a subscribe 1 $queue/jobs,1 sid=3 metadata
a lost
p connect
p publish 1 work 1 id=1
a connect keep expiry=100
",
    );
}

#[test]
fn a_consumer_at_qos_0_settles_by_writing() {
    let config = Config { max_output_buffer_bytes: 100, ..Config::default() };
    check_with(
        &config,
        "
create jobs work max_inflight=3
a connect
a subscribe 1 $queue/jobs,0
p connect
p publish 1 work 1 id=1
ledger jobs
a block
p publish 1 work - size=90 id=2
p publish 1 work - size=90 id=3
p publish 1 work - size=90 id=4
p publish 1 work last id=5
ledger jobs
a unblock
ledger jobs
",
    );
}

#[test]
fn a_consumer_at_qos_2_settles_by_pubrec() {
    check(
        "
create jobs work
a connect expiry=100
a subscribe 1 $queue/jobs,2
p connect
p publish 1 work 1 id=1
p publish 1 work 2 id=2
a pubrec 1
ledger jobs
a lost
# The first is the client's; the second went back, and its packet id is freed before another message bears it.
a connect keep expiry=100
a pubcomp 1
a pubcomp 2 92
a pubrec 3
ledger jobs
",
    );
}

#[test]
fn a_deleted_queue_ends_its_consumers() {
    check(
        "
create jobs work
a connect expiry=100
a subscribe 1 $queue/jobs,1
p connect
p publish 1 work 1 id=1
delete jobs
p publish 1 work 2 id=2
a connect keep expiry=100
# A new one of that name is another queue.
create jobs work
a subscribe 1 $queue/jobs,1
p publish 1 work 3 id=3
ledger jobs
",
    );
}

#[test]
fn an_attachment_that_meets_a_deletion_is_not_left_waiting() {
    check(
        "
create other else
create jobs work
a connect
log hold
delete jobs
a subscribe 1 $queue/jobs,1
log commit
ledger jobs
",
    );
}

#[test]
fn two_queues_take_all_or_none() {
    check(
        "
create one a/+
create two +/b
p connect
p publish 1 a/b x id=1
log full
p publish 1 a/b y id=2
log well
ledger one
ledger two
",
    );
}

#[test]
fn waiting_messages_are_found_again_after_a_crash() {
    check(
        "
create jobs work
a connect
a subscribe 1 $queue/jobs,1 metadata
p connect
p publish 1 work 1 id=1
p publish 1 work 2 id=2
p publish 1 work 3 id=3
a puback 2
wait 50
checkpoint
p publish 1 work 4 id=4
crash
ledger jobs
a connect
a subscribe 1 $queue/jobs,1 metadata
",
    );
}

#[test]
fn damage_stops_a_queue_and_nothing_else() {
    check(
        "
create jobs work
create other else
p connect
p publish 1 work 1 id=1
p publish 1 work 2 id=2
p publish 1 else 3 id=3
# The definitions are at 0 and 8.
damage 16
a connect
a subscribe 1 $queue/jobs,1
a subscribe 2 $queue/other,1
p publish 1 work 4 id=4
a unsubscribe 3 $queue/jobs
a subscribe 4 $queue/jobs,1
ledger jobs
",
    );
}
