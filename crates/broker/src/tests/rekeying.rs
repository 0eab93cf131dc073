//! Keys of messages that wait when a queue's or a stream's properties change.

use super::{check, check_on};
use crate::config::Config;

#[test]
fn what_waits_is_kept_in_order_by_the_new_key() {
    check(
        r#"
create jobs car/#
p connect
  p connack 00
p publish 1 car/1/x a1 id=1
  p puback 1 00
p publish 1 car/1/y a2 id=2
  p puback 2 00
p publish 1 car/2/x b1 id=3
  p puback 3 00
change jobs strategy=4 key=level(2)
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 car/1/x a1
  a publish 1 id=2 car/2/x b1
p publish 1 car/1/z a3 id=4
  p puback 4 00
# In flight is what is by the old key; it keeps the new one busy all the same.
change jobs key=level(3)
  a publish 1 id=3 car/1/y a2
  a publish 1 id=4 car/1/z a3
a puback 2
p publish 1 car/3/x c1 id=5
  p puback 5 00
a puback 1
  a publish 1 id=5 car/3/x c1
ledger jobs
  enqueued=5 settled=2 in_flight=3
"#,
    );
}

#[test]
fn of_what_waits_the_newest_of_each_key_stays() {
    check(
        r#"
create state v
p connect
  p connack 00
p publish 1 v {"k":1,"n":1} id=1
  p puback 1 00
p publish 1 v {"k":2,"n":2} id=2
  p puback 2 00
p publish 1 v {"k":1,"n":3} id=3
  p puback 3 00
change state last_value=yes key=payload.k
p publish 1 v {"k":2,"n":4} id=4
  p puback 4 00
ledger state
  enqueued=4 ready=2 replaced=2
peek state
  2 Ready v {"k":1,"n":3} qos=1 at=0 attempts=0 key=1
  3 Ready v {"k":2,"n":4} qos=1 at=0 attempts=0 key=2
purge state key=1
  purged 1
crash
ledger state
  enqueued=4 ready=1 replaced=2 purged=1
"#,
    );
}

#[test]
fn nothing_goes_before_all_have_their_keys_and_an_operator_may_do_what_he_does() {
    check(
        r#"
create jobs car/# keep_settled=60000
p connect
  p connack 00
a connect rm=1
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p publish 1 car/1/x a1 id=1
  a publish 1 id=1 car/1/x a1
  p puback 1 00
p publish 1 car/1/y a2 id=2
  p puback 2 00
p publish 1 car/2/x b1 id=3
  p puback 3 00
log slow
change jobs strategy=4 key=level(2)
a puback 1
p publish 1 car/2/y b2 id=4
  p puback 4 00
# One that asks for a key waits until there are keys.
purge jobs key=1
purge jobs filter=car/1/y
seek jobs offset=0
  at 0 purged=0 restored=1
change jobs key=level(3)
change jobs paused=yes
change jobs paused=no
ledger jobs
  enqueued=4 ready=4
log reads
  a publish 1 id=2 car/1/x a1
  purged 1
  purged 0
ledger jobs
  enqueued=4 ready=2 in_flight=1 purged=1
a puback 2
  a publish 1 id=3 car/2/x b1
a puback 3
  a publish 1 id=4 car/2/y b2
# Without keys it goes on at once, and one that is gone is no matter.
log slow
change jobs key=level(2)
change jobs strategy=1
p publish 1 car/9 c id=5
  p puback 5 00
a puback 4
  a publish 1 id=5 car/9 c
log reads
log slow
change jobs strategy=4
purge jobs key=1
delete jobs
  a disconnect 98 "the queue of subscription $queue/jobs was deleted"
  a closed
  there is no queue 'jobs'
log reads
"#,
    );
}

#[test]
fn a_restart_goes_on_making_keys() {
    for middle in
        ["crash", "checkpoint\ncrash", "checkpoint\ncrash shards=2", "crash\ncheckpoint\ncrash"]
    {
        check(&format!(
            r#"
create jobs car/# retry_delay=60000
create state car/#
p connect
  p connack 00
p publish 1 car/1 a1 id=1
  p puback 1 00
p publish 1 car/1 a2 id=2
  p puback 2 00
p publish 1 car/2 b1 id=3
  p puback 3 00
log slow
change jobs strategy=4
change state last_value=yes
p publish 1 car/2 b2 id=4
  p puback 4 00
{middle}
ledger state
  enqueued=4 ready=2 replaced=2
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 car/1 a1
  a publish 1 id=2 car/2 b1
a puback 1
  a publish 1 id=3 car/1 a2
checkpoint
crash
ledger state
  enqueued=4 ready=2 replaced=2
"#
        ));
    }
}

