//! A log that is slow, full or broken (contract §1, promise 1).

use super::{check, check_with};
use crate::config::Config;

#[test]
fn a_full_disk_is_told_in_5_0() {
    check(
        "
create jobs work
l connect
l subscribe 1 #,0
p connect
log full
p publish 1 work one id=1
p publish 2 work two id=2
p publish 1 other three id=3
# Nobody can be told at QoS 0: the live road goes on.
p publish 0 work zero
log well
p publish 1 work four id=4
p publish 2 work two id=2
ledger jobs
",
    );
}

#[test]
fn a_client_of_3_x_is_held_until_there_is_room() {
    check(
        "
create jobs work
p connect v=3.1.1
log full
p publish 1 work one id=1
p publish 1 work two id=2
p ping
wait 20000
log well
log full
p publish 1 work three id=3
wait 29999
wait 1
ledger jobs
",
    );
}

#[test]
fn a_held_message_at_qos_2_can_be_sent_again() {
    check(
        "
create jobs work
p connect v=3.1.1 keep
log full
p publish 2 work one id=1
p lost
p connect v=3.1.1 keep
log well
p publish 2 work one id=1 dup
p pubrel 1
log full
p publish 2 work two id=2
wait 30000
log well
p connect v=3.1.1 keep
p publish 2 work two id=2 dup
p pubrel 2
ledger jobs
",
    );
}

#[test]
fn a_failed_log_is_told_and_the_rest_goes_on() {
    check(
        "
create jobs work
l connect
l subscribe 1 #,1
c connect
c subscribe 1 $queue/jobs,1
p connect
p publish 1 work zero id=9
log hold
p publish 1 work one id=1
log fails
log commit
p publish 1 work two id=2
p publish 1 other three id=3
c puback 1
ledger jobs
ends
",
    );
}

#[test]
fn a_publisher_waits_while_the_log_is_behind_and_goes_on_when_it_is_not() {
    let config = Config { max_log_backlog_bytes: 200, ..Config::default() };
    check_with(
        &config,
        "
create jobs work
create more else
p connect
q connect
l connect
l subscribe 1 #,0
log hold
p publish 0 work 1
p publish 0 work 2
p publish 0 work 3
p publish 0 else 4
p publish 0 live 5
q publish 0 else 6
log commit
wait 10
ledger jobs
ledger more
",
    );
}

#[test]
fn acknowledgements_leave_in_the_order_of_the_messages() {
    check(
        "
create jobs work
p connect
p publish 1 nobody zero id=1
log hold
p publish 1 work one id=2
p publish 1 nobody two id=3
p publish 2 nobody three id=4
log commit
",
    );
}
