//! Dead letters: why they come to be, where they go, and that none is lost on the way.

use super::check;

#[test]
fn what_a_consumer_rejects_is_a_dead_letter_with_reasons() {
    check(
        r#"
create jobs work dead_letter=own
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work bad id=1 up=k:v expiry=9
  a publish 1 id=1 work bad expiry=9 k:v
  p puback 1 00
a puback 1 99
ledger jobs
  enqueued=1 dead_lettered=1
ledger dead:jobs
  enqueued=1 ready=1
d connect
  d connack 00
d subscribe 1 $dead/jobs,1
  d suback 1 01
  d publish 1 id=1 work bad k:v dead-reason:rejected dead-attempts:1 dead-queue:jobs dead-offset:0
d puback 1
ledger dead:jobs
  enqueued=1 settled=1
"#,
    );
}

#[test]
fn a_message_is_tried_as_often_as_the_queue_allows() {
    check(
        r#"
create jobs work dead_letter=own max_attempts=2
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
p connect
  p connack 00
p publish 1 work bad id=1
  a publish 1 id=1 work bad queue:jobs offset:0 attempt:1 publish-ts:1700000000000
  p puback 1 00
a puback 1 80
wait 2000
  a publish 1 id=2 work bad queue:jobs offset:0 attempt:2 publish-ts:1700000000000
a puback 2 80
ledger jobs
  enqueued=1 dead_lettered=1
d connect
  d connack 00
d subscribe 1 $dead/jobs,1
  d suback 1 01
  d publish 1 id=1 work bad dead-reason:max_attempts dead-attempts:2 dead-queue:jobs dead-offset:0
"#,
    );
}

#[test]
fn dead_letters_can_be_subscribed_to_before_there_are_any() {
    check(
        r#"
create jobs work dead_letter=own
d connect
  d connack 00
d subscribe 1 $dead/jobs,1
  d suback 1 01
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work bad id=1
  a publish 1 id=1 work bad
  p puback 1 00
a puback 1 99
  d publish 1 id=1 work bad dead-reason:rejected dead-attempts:1 dead-queue:jobs dead-offset:0
d puback 1
ledger dead:jobs
  enqueued=1 settled=1
"#,
    );
}

#[test]
fn a_session_goes_on_with_the_dead_letters_it_subscribed_to() {
    check(
        r#"
create jobs work dead_letter=own
d connect expiry=1000
  d connack 00
d subscribe 1 $dead/jobs,1
  d suback 1 01
d lost
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work bad id=1
  a publish 1 id=1 work bad
  p puback 1 00
a puback 1 99
d connect keep expiry=1000
  d connack 00 present
  d publish 1 id=32768 work bad dead-reason:rejected dead-attempts:1 dead-queue:jobs dead-offset:0
crash
d connect keep expiry=1000
  d connack 00 present
  d publish 1 id=59392 work bad dead-reason:rejected dead-attempts:1 dead-queue:jobs dead-offset:0
d puback 59392
ledger dead:jobs
  enqueued=1 settled=1
"#,
    );
}

#[test]
fn dead_letters_go_to_the_queue_that_is_named() {
    check(
        r#"
create morgue -
create jobs work dead_letter=morgue
create more work dead_letter=later
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work bad id=1
  a publish 1 id=1 work bad
  p puback 1 00
a puback 1 99
ledger morgue
  enqueued=1 ready=1
d connect
  d connack 00
d subscribe 1 $dead/jobs,1 $queue/morgue,1
  d suback 1 01 01
  d publish 1 id=1 work bad dead-reason:rejected dead-attempts:1 dead-queue:jobs dead-offset:0
b connect
  b connack 00
b subscribe 1 $queue/more,1
  b suback 1 01
  b publish 1 id=1 work bad
b puback 1 99
ledger later
  enqueued=1 ready=1
"#,
    );
}