/// A publisher's shard may not know of the change when its message is stored behind it.
#[test]
fn one_that_comes_with_a_key_of_other_days_gets_a_new_one() {
    check_on(
        3,
        &Config::default(),
        r#"
create state v last_value=yes key=payload.k
create jobs v
p connect
  p connack 00
p publish 1 v {"k":1,"j":1} id=1
  p puback 1 00
log hold
change state key=payload.j
  no answer yet
change jobs strategy=4 key=payload.j
  no answer yet
p publish 1 v {"k":1,"j":2} id=2
log commit
  p puback 2 00
p publish 1 v {"k":2,"j":2} id=3
  p puback 3 00
log hold
p publish 1 v {"k":3,"j":3} id=4
log commit
  p puback 4 00
ledger state
  enqueued=4 ready=3 replaced=1
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 v {"k":1,"j":1}
  a publish 1 id=2 v {"k":1,"j":2}
  a publish 1 id=3 v {"k":3,"j":3}
crash
ledger state
  enqueued=4 ready=3 replaced=1
"#,
    );
}

#[test]
fn one_without_a_key_has_its_topic_or_is_a_dead_letter() {
    check(
        r#"
create jobs v/#
create strict v/# dead_unkeyed=yes dead_letter=own
p connect
  p connack 00
p publish 1 v/1 {"k":1} id=1
  p puback 1 00
p publish 1 v/1 {"k":2} id=2
  p puback 2 00
p publish 1 v/1 none id=3
  p puback 3 00
p publish 1 v/1 none id=4
  p puback 4 00
change jobs last_value=yes key=payload.k
ledger jobs
  enqueued=4 ready=3 replaced=1
change strict last_value=yes key=payload.k
ledger strict
  enqueued=4 ready=2 dead_lettered=2
ledger dead:strict
  enqueued=2 ready=2
# Who the publisher was is not known of those that wait.
change jobs key=client_id
p publish 1 v/1 {"k":1} id=5
  p puback 5 00
ledger jobs
  enqueued=5 ready=2 replaced=3
peek jobs
  3 Ready v/1 none qos=1 at=0 attempts=0 key=v/1
  4 Ready v/1 {"k":1} qos=1 at=0 attempts=0
"#,
    );
}

#[test]
fn a_dead_letter_of_before_comes_back_with_a_key_of_now() {
    check(
        r#"
create jobs v last_value=yes key=payload.k dead_letter=own
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p publish 1 v {"k":1,"j":1} id=1
  a publish 1 id=1 v {"k":1,"j":1}
  p puback 1 00
a puback 1 99
a unsubscribe 2 $queue/jobs
  a unsuback 2 00
change jobs key=payload.j
p publish 1 v {"k":2,"j":1} id=2
  p puback 2 00
redrive dead:jobs
  redriven 1
ledger jobs
  enqueued=3 ready=1 replaced=1 dead_lettered=1
"#,
    );
}

#[test]
fn a_damaged_message_stops_the_queue_and_nothing_is_lost() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
p publish 1 work 2 id=2
  p puback 2 00
damage 8
change jobs last_value=yes
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
wait 5000
wait 31000
alarms
  queue_stalled jobs since=36000
purge jobs key=work
  purged 0
ledger jobs
  enqueued=2 ready=2
"#,
    );
}

#[test]
fn making_keys_is_no_stall_as_long_as_it_goes_on() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
a connect
  a connack 00
log slow
change jobs strategy=4
a subscribe 1 $queue/jobs,1
  a suback 1 01
wait 5000
wait 20000
alarms
wait 20000
alarms
  queue_stalled jobs since=45000
log reads
  a publish 1 id=1 work 1
wait 5000
alarms
"#,
    );
}

#[test]
fn a_stream_keeps_the_newest_of_each_new_key_and_its_groups_their_order() {
    check(
        r#"
stream cars car/#
p connect
  p connack 00
p publish 1 car/1 a1 id=1
  p puback 1 00
p publish 1 car/1 a2 id=2
  p puback 2 00
p publish 1 car/2 b1 id=3
  p puback 3 00
log slow
restream cars key=level(2)
a connect
  a connack 00
a subscribe 1 $stream/cars,1 up=stream-group:g up=stream-offset:earliest
  a suback 1 01
cut cars key=1
p publish 1 car/2 b2 id=4
  p puback 4 00
log reads
  a publish 1 id=1 car/2 b1
  purged 2
restream cars last_value=yes
kept cars
  appended=4 kept=1 replaced=1 purged=2 readers=1 members=1
a puback 1
  a publish 1 id=2 car/2 b2
log slow
restream cars key=level(1)
p publish 1 car/3 c1 id=5
  p puback 5 00
checkpoint
crash
kept cars
  appended=5 kept=1 replaced=2 purged=2 readers=1
"#,
    );
}
