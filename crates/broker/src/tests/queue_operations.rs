//! What operators do to queues: peek, purge, seek, pause; over crashes, full disks and deletions.

use super::{check, check_with};
use crate::config::Config;

/// Four messages, of which a consumer has two.
const STOCK: &str = r#"
create jobs work/# max_inflight=2
p connect
  p connack 00
p publish 1 work/a 1 id=1
  p puback 1 00
wait 10
p publish 1 work/b 2 id=2
  p puback 2 00
p publish 2 work/a 3 id=3
  p pubrec 3 00
p pubrel 3
  p pubcomp 3 00
p publish 1 work/b 4 id=4
  p puback 4 00
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
  c publish 1 id=1 work/a 1
  c publish 1 id=2 work/b 2
"#;

fn check_stock(rest: &str) {
    check(&format!("{STOCK}{rest}"));
}

#[test]
fn looking_changes_nothing() {
    check_stock(
        r#"
peek jobs
  0 InFlight work/a 1 qos=1 at=0 attempts=0
  1 InFlight work/b 2 qos=1 at=10 attempts=0
  2 Ready work/a 3 qos=2 at=10 attempts=0
  3 Ready work/b 4 qos=1 at=10 attempts=0
peek jobs from=1 limit=2
  1 InFlight work/b 2 qos=1 at=10 attempts=0
  2 Ready work/a 3 qos=2 at=10 attempts=0
  next 3
peek jobs state=ready limit=1
  2 Ready work/a 3 qos=2 at=10 attempts=0
  next 3
peek jobs from=4
peek jobs state=delayed
c puback 1 80
  c publish 1 id=3 work/a 3
peek jobs state=delayed
  0 Delayed work/a 1 qos=1 at=0 attempts=1
peek nothing
  there is no queue 'nothing'
consumers jobs
  c $queue/jobs qos=1 in_flight=2/2 since=10
ledger jobs
  enqueued=4 ready=1 in_flight=2 delayed=1
"#,
    );
}

#[test]
fn a_body_that_cannot_be_read_is_shown_without_one_and_stays_in_a_purge_by_filter() {
    check_with(
        &Config::default(),
        r#"
create jobs work/#
p connect
  p connack 00
p publish 1 work/a 1 id=1
  p puback 1 00
p publish 1 work/a 2 id=2
  p puback 2 00
damage 8
peek jobs
  0 Ready - at=0 attempts=0
  1 Ready work/a 2 qos=1 at=0 attempts=0
purge jobs filter=work/a
  purged 1
ledger jobs
  enqueued=2 ready=1 purged=1
purge jobs
  purged 1
ledger jobs
  enqueued=2 purged=2
"#,
    );
}

#[test]
fn a_purge_leaves_what_is_in_flight_and_lasts() {
    check_stock(
        r#"
purge jobs
  purged 2
ledger jobs
  enqueued=4 in_flight=2 purged=2
crash
ledger jobs
  enqueued=4 ready=2 purged=2
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
  c publish 1 id=1 work/a 1
  c publish 1 id=2 work/b 2
c puback 1
c puback 2
wait 50
ledger jobs
  enqueued=4 settled=2 purged=2
purge jobs
  purged 0
"#,
    );
}

#[test]
fn a_purge_by_filter_takes_what_was_published_to_a_topic_that_matches() {
    check_stock(
        r#"
purge jobs filter=work/b
  purged 1
wait 50
wait 50
wait 50
crash
peek jobs
  0 Ready work/a 1 qos=1 at=0 attempts=1
  1 Ready work/b 2 qos=1 at=10 attempts=1
  2 Ready work/a 3 qos=2 at=10 attempts=0
purge jobs filter=work/+
  purged 3
purge jobs filter=#
  purged 0
crash
peek jobs
ledger jobs
  enqueued=4 purged=4
"#,
    );
}

#[test]
fn the_answer_to_a_purge_waits_for_its_record() {
    check_stock(
        r#"
log hold
purge jobs
# It is gone here, but not answered: after a crash it is back.
ledger jobs
  enqueued=4 in_flight=2 purged=2
crash
ledger jobs
  enqueued=4 ready=4
log hold
purge jobs
log commit
  purged 4
crash
ledger jobs
  enqueued=4 purged=4
"#,
    );
}

#[test]
fn a_purge_makes_room_on_a_full_disk_and_fails_on_one_that_has_failed() {
    check_stock(
        r#"
log full
purge jobs
  purged 2
crash
ledger jobs
  enqueued=4 ready=2 purged=2
log fails
purge jobs
  not all of it could be stored: a test; 0 messages are gone and 0 are ready again, which a restart may undo in part
ledger jobs
  enqueued=4 ready=2 purged=2
"#,
    );
}

#[test]
fn what_comes_during_a_purge_stays() {
    check(
        r#"
create jobs work/#
p connect
  p connack 00
p publish 1 work/a 1 id=1
  p puback 1 00
log hold
p publish 1 work/a 2 id=2
purge jobs
log commit
  p puback 2 00
  purged 1
peek jobs
  1 Ready work/a 2 qos=1 at=0 attempts=0
"#,
    );
}

#[test]
fn a_queue_that_is_deleted_ends_what_is_under_way() {
    check_stock(
        r#"
c lost
log hold
delete jobs
seek jobs latest
seek jobs earliest
  a seek of queue 'jobs' is under way; ask again when it has ended
log commit
  there is no queue 'jobs'
ends
  0
"#,
    );
}