#[test]
fn what_expires_or_is_dropped_may_be_a_dead_letter() {
    check(
        r#"
create old work dead_letter=own retention=5000 dead_expired=yes
create few work dead_letter=own max_messages=1 overflow=drop dead_dropped=yes
p connect
  p connack 00
p publish 1 work one id=1
  p puback 1 00
p publish 1 work two id=2 expiry=2
  p puback 2 00
ledger few
  enqueued=2 ready=1 dead_lettered=1
ledger dead:few
  enqueued=1 ready=1
wait 2001
ledger old
  enqueued=2 ready=1 dead_lettered=1
wait 3000
ledger old
  enqueued=2 dead_lettered=2
d connect
  d connack 00
d subscribe 1 $dead/old,1
  d suback 1 01
  d publish 1 id=1 work two dead-reason:expired dead-attempts:0 dead-queue:old dead-offset:1
  d publish 1 id=2 work one dead-reason:expired dead-attempts:0 dead-queue:old dead-offset:0
"#,
    );
}

#[test]
fn what_is_too_large_for_all_is_a_dead_letter() {
    check(
        r#"
create jobs work dead_letter=own
a connect mps=100
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work - id=1 size=200
  p puback 1 00
ledger jobs
  enqueued=1 dead_lettered=1
ledger dead:jobs
  enqueued=1 ready=1
"#,
    );
}

#[test]
fn a_queue_that_keeps_no_dead_letters_counts_them_as_dropped() {
    check(
        r#"
create jobs work dead_letter=none
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work bad id=1
  a publish 1 id=1 work bad
  p puback 1 00
a puback 1 99
ledger jobs
  enqueued=1 dropped=1
ledger dead:jobs
  no such queue
d connect
  d connack 00
d subscribe 1 $dead/jobs,1
  d suback 1 83 "queue 'jobs' keeps no dead letters"
"#,
    );
}

#[test]
fn a_dead_letter_survives_a_crash_on_either_side_of_its_record() {
    check(
        r#"
create jobs work dead_letter=own
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work one id=1
  a publish 1 id=1 work one
  p puback 1 00
p publish 1 work two id=2
  a publish 1 id=2 work two
  p puback 2 00
wait 100
log hold
a puback 1 99
ledger jobs
  enqueued=2 in_flight=1 dead_lettered=1
crash
ledger jobs
  enqueued=2 ready=2
ledger dead:jobs
  no such queue
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work one
  a publish 1 id=2 work two
a puback 1 99
crash
ledger jobs
  enqueued=2 ready=1 dead_lettered=1
ledger dead:jobs
  enqueued=1 ready=1
d connect
  d connack 00
d subscribe 1 $dead/jobs,1
  d suback 1 01
  d publish 1 id=1 work one dead-reason:rejected dead-attempts:2 dead-queue:jobs dead-offset:0
"#,
    );
}

#[test]
fn a_checkpoint_has_what_is_on_its_way_to_the_dead_letters() {
    check(
        r#"
create morgue - max_messages=1
create jobs work dead_letter=morgue
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work one id=1
  a publish 1 id=1 work one
  p puback 1 00
p publish 1 work two id=2
  a publish 1 id=2 work two
  p puback 2 00
a puback 1 99
a puback 2 99
checkpoint
crash
ledger jobs
  enqueued=2 dead_lettered=2
d connect
  d connack 00
d subscribe 1 $queue/morgue,1
  d suback 1 01
  d publish 1 id=1 work one dead-reason:rejected dead-attempts:1 dead-queue:jobs dead-offset:0
d puback 1
wait 1000
  d publish 1 id=2 work two dead-reason:rejected dead-attempts:1 dead-queue:jobs dead-offset:1
d puback 2
ledger morgue
  enqueued=2 settled=2
crash
ledger jobs
  enqueued=2 dead_lettered=2
ledger morgue
  enqueued=2 settled=1 ready=1
"#,
    );
}

