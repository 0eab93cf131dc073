//! The watch over queues: an alarm when nothing moves though it could, and when that is over.

use super::{check, check_with};
use crate::config::Config;

#[test]
fn a_queue_whose_consumers_are_always_too_busy_stalls() {
    let mut config = Config::default();
    config.queue_defaults.config.retry_delay = std::time::Duration::from_secs(50);
    check_with(
        &config,
        r#"
create jobs work
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
p connect
  p connack 00
p publish 1 work 1 id=1
  c publish 1 id=1 work 1
  p puback 1 00
c puback 1 97
wait 5000
wait 29000
alarms
wait 5000
alarms
  queue_stalled jobs since=39000
# Its rest is over: it gets the message, and with that nothing waits.
wait 12000
  c publish 1 id=2 work 1
wait 5000
alarms
"#,
    );
}

#[test]
fn waiting_for_consumers_credit_or_the_operator_is_no_stall() {
    check(
        r#"
create jobs work max_inflight=1
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
p publish 1 work 2 id=2
  p puback 2 00
wait 100000
wait 100000
alarms
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
  c publish 1 id=1 work 1
wait 100000
wait 100000
alarms
pause jobs
  done
c puback 1
wait 100000
wait 100000
alarms
"#,
    );
}

#[test]
fn a_damaged_message_stalls_its_queue_until_that_is_deleted() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
damage 8
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
wait 5000
wait 31000
alarms
  queue_stalled jobs since=36000
delete jobs
  c disconnect 98 "the queue of subscription $queue/jobs was deleted"
  c closed
alarms
"#,
    );
}
