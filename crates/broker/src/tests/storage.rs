//! A log that is slow, full or broken (contract §1, promise 1).

use super::{check, check_with};
use crate::config::Config;

#[test]
fn a_full_disk_is_told_in_5_0() {
    check(
        r#"
create jobs work
l connect
  l connack 00
l subscribe 1 #,0
  l suback 1 00
p connect
  p connack 00
log full
p publish 1 work one id=1
  p puback 1 97 "message not stored: the broker's disk is full"
p publish 2 work two id=2
  p pubrec 2 97 "message not stored: the broker's disk is full"
p publish 1 other three id=3
  l publish 0 other three
  p puback 3 00
# Nobody can be told at QoS 0: the live road goes on.
p publish 0 work zero
  l publish 0 work zero
log well
p publish 1 work four id=4
  l publish 0 work four
  p puback 4 00
p publish 2 work two id=2
  l publish 0 work two
  p pubrec 2 00
ledger jobs
  enqueued=2 ready=2
"#,
    );
}

#[test]
fn a_client_of_3_x_is_held_until_there_is_room() {
    check(
        r#"
create jobs work
p connect v=3.1.1
  p connack 00
log full
p publish 1 work one id=1
p publish 1 work two id=2
p ping
wait 20000
log well
  p pingresp
  p puback 1 00
  p puback 2 00
log full
p publish 1 work three id=3
wait 29999
wait 1
  p closed
ledger jobs
  enqueued=2 ready=2
"#,
    );
}

#[test]
fn a_held_message_at_qos_2_can_be_sent_again() {
    check(
        r#"
create jobs work
p connect v=3.1.1 keep
  p connack 00
log full
p publish 2 work one id=1
p lost
p connect v=3.1.1 keep
  p connack 00 present
log well
p publish 2 work one id=1 dup
  p pubrec 1 00
p pubrel 1
  p pubcomp 1 00
log full
p publish 2 work two id=2
wait 30000
  p closed
log well
p connect v=3.1.1 keep
  p connack 00 present
p publish 2 work two id=2 dup
  p pubrec 2 00
p pubrel 2
  p pubcomp 2 00
ledger jobs
  enqueued=2 ready=2
"#,
    );
}

#[test]
fn a_failed_log_is_told_and_the_rest_goes_on() {
    check(
        r#"
create jobs work
l connect
  l connack 00
l subscribe 1 #,1
  l suback 1 01
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
p connect
  p connack 00
p publish 1 work zero id=9
  c publish 1 id=1 work zero
  l publish 1 id=1 work zero
  p puback 9 00
log hold
p publish 1 work one id=1
  l publish 1 id=2 work one
log fails
log commit
  p puback 1 83 "message not stored: the broker's log has failed, see its messages"
p publish 1 work two id=2
  p puback 2 83 "message not stored: the broker's log has failed, see its messages"
p publish 1 other three id=3
  l publish 1 id=3 other three
  p puback 3 00
c puback 1
ledger jobs
  enqueued=1 settled=1
ends
  0
"#,
    );
}

#[test]
fn a_publisher_waits_while_the_log_is_behind_and_goes_on_when_it_is_not() {
    let config = Config { max_log_backlog_bytes: 200, ..Config::default() };
    check_with(
        &config,
        r#"
create jobs work
create more else
p connect
  p connack 00
q connect
  q connack 00
l connect
  l connack 00
l subscribe 1 #,0
  l suback 1 00
log hold
p publish 0 work 1
  l publish 0 work 1
p publish 0 work 2
  l publish 0 work 2
p publish 0 work 3
  l publish 0 work 3
p publish 0 else 4
  l publish 0 else 4
p publish 0 live 5
q publish 0 else 6
  l publish 0 else 6
log commit
  l publish 0 live 5
wait 10
ledger jobs
  enqueued=3 ready=3
ledger more
  enqueued=2 ready=2
"#,
    );
}

#[test]
fn who_subscribes_faster_than_the_log_answers_is_not_read() {
    let config = Config { max_waiting_answers: 2, ..Config::default() };
    check_with(
        &config,
        r#"
a connect expiry=100
  a connack 00
b connect
  b connack 00
log hold
a subscribe 1 a,1
a subscribe 2 b,1
a unsubscribe 3 a
a ping
a subscribe 4 c,1
# Others are read.
b ping
  b pingresp
log commit
  a suback 1 01
  a suback 2 01
  a unsuback 3 00
  a pingresp
  a suback 4 01
"#,
    );
}

#[test]
fn who_waits_for_one_queue_over_and_over_is_not_read() {
    let config = Config { max_waiting_answers: 2, ..Config::default() };
    check_with(
        &config,
        r#"
a connect
  a connack 00
log hold
a subscribe 1 $q/t,1
a subscribe 2 $q/t,1
a subscribe 3 $q/t,1
a ping
log commit
  a suback 1 01
  a suback 2 01
  a suback 3 01
wait 10
  a pingresp
"#,
    );
}

/// `[MQTT311-4.6.0-2]`, `[MQTT311-4.6.0-3]`
#[test]
fn acknowledgements_leave_in_the_order_of_the_messages() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 nobody zero id=1
  p puback 1 10
log hold
p publish 1 work one id=2
p publish 1 nobody two id=3
p publish 2 nobody three id=4
log commit
  p puback 2 00
  p puback 3 10
  p pubrec 4 10
"#,
    );
}

#[test]
fn a_client_of_3_x_is_held_when_its_message_fails_on_its_way_to_the_disk() {
    check(
        r#"
create jobs work
l connect
  l connack 00
l subscribe 1 #,0
  l suback 1 00
p connect v=3.1.1
  p connack 00
log hold
p publish 1 work one id=1
  l publish 0 work one
p publish 2 work two id=2
  l publish 0 work two
p publish 1 elsewhere three id=3
  l publish 0 elsewhere three
log full
p publish 1 work four id=4
log commit
p ping
wait 29000
log well
  l publish 0 work four
  p pingresp
  p puback 1 00
  p pubrec 2 00
  p puback 3 00
  p puback 4 00
ledger jobs
  enqueued=3 ready=3
ends
  0
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
  c publish 1 id=1 work one
  c publish 1 id=2 work two
  c publish 1 id=3 work four
# It does not wait for ever, and may send again what was not stored.
log hold
q connect v=3.1.1 keep
  q connack 00
q publish 2 work five id=5
  l publish 0 work five
log fails
log commit
wait 30000
  q closed
ends
  0
"#,
    );
}

#[test]
fn a_held_retained_message_does_not_take_the_place_of_a_newer_one() {
    check(
        r#"
create jobs t
p connect v=3.1.1
  p connack 00
r connect
  r connack 00
log hold
p publish 1 t old id=1 retain
log full
log commit
r publish 0 t new retain
log well
  p puback 1 00
s connect
  s connack 00
s subscribe 1 t,1
  s suback 1 01
  s publish 0 retain t new
"#,
    );
}

/// What ran live to a member of a group is not for another one when it is stored after all.
#[test]
fn a_held_message_that_a_member_was_given_live_goes_to_no_other() {
    check(
        r#"
create jobs work
d connect
  d connack 00
d subscribe 1 $share/g/work,1
  d suback 1 01
p connect v=3.1.1
  p connack 00
log hold
p publish 1 work one id=1
  d publish 1 id=1 work one
log full
log commit
d puback 1
e connect expiry=1000
  e connack 00
e subscribe 1 $share/g/work,1
  e suback 1 01
d lost
wait 1000
log well
  p puback 1 00
ledger jobs
  enqueued=1 ready=1
"#,
    );
}