#[test]
fn dead_letters_wait_for_the_disk() {
    check(
        r#"
create jobs work dead_letter=own
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work one id=1
  a publish 1 id=1 work one
  p puback 1 00
p publish 1 work two id=2
  a publish 1 id=2 work two
  p puback 2 00
a puback 1 99
log full
a puback 2 99
ledger jobs
  enqueued=2 dead_lettered=2
ledger dead:jobs
  enqueued=1 ready=1
log well
wait 1001
ledger jobs
  enqueued=2 dead_lettered=2
ledger dead:jobs
  enqueued=2 ready=2
"#,
    );
}

#[test]
fn dead_letters_wait_for_room_in_their_queue() {
    check(
        r#"
create morgue - max_messages=1
create jobs work dead_letter=morgue
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work one id=1
  a publish 1 id=1 work one
  p puback 1 00
p publish 1 work two id=2
  a publish 1 id=2 work two
  p puback 2 00
a puback 1 99
a puback 2 99
ledger jobs
  enqueued=2 dead_lettered=2
ledger morgue
  enqueued=1 ready=1
crash
d connect
  d connack 00
d subscribe 1 $queue/morgue,1
  d suback 1 01
  d publish 1 id=1 work one dead-reason:rejected dead-attempts:1 dead-queue:jobs dead-offset:0
d puback 1
wait 1001
d puback 2
ledger morgue
  enqueued=1 settled=1
ledger jobs
  enqueued=2 ready=1 dead_lettered=1
"#,
    );
}

#[test]
fn a_deleted_queue_lets_go_of_what_is_on_its_way() {
    check(
        r#"
create morgue - max_messages=1
create jobs work dead_letter=morgue
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work one id=1
  a publish 1 id=1 work one
  p puback 1 00
p publish 1 work two id=2
  a publish 1 id=2 work two
  p puback 2 00
a puback 1 99
a puback 2 99
delete jobs
  a disconnect 98 "the queue of subscription $queue/jobs was deleted"
  a closed
ledger morgue
  enqueued=1 ready=1
crash
ledger morgue
  enqueued=1 ready=1
"#,
    );
}

#[test]
fn dead_letters_are_sent_back() {
    check(
        r#"
create jobs work dead_letter=own
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
p connect
  p connack 00
p publish 1 work one id=1 up=k:v
  a publish 1 id=1 work one k:v queue:jobs offset:0 attempt:1 publish-ts:1700000000000
  p puback 1 00
p publish 1 work two id=2
  a publish 1 id=2 work two queue:jobs offset:1 attempt:1 publish-ts:1700000000000
  p puback 2 00
a puback 1 99
a puback 2 99
redrive dead:jobs
  a publish 1 id=3 work one k:v queue:jobs offset:2 attempt:1 publish-ts:1700000000000
  a publish 1 id=4 work two queue:jobs offset:3 attempt:1 publish-ts:1700000000000
  redriven 2
ledger dead:jobs
  enqueued=2 settled=2
ledger jobs
  enqueued=4 in_flight=2 dead_lettered=2
a puback 3 99
crash
ledger dead:jobs
  enqueued=3 settled=2 ready=1
ledger jobs
  enqueued=4 ready=1 dead_lettered=3
"#,
    );
}

