//! What durable sessions and retained messages are after a crash: what was acknowledged holds.

use super::{check, check_with};
use crate::config::Config;

#[test]
fn subscriptions_and_messages_survive_a_crash() {
    check(
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t/+,2 sid=7
  a suback 1 02
b connect v=3.1.1 keep
  b connack 00
b subscribe 1 $share/g/t/#,1
  b suback 1 01
p connect
  p connack 00
p publish 1 t/1 one id=1
  a publish 1 id=1 t/1 one sid=7
  b publish 1 id=1 t/1 one
  p puback 1 00
a puback 1
b puback 1
wait 60
p publish 1 t/1 two id=2
  a publish 1 id=2 t/1 two sid=7
  b publish 1 id=2 t/1 two
  p puback 2 00
wait 60
crash
p connect
  p connack 00
# Nobody of them is there.
p publish 1 t/2 three id=1 expiry=100
  p puback 1 00
p publish 0 t/2 zero
wait 7000
a connect keep expiry=1000
  a connack 00 present
  a publish 1 id=2 dup t/1 two sid=7
  a publish 1 id=3 t/2 three expiry=93 sid=7
b connect v=3.1.1 keep
  b connack 00 present
  b publish 1 id=2 dup t/1 two
  b publish 1 id=3 t/2 three
a puback 2
a puback 3
b puback 2
b puback 3
wait 60
checkpoint
crash
a connect keep expiry=1000
  a connack 00 present
a unsubscribe 1 t/+
  a unsuback 1 00
crash
a connect keep expiry=1000
  a connack 00 present
p connect
  p connack 00
p publish 1 t/3 four id=1
  p puback 1 00
b connect v=3.1.1 keep
  b connack 00 present
  b publish 1 id=4 t/3 four
# A clean start ends it, also for the next process.
b connect v=3.1.1
  b connack 00
crash
b connect v=3.1.1 keep
  b connack 00
ends
  0
"#,
    );
}

#[test]
fn suback_and_unsuback_wait_for_the_disk() {
    check(
        r#"
a connect expiry=1000
  a connack 00
r connect
  r connack 00
r publish 1 t kept id=1 retain
  r puback 1 10
log hold
a subscribe 1 t,1
# Live it runs from now on, but only the disk makes it a promise.
r publish 0 t zero
  a publish 0 t zero
a ping
  a pingresp
log commit
  a suback 1 01
  a publish 1 id=1 retain t kept
log hold
a unsubscribe 2 t
crash
# It was not answered, and did not happen.
a connect keep expiry=1000
  a connack 00 present
  a publish 1 id=1 dup retain t kept
r connect
  r connack 00
r publish 1 t two id=1
  a publish 1 id=2 t two
  r puback 1 00
# A subscription that cannot be stored is none.
log hold
a subscribe 3 u,1 t,0
log fails
log commit
  a suback 3 83 83 "subscription not stored: the log has failed: a test"
r publish 0 u three
r publish 0 t four
  a publish 0 t four
ends
  0
"#,
    );
}

#[test]
fn qos_2_to_a_client_is_exactly_once_over_crashes() {
    check(
        r#"
a connect rm=2 expiry=1000
  a connack 00
a subscribe 1 t,2
  a suback 1 02
p connect
  p connack 00
p publish 2 t one id=1
  a publish 2 id=1 t one
  p pubrec 1 00
log hold
a pubrec 1
# PUBREL would let the client forget the packet id.
a pubrec 1
crash
# That it was sent had not been written either, hence no DUP; but the packet id is the same.
a connect keep rm=2 expiry=1000
  a connack 00 present
  a publish 2 id=1 t one
a pubrec 1
  a pubrel 1 00
crash
a connect keep rm=2 expiry=1000
  a connack 00 present
  a pubrel 1 00
a pubcomp 1
wait 60
crash
a connect keep rm=2 expiry=1000
  a connack 00 present
p connect
  p connack 00
p publish 2 t two id=1
  a publish 2 id=2 t two
  p pubrec 1 00
a pubrec 2 80
ends
  0
"#,
    );
}

#[test]
fn qos_2_from_a_client_is_stored_once_over_crashes() {
    check(
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t,1
  a suback 1 01
p connect expiry=1000
  p connack 00
p publish 2 t one id=5
  a publish 1 id=1 t one
  p pubrec 5 00
crash
p connect keep expiry=1000
  p connack 00 present
p publish 2 t one id=5 dup
  p pubrec 5 00
log hold
p pubrel 5
p pubrel 5
log commit
  p pubcomp 5 00
log hold
p publish 2 t two id=5
log commit
  p pubrec 5 00
log hold
p pubrel 5
crash
p connect keep expiry=1000
  p connack 00 present
p pubrel 5
  p pubcomp 5 00
checkpoint
crash
p connect keep expiry=1000
  p connack 00 present
p publish 2 t three id=5
  p pubrec 5 00
a connect keep expiry=1000
  a connack 00 present
  a publish 1 id=1 t one
  a publish 1 id=2 t two
  a publish 1 id=3 t three
"#,
    );
}

