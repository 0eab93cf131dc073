//! `$delayed/<seconds>/<topic>`.

use super::{check, check_with};
use crate::config::Config;

#[test]
fn a_delayed_message_takes_both_roads_when_its_time_has_come() {
    check(
        r#"
create jobs work
l connect
  l connack 00
l subscribe 1 work,1
  l suback 1 01
p connect
  p connack 00
p publish 1 $delayed/10/work late id=1
  p puback 1 00
p publish 2 $delayed/5/work soon id=2 expiry=60
  p pubrec 2 00
p publish 0 $delayed/7/work never expiry=3
p publish 1 $delayed/0/work now id=3
  l publish 1 id=1 work now
  p puback 3 00
l puback 1
wait 4999
ledger jobs
  enqueued=1 ready=1
wait 1
  l publish 1 id=2 work soon expiry=55
wait 5000
  l publish 1 id=3 work late
ledger jobs
  enqueued=3 ready=3
ends
  0
"#,
    );
}

#[test]
fn a_delay_goes_on_over_a_crash_and_ends_once() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 $delayed/10/work one id=1
  p puback 1 00
p publish 1 $delayed/20/work two id=2
  p puback 2 00
log hold
p publish 1 $delayed/10/work three id=3
crash
wait 9999
wait 1
ledger jobs
  enqueued=1 ready=1
checkpoint
crash
ledger jobs
  enqueued=1 ready=1
wait 5000
checkpoint
crash
wait 5000
ledger jobs
  enqueued=2 ready=2
wait 60
crash
wait 60000
ledger jobs
  enqueued=2 ready=2
p connect
  p connack 00
p publish 1 $delayed/5/r kept id=4 retain
  p puback 4 00
wait 5000
crash
s connect
  s connack 00
s subscribe 1 r,0
  s suback 1 00
  s publish 0 retain r kept
"#,
    );
}

#[test]
fn what_cannot_be_delayed_is_refused() {
    let config = Config { max_delayed_messages: 1, ..Config::default() };
    check_with(
        &config,
        r#"
create jobs work
p connect
  p connack 00
p publish 1 $delayed/soon/work x id=1
  p puback 1 90 "a delayed message is published to $delayed/<seconds>/<topic>, at most 4294967295 seconds ahead and to no address of the broker's own"
p publish 1 $delayed/5/$SYS/x x id=2
  p puback 2 90 "a delayed message is published to $delayed/<seconds>/<topic>, at most 4294967295 seconds ahead and to no address of the broker's own"
p publish 1 $delayed/5/work x id=3
  p puback 3 00
p publish 1 $delayed/5/work x id=4
  p puback 4 97
log full
# It waits for the disk, so that the queue gets it.
wait 6000
log well
wait 1000
ledger jobs
  enqueued=1 ready=1
log full
p publish 1 $delayed/5/work x id=5
  p puback 5 97 "message not stored: the broker's disk is full"
h connect v=3.1.1
  h connack 00
h publish 1 $delayed/5/work held id=1
wait 1000
log well
  h puback 1 00
# The delay counts from when it was sent.
wait 4000
ledger jobs
  enqueued=2 ready=2
ends
  0
"#,
    );
}

#[test]
fn what_waits_is_listed_by_when_it_is_due() {
    let transcript = r#"
p connect
  p connack 00
o connect v=3.1.1
  o connack 00
p publish 1 $delayed/20/b/c hello id=1
  p puback 1 00
o publish 2 $delayed/10/a x id=1 retain
  o pubrec 1 00
put 0 $delayed/30/d y
  put 00
delayed
  <a> due=10000 a qos=2 retain size=2 by=o
  <b> due=20000 b/c qos=1 size=8 by=p
  <d> due=30000 d qos=0 size=2 by=-
# A page at a time.
delayed limit=1
  <a> due=10000 a qos=2 retain size=2 by=o
  next <a>
delayed limit=2 after=<a>
  <b> due=20000 b/c qos=1 size=8 by=p
  <d> due=30000 d qos=0 size=2 by=-
wait 10000
crash
delayed
  <b> due=20000 b/c qos=1 size=8 by=p
  <d> due=30000 d qos=0 size=2 by=-
checkpoint
crash
delayed
  <b> due=20000 b/c qos=1 size=8 by=p
  <d> due=30000 d qos=0 size=2 by=-
ends
  0
"#;
    check_ids(transcript);
}

#[test]
fn a_cancelled_message_never_comes_and_any_other_does() {
    let transcript = r#"
create jobs #
p connect
  p connack 00
o connect v=3.1.1
  o connack 00
p publish 1 $delayed/20/b/c hello id=1
  p puback 1 00
o publish 2 $delayed/10/a x id=1 retain
  o pubrec 1 00
put 0 $delayed/30/d y
  put 00
cancel <b>
  done
cancel <b>
  no such delayed message waits
cancel 1-1
  no such delayed message waits
delayed
  <a> due=10000 a qos=2 retain size=2 by=o
  <d> due=30000 d qos=0 size=2 by=-
# One whose cancellation is not on the disk yet is neither listed nor cancelled twice, and its time may come.
log hold
cancel <a>
cancel <a>
  no such delayed message waits
delayed
  <d> due=30000 d qos=0 size=2 by=-
wait 10000
# Nobody was told that it is cancelled: after a crash it comes.
crash
wait 1
ledger jobs
  enqueued=1 ready=1
log full
cancel <d>
  the cancellation could not be stored: message not stored: the broker's disk is full
log well
checkpoint
cancel <d>
  done
checkpoint
crash
delayed
wait 60000
ledger jobs
  enqueued=1 ready=1
ends
  0
"#;
    check_ids(transcript);
}

/// Checks a transcript in which `<a>`, `<b>`, `<d>` stand for the ids of messages to topics that begin so, as those
/// clients and the operator get them over so many shards.
fn check_ids(transcript: &str) {
    for shards in [1, 3] {
        let mut world = super::World::new(Config { shards, ..Config::default() });
        let setup = transcript.lines().filter(|line| !line.starts_with("  "));
        for line in
            setup.take_while(|line| !line.starts_with("delayed") && !line.starts_with("cancel"))
        {
            if !line.is_empty() && !line.starts_with('#') {
                world.command(line);
            }
        }
        let mut expected = transcript.to_owned();
        for line in world.command("delayed") {
            let mut words = line.split(' ');
            let (id, topic) = (words.next().expect("an id"), words.nth(1).expect("a topic"));
            expected = expected.replace(&format!("<{}>", &topic[..1]), id);
        }
        super::check_on(shards, &Config::default(), &expected);
    }
}

#[test]
fn limits_hold_for_all_shards_together_and_for_bytes() {
    let config = Config { max_delayed_messages: 2, ..Config::default() };
    let transcript = r#"
a connect
  a connack 00
b connect
  b connack 00
c connect
  c connack 00
a publish 1 $delayed/5/t x id=1
  a puback 1 00
b publish 1 $delayed/5/t x id=1
  b puback 1 00
c publish 1 $delayed/5/t x id=1
  c puback 1 97
crash
c connect
  c connack 00
c publish 1 $delayed/5/t x id=1
  c puback 1 97
checkpoint
crash
c connect
  c connack 00
c publish 1 $delayed/5/t x id=1
  c puback 1 97
wait 5000
c publish 1 $delayed/5/t x id=2
  c puback 2 00
"#;
    check_with(&config, transcript);
    let config = Config { max_delayed_bytes: 190, ..Config::default() };
    check_with(&config, transcript);
}
