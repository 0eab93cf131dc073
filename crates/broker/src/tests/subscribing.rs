//! What SUBACK says (contract §2).

use super::{check, check_with};
use crate::config::Config;

#[test]
fn suback_tells_the_truth() {
    check(
        "
create jobs work
a connect
a subscribe 1 a/+b,1 t/#,2 #/t,0
a subscribe 2 $q/a/+b,1
a subscribe 3 $queue/-x,1
a subscribe 4 $queue/jobs/other,1
a subscribe 5 $q/jobs,1
a subscribe 6 $share/g/$q/x,1
a subscribe 7 $share/g,1
a subscribe 8 $queue/none,1
a subscribe 9 $q/$SYS/#,1
a subscribe 10 $queue/jobs,2 $q/new/+,1 $queue/fresh/new/+,0
a subscribe 11 $dead/jobs,1
a unsubscribe 12 t/# nothing $queue/jobs
b connect v=3.1.1
b subscribe 1 $queue/none,1 t,1 a/+b,1
b unsubscribe 2 t
",
    );
}

#[test]
fn a_queue_is_not_made_when_it_may_not_be() {
    let config = Config { auto_create: false, ..Config::default() };
    check_with(
        &config,
        "
a connect
a subscribe 1 $q/t,1
",
    );
    let config = Config { max_queues: 1, ..Config::default() };
    check_with(
        &config,
        "
a connect
a subscribe 1 $q/t,1 $q/u,1
a subscribe 2 $q/t,2
b connect v=3.1.1
b subscribe 1 $q/u,1
",
    );
}

#[test]
fn a_definition_that_cannot_be_stored_is_refused() {
    check(
        "
a connect
log fails
a subscribe 1 $q/t,1
ends
",
    );
}

#[test]
fn a_client_that_leaves_before_its_queue_is_there_leaves_nothing_behind() {
    check(
        "
a connect
log hold
a subscribe 1 $q/t,1
b connect
b subscribe 1 $q/t,1
a lost
log commit
ends
p connect
p publish 1 t one id=1
ledger t
",
    );
}

#[test]
fn words_are_left_out_for_who_takes_small_packets_only() {
    check(
        "
a connect mps=40
a subscribe 1 $queue/none,1
",
    );
}
