//! Verdicts of consumers (contract §3, settling).

use super::{check, check_with};
use crate::config::Config;

#[test]
fn each_code_has_its_meaning() {
    check(
        "
create jobs work
a connect
a subscribe 1 $queue/jobs,1 metadata
p connect
p publish 1 work accept id=1
a puback 1
p publish 1 work reject id=2
a puback 2 99
ledger jobs
p publish 1 work busy id=3
a puback 3 97
ledger jobs
# It rests for a second; another gets the message at once, no attempt counted.
b connect
b subscribe 1 $queue/jobs,1 metadata
b puback 1 80
ledger jobs
wait 799
wait 402
ledger jobs
",
    );
}

#[test]
fn a_message_too_large_for_all_is_dead() {
    check(
        "
create jobs work
a connect mps=100
a subscribe 1 $queue/jobs,1
p connect
p publish 1 work - id=1 size=200
ledger jobs
b connect
b subscribe 1 $queue/jobs,1
p publish 1 work - id=2 size=200
p publish 1 work small id=3
ledger jobs
",
    );
}

#[test]
fn a_message_expires_in_a_queue_when_its_turn_comes() {
    check(
        "
create jobs work
p connect
p publish 1 work short id=1 expiry=5
p publish 1 work long id=2 expiry=50
wait 5000
a connect
a subscribe 1 $queue/jobs,1
ledger jobs
",
    );
}

#[test]
fn a_lease_that_runs_out_goes_to_another() {
    let mut config = Config::default();
    config.queue_defaults.ack_timeout = std::time::Duration::from_secs(5);
    check_with(
        &config,
        "
create jobs work
a connect
b connect
a subscribe 1 $queue/jobs,1 metadata
p connect
p publish 1 work 1 id=1
b subscribe 1 $queue/jobs,1 metadata
wait 5000
# Too late.
a puback 1
ledger jobs
b puback 1
ledger jobs
",
    );
}

#[test]
fn busy_without_a_delay_comes_to_rest() {
    let mut config = Config { max_output_buffer_bytes: 50, ..Config::default() };
    config.queue_defaults.retry_delay = std::time::Duration::ZERO;
    config.limits.max_pending_bytes = 100;
    check_with(
        &config,
        "
create jobs work
a connect
a subscribe 1 $queue/jobs,1
a block
p connect
p publish 1 work - id=1 size=60
p publish 1 work - id=2 size=60
p publish 1 work - id=3 size=60
a unblock
a puback 1
a puback 2
ledger jobs
",
    );
}