#[test]
fn dead_letters_are_sent_back_from_a_queue_of_many_or_elsewhere() {
    check(
        r#"
create morgue -
create one t/1 dead_letter=morgue
create two t/2 dead_letter=morgue
create other - max_messages=1
a connect
  a connack 00
a subscribe 1 $queue/one,1 $queue/two,1
  a suback 1 01 01
p connect
  p connack 00
p publish 1 t/1 a id=1
  a publish 1 id=1 t/1 a
  p puback 1 00
p publish 1 t/2 b id=2
  a publish 1 id=2 t/2 b
  p puback 2 00
p publish 1 t/1 c id=3
  a publish 1 id=3 t/1 c
  p puback 3 00
a puback 1 99
a puback 2 99
a puback 3 99
a unsubscribe 2 $queue/one $queue/two
  a unsuback 2 00 00
redrive morgue only=two
  redriven 1
redrive morgue to=none
  redriven 0, then: there is no queue 'none'
redrive morgue to=morgue
  redriven 0, then: queue 'morgue' is the one that the messages are in
redrive morgue to=other
  redriven 1, then: queue 'other' is full
ledger other
  enqueued=1 ready=1
ledger morgue
  enqueued=3 settled=2 ready=1
delete one
redrive morgue
  redriven 0, then: there is no queue 'one'
ledger two
  enqueued=2 ready=1 dead_lettered=1
"#,
    );
}

#[test]
fn a_redrive_is_answered_when_it_is_durable() {
    check(
        r#"
create jobs work dead_letter=own
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work one id=1
  a publish 1 id=1 work one
  p puback 1 00
a puback 1 99
a unsubscribe 2 $queue/jobs
  a unsuback 2 00
log hold
redrive dead:jobs
crash
ledger dead:jobs
  enqueued=1 ready=1
ledger jobs
  enqueued=1 dead_lettered=1
log full
redrive dead:jobs
  the log takes no messages now
log well
log hold
redrive dead:jobs
log fails
log commit
  the log takes no messages now
ledger dead:jobs
  enqueued=1 settled=1
ledger jobs
  enqueued=1 dead_lettered=1
log well
wait 1000
ledger jobs
  enqueued=2 ready=1 dead_lettered=1
crash
ledger dead:jobs
  enqueued=1 settled=1
ledger jobs
  enqueued=2 ready=1 dead_lettered=1
"#,
    );
}

#[test]
fn a_message_without_a_key_is_a_dead_letter_where_one_is_wanted() {
    check(
        r#"
create jobs work last_value=yes key=payload.k dead_unkeyed=yes dead_letter=own max_messages=1
create other work last_value=yes key=payload.k
p connect
  p connack 00
p publish 1 work none id=1
  p puback 1 00
p publish 1 work {"k":1} id=2
  p puback 2 00
ledger jobs
  enqueued=2 ready=1 dead_lettered=1
ledger other
  enqueued=2 ready=2
crash
ledger jobs
  enqueued=2 ready=1 dead_lettered=1
d connect
  d connack 00
d subscribe 1 $dead/jobs,1
  d suback 1 01
  d publish 1 id=1 work none dead-reason:unkeyed dead-attempts:0 dead-queue:jobs dead-offset:0
d lost
# Who sends it back wants it all the same: its topic is its key.
change jobs max_messages=2
redrive dead:jobs
  redriven 1
ledger jobs
  enqueued=3 ready=2 dead_lettered=1
"#,
    );
}

#[test]
fn who_subscribes_again_gets_the_dead_letters_of_where_they_go_now() {
    check(
        r#"
create first -
create second -
create work w dead_letter=first
p connect
  p connack 00
d connect
  d connack 00
d subscribe 1 $dead/work,1
  d suback 1 01
c connect
  c connack 00
c subscribe 1 $queue/work,1
  c suback 1 01
p publish 1 w one id=1
  c publish 1 id=1 w one
  p puback 1 00
c puback 1 99
  d publish 1 id=1 w one dead-reason:rejected dead-attempts:1 dead-queue:work dead-offset:0
change work dead_letter=second
d subscribe 2 $dead/work,1
  d suback 2 01
p publish 1 w two id=2
  c publish 1 id=2 w two
  p puback 2 00
c puback 2 99
  d publish 1 id=2 w two dead-reason:rejected dead-attempts:1 dead-queue:work dead-offset:1
d puback 2
d puback 1
ledger first
  enqueued=1 ready=1
ledger second
  enqueued=1 settled=1
d unsubscribe 3 $dead/work
  d unsuback 3 00
ends
  0
"#,
    );
}