#[test]
fn a_seek_forward_passes_over_what_waits_before() {
    check_stock(
        r#"
seek jobs offset=3
  at 3 purged=1 restored=0
peek jobs
  0 InFlight work/a 1 qos=1 at=0 attempts=0
  1 InFlight work/b 2 qos=1 at=10 attempts=0
  3 Ready work/b 4 qos=1 at=10 attempts=0
crash
seek jobs time=10
  at 1 purged=1 restored=0
seek jobs latest
  at 4 purged=2 restored=0
seek jobs offset=900
  at 4 purged=0 restored=0
seek jobs earliest
  at 4 purged=0 restored=0
crash
ledger jobs
  enqueued=4 purged=4
p connect
  p connack 00
p publish 1 work/a 5 id=1
  p puback 1 00
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
  c publish 1 id=1 work/a 5
"#,
    );
}

#[test]
fn a_queue_that_is_set_elsewhere_delivers_nothing_meanwhile() {
    check_stock(
        r#"
log hold
seek jobs latest
c puback 1
c puback 2
# There is credit, but what waits is being passed over.
p publish 1 work/a 5 id=5
log commit
  c publish 1 id=3 work/a 5
  p puback 5 00
  at 4 purged=2 restored=0
"#,
    );
}

#[test]
fn a_paused_queue_stores_and_does_not_deliver_until_it_is_resumed() {
    check_stock(
        r#"
pause jobs
  done
c puback 1
c puback 2
p publish 1 work/a 5 id=5
  p puback 5 00
wait 50
ledger jobs
  enqueued=5 settled=2 ready=3
crash
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
ledger jobs
  enqueued=5 settled=2 ready=3
# A seek does not wake it.
seek jobs offset=3
  at 3 purged=1 restored=0
resume jobs
  c publish 1 id=1 work/b 4
  c publish 1 id=2 work/a 5
  done
resume nothing
  there is no queue 'nothing'
"#,
    );
}

#[test]
fn consumers_come_in_pages() {
    check(
        r#"
create jobs work/#
a connect
  a connack 00
b connect rm=5
  b connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
wait 7
b subscribe 1 $queue/jobs/work/#,2
  b suback 1 02
consumers jobs limit=1
  a $queue/jobs qos=1 in_flight=0/32 since=0
  more
consumers nothing
  there is no queue 'nothing'
"#,
    );
}

#[test]
fn a_purge_by_key_takes_what_has_the_key() {
    check(
        r#"
create jobs work/# strategy=4 key=level(2)
create plain work/#
p connect
  p connack 00
p publish 1 work/a 1 id=1
  p puback 1 00
p publish 1 work/b 2 id=2
  p puback 2 00
p publish 1 work/a/x 3 id=3
  p puback 3 00
peek jobs limit=2
  0 Ready work/a 1 qos=1 at=0 attempts=0 key=a
  1 Ready work/b 2 qos=1 at=0 attempts=0 key=b
  next 2
purge jobs key=a filter=work/+
  purged 1
purge jobs key=c
  purged 0
crash
purge jobs key=a
  purged 1
crash
peek jobs
  1 Ready work/b 2 qos=1 at=0 attempts=0 key=b
purge plain key=a
  queue 'plain' keeps no keys: it is neither key_ordered nor last_value
"#,
    );
}

#[test]
fn a_seek_back_brings_again_what_was_settled_and_kept() {
    check(
        r#"
create jobs work keep_settled=3600000 max_inflight=2
p connect
  p connack 00
c connect
  c connack 00
c subscribe 1 $queue/jobs,1 metadata
  c suback 1 01
p publish 1 work 1 id=1
  c publish 1 id=1 work 1 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
  p puback 1 00
p publish 1 work 2 id=2
  c publish 1 id=2 work 2 queue:jobs offset:1 attempt:1 publish-ts:1700000000000
  p puback 2 00
p publish 1 work 3 id=3
  p puback 3 00
c puback 1
  c publish 1 id=3 work 3 queue:jobs offset:2 attempt:1 publish-ts:1700000000000
c puback 2
# The settlements have no record yet: they come into the log before the rewind.
seek jobs offset=1
  c publish 1 id=4 work 2 queue:jobs offset:1 attempt:2 publish-ts:1700000000000
  at 1 purged=0 restored=1
ledger jobs
  enqueued=3 settled=1 in_flight=2
crash
ledger jobs
  enqueued=3 settled=1 ready=2
peek jobs
  0 Settled work 1 qos=1 at=0 attempts=0
  1 Ready work 2 qos=1 at=0 attempts=1
  2 Ready work 3 qos=1 at=0 attempts=1
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
  c publish 1 id=1 work 2
  c publish 1 id=2 work 3
c puback 1
c puback 2
wait 50
seek jobs earliest
  c publish 1 id=3 work 1
  c publish 1 id=4 work 2
  at 0 purged=0 restored=3
c puback 3
  c publish 1 id=5 work 3
checkpoint
crash
ledger jobs
  enqueued=3 settled=1 ready=2
# A seek forward gives up what waits before, and leaves what is settled.
seek jobs latest
  at 3 purged=2 restored=0
ledger jobs
  enqueued=3 settled=1 purged=2
seek jobs earliest
  at 0 purged=0 restored=1
purge jobs
  purged 1
ledger jobs
  enqueued=3 purged=3
"#,
    );
}

#[test]
fn the_answer_to_a_seek_back_waits_for_its_record() {
    check(
        r#"
create jobs work keep_settled=3600000
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
  c publish 1 id=1 work 1
c puback 1
wait 50
log hold
seek jobs earliest
crash
ledger jobs
  enqueued=1 settled=1
log hold
seek jobs earliest
log commit
  at 0 purged=0 restored=1
crash
ledger jobs
  enqueued=1 ready=1
"#,
    );
}
