//! What survives a connection.

use super::{check, check_with};
use crate::config::Config;

#[test]
fn a_session_keeps_what_comes_while_its_client_is_away() {
    check(
        r#"
a connect expiry=100
  a connack 00
a subscribe 1 t,2
  a suback 1 02
a lost
p connect
  p connack 00
p publish 0 t none
p publish 1 t one id=1
  p puback 1 00
p publish 2 t two id=2
  p pubrec 2 00
p pubrel 2
  p pubcomp 2 00
a connect keep expiry=100
  a connack 00 present
  a publish 1 id=1 t one
  a publish 2 id=2 t two
a puback 1
a pubrec 2
  a pubrel 2 00
# What is not acknowledged comes again, in order.
p publish 1 t three id=3
  a publish 1 id=3 t three
  p puback 3 00
a lost
a connect keep expiry=100
  a connack 00 present
  a pubrel 2 00
  a publish 1 id=3 dup t three
a pubcomp 2
a puback 3
a lost
wait 100000
a connect keep expiry=100
  a connack 00
"#,
    );
}

#[test]
fn a_window_of_one_lets_one_through_at_a_time() {
    check(
        r#"
a connect rm=1 expiry=100
  a connack 00
a subscribe 1 t,1
  a suback 1 01
p connect
  p connack 00
p publish 1 t one id=1
  a publish 1 id=1 t one
  p puback 1 00
p publish 1 t two id=2
  p puback 2 00
p publish 0 t zero
  a publish 0 t zero
a puback 1
  a publish 1 id=2 t two
a lost
p publish 1 t three id=3
  p puback 3 00
a connect keep rm=1 expiry=100
  a connack 00 present
  a publish 1 id=2 dup t two
a puback 2
  a publish 1 id=3 t three
a puback 3
"#,
    );
}

#[test]
fn what_was_begun_is_sent_again_whatever_its_age_and_size() {
    check(
        r#"
a connect rm=2 expiry=1000
  a connack 00
a subscribe 1 t,2
  a suback 1 02
p connect
  p connack 00
p publish 1 t aged id=1 expiry=5
  a publish 1 id=1 t aged expiry=5
  p puback 1 00
p publish 1 t next id=2
  a publish 1 id=2 t next
  p puback 2 00
a lost
wait 6000
# Its delivery was begun: it is not too old, and no packet id is lost for ever.
a connect keep rm=2 expiry=1000
  a connack 00 present
  a publish 1 id=1 dup t aged expiry=0
  a publish 1 id=2 dup t next
a puback 1
a puback 2
p publish 1 t - id=3 size=200
  a publish 1 id=3 t <200 bytes>
  p puback 3 00
p publish 2 t - id=4 size=200
  a publish 2 id=4 t <200 bytes>
  p pubrec 4 00
a lost
# Too large for the client now: given up, so that others get their turn.
a connect keep rm=2 mps=100 expiry=1000
  a connack 00 present
  a pubrel 4 00
p publish 1 t one id=5
  a publish 1 id=5 t one
  p puback 5 00
p publish 1 t two id=6
  a publish 1 id=6 t two
  p puback 6 00
"#,
    );
}

#[test]
fn a_message_expires_in_a_session() {
    check(
        r#"
a connect expiry=1000
  a connack 00
a subscribe 1 t,1
  a suback 1 01
a lost
p connect
  p connack 00
p publish 1 t short id=1 expiry=5
  p puback 1 00
p publish 1 t long id=2 expiry=50
  p puback 2 00
wait 5500
a connect keep expiry=1000
  a connack 00 present
  a publish 1 id=2 t long expiry=45
"#,
    );
}

#[test]
fn a_full_session_drops_its_oldest_message() {
    let mut config = Config::default();
    config.limits.max_pending_messages = 2;
    check_with(
        &config,
        r#"
a connect expiry=100
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
p publish 1 t three id=3
  p puback 3 00
a connect keep expiry=100
  a connack 00 present
  a publish 1 id=2 t two
  a publish 1 id=3 t three
"#,
    );
}

#[test]
fn qos_2_is_once_across_connections() {
    check(
        r#"
a connect
  a connack 00
a subscribe 1 #,0
  a suback 1 00
create q q
p connect expiry=100
  p connack 00
log hold
p publish 2 q one id=1
  a publish 0 q one
p lost
p connect keep expiry=100
  p connack 00 present
p publish 2 q one id=1 dup
log commit
  p pubrec 1 00
p publish 2 q one id=1 dup
  p pubrec 1 00
p pubrel 1
  p pubcomp 1 00
p pubrel 1
  p pubcomp 1 92
ledger q
  enqueued=1 ready=1
ends
  0
"#,
    );
}