#[test]
fn a_backlog_is_read_from_the_disk_as_the_window_allows() {
    check(
        r#"
a connect rm=2 expiry=1000
  a connack 00
a subscribe 1 t/#,1
  a suback 1 01
a lost
p connect
  p connack 00
p publish 1 t/1 one id=1
  p puback 1 00
p publish 1 t/2 two id=2 expiry=5
  p puback 2 00
p publish 1 t/3 three id=3
  p puback 3 00
p publish 1 t/4 four id=4
  p puback 4 00
p publish 1 t/5 five id=5
  p puback 5 00
wait 6000
a connect keep rm=2 expiry=1000
  a connack 00 present
  a publish 1 id=1 t/1 one
  a publish 1 id=3 t/3 three
p publish 1 t/6 six id=6
  p puback 6 00
a puback 3
  a publish 1 id=4 t/4 four
a block
a puback 1
a puback 4
a unblock
  a publish 1 id=5 t/5 five
  a publish 1 id=6 t/6 six
"#,
    );
}

#[test]
fn a_backlog_has_limits_after_a_restart_too() {
    let mut config = Config::default();
    config.limits.max_pending_messages = 2;
    check_with(
        &config,
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t,1
  a suback 1 01
a lost
p connect
  p connack 00
p publish 1 t one id=1
  p puback 1 00
p publish 1 t two id=2
  p puback 2 00
log hold
p publish 1 t three id=3
log commit
  p puback 3 00
crash
a connect keep expiry=1000
  a connack 00 present
  a publish 1 id=2 t two
  a publish 1 id=3 t three
"#,
    );
}

#[test]
fn wills_and_expiry_are_exact_over_restarts() {
    check(
        r#"
w connect expiry=4000000000
  w connack 00
w subscribe 1 will/#,1
  w suback 1 01
a connect will=will/a:gone:1 delay=10 expiry=60
  a connack 00
b connect will=will/b:gone:1 delay=100 expiry=20
  b connack 00
c connect will=will/c:gone:1 delay=10 expiry=60
  c connack 00
d connect will=will/d:gone:1 delay=10 expiry=60
  d connack 00
d disconnect
  d closed
a lost
b lost
wait 4000
crash
w connect keep expiry=4000000000
  w connack 00 present
checkpoint
# c was connected: it counts as gone since the restart.
wait 5999
wait 1
  w publish 1 id=1 will/a gone
w puback 1
wait 100
crash
w connect keep expiry=4000000000
  w connack 00 present
wait 3899
wait 1
  w publish 1 id=2 will/c gone
# b's session ends, and with it the wait for its will.
wait 5999
wait 1
  w publish 1 id=3 will/b gone
b connect keep expiry=60
  b connack 00
a connect keep expiry=60
  a connack 00 present
a lost
wait 59000
crash
wait 1000
a connect keep expiry=60
  a connack 00
"#,
    );
}

#[test]
fn retained_messages_survive_a_crash_and_stay_gone_after_it() {
    check(
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 0 r/b two retain expiry=100
p publish 1 r/c three id=2 retain
  p puback 2 10
checkpoint
p publish 1 r/a four id=3 retain
  p puback 3 10
p publish 1 r/c - id=4 retain
  p puback 4 10
log hold
p publish 1 r/d five id=5 retain
crash
wait 40000
a connect
  a connack 00
a subscribe 1 #,1
  a suback 1 01
  a publish 1 id=1 retain r/a four
  a publish 0 retain r/b two expiry=60
checkpoint
crash
a connect
  a connack 00
a subscribe 1 #,1
  a suback 1 01
  a publish 1 id=1 retain r/a four
  a publish 0 retain r/b two expiry=60
"#,
    );
}

#[test]
fn pubcomp_goes_to_the_connection_that_asked() {
    check(
        r#"
p connect keep expiry=1000
  p connack 00
create q q
p publish 2 q one id=1
  p pubrec 1 00
log hold
p pubrel 1
p lost
p connect keep expiry=1000
  p connack 00 present
# The client has not asked on this connection, and will.
log commit
p pubrel 1
  p pubcomp 1 92
p publish 2 q two id=1
  p pubrec 1 00
log hold
p pubrel 1
p lost
p connect keep expiry=1000
  p connack 00 present
p pubrel 1
log commit
  p pubcomp 1 00
"#,
    );
}
