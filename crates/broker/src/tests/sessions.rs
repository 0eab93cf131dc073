//! What survives a connection.

use super::{check, check_with};
use crate::config::Config;

#[test]
fn a_session_keeps_what_comes_while_its_client_is_away() {
    check(
        "
a connect expiry=100
a subscribe 1 t,2
a lost
p connect
p publish 0 t none id=1
p publish 1 t one id=1
p publish 2 t two id=2
p pubrel 2
a connect keep expiry=100
a puback 1
a pubrec 2
# What is not acknowledged comes again, in order.
p publish 1 t three id=3
a lost
a connect keep expiry=100
a pubcomp 2
a puback 3
a lost
wait 100000
a connect keep expiry=100
",
    );
}

#[test]
fn a_window_of_one_lets_one_through_at_a_time() {
    check(
        "
a connect rm=1 expiry=100
a subscribe 1 t,1
p connect
p publish 1 t one id=1
p publish 1 t two id=2
p publish 0 t zero
a puback 1
a lost
p publish 1 t three id=3
a connect keep rm=1 expiry=100
a puback 2
a puback 3
",
    );
}

#[test]
fn what_was_begun_is_sent_again_whatever_its_age_and_size() {
    check(
        "
a connect rm=2 expiry=1000
a subscribe 1 t,2
p connect
p publish 1 t aged id=1 expiry=5
p publish 1 t next id=2
a lost
wait 6000
# Its delivery was begun: it is not too old, and no packet id is lost for ever.
a connect keep rm=2 expiry=1000
a puback 1
a puback 2
p publish 1 t - id=3 size=200
p publish 2 t - id=4 size=200
a lost
# Too large for the client now: given up, so that others get their turn.
a connect keep rm=2 mps=100 expiry=1000
p publish 1 t one id=5
p publish 1 t two id=6
",
    );
}

#[test]
fn a_message_expires_in_a_session() {
    check(
        "
a connect expiry=1000
a subscribe 1 t,1
a lost
p connect
p publish 1 t short id=1 expiry=5
p publish 1 t long id=2 expiry=50
wait 5500
a connect keep expiry=1000
",
    );
}

#[test]
fn a_full_session_drops_its_oldest_message() {
    let mut config = Config::default();
    config.limits.max_pending_messages = 2;
    check_with(
        &config,
        "
a connect expiry=100
a subscribe 1 t,1
a lost
p connect
p publish 1 t one id=1
p publish 1 t two id=2
p publish 1 t three id=3
a connect keep expiry=100
",
    );
}

#[test]
fn qos_2_is_once_across_connections() {
    check(
        "
a connect
a subscribe 1 #,0
create q q
p connect expiry=100
log hold
p publish 2 q one id=1
p lost
p connect keep expiry=100
p publish 2 q one id=1 dup
log commit
p publish 2 q one id=1 dup
p pubrel 1
p pubrel 1
ledger q
ends
",
    );
}
