//! The lives of connections: CONNECT, takeover, wills, keep alive, protocol errors, drain.

use super::check;

#[test]
fn a_second_connection_takes_the_session_over() {
    check(
        "
a connect expiry=100
a subscribe 1 t,1
b connect
a connect keep expiry=100
b publish 1 t one id=1
a connect v=3.1.1
",
    );
}

#[test]
fn a_will_is_published_when_the_client_goes_without_a_word() {
    check(
        "
w connect
w subscribe 1 will/#,1
a connect will=will/a:gone:1
a lost
a connect will=will/a:gone:0
a disconnect
a connect will=will/a:gone:0
a disconnect 04
# A takeover is one of those ways.
a connect will=will/a:first:0
a connect
# A delayed will waits, and is forgotten when the client is back.
d connect will=will/d:late:0 delay=5 expiry=60
d lost
wait 4000
d connect keep will=will/d:late:0 delay=5 expiry=60
wait 10000
d lost
wait 4999
wait 1
# It does not wait longer than the session.
e connect will=will/e:late:0 delay=50 expiry=2
e lost
wait 2000
",
    );
}

#[test]
fn who_is_silent_for_too_long_is_disconnected() {
    check(
        "
a connect keepalive=10
wait 14000
a ping
wait 14999
wait 1
",
    );
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    check(
        "
a connect
a connect
a raw 10 0c 00 04 4d 51 54 54 04 02 00 00 00 00
b connect
b raw 90 04 00 01 00 00
c connect
c raw f0 00
d connect
d raw c1 00
e connect
e subscribe 1 $share/g/t,1,nl
f connect
f pubrel 9
g connect auth=SCRAM
h connect v=3.1 noid
i connect v=3.1.1 keep noid
j connect
j publish 1 t x id=1
j puback 4
",
    );
}

#[test]
fn a_drain_says_goodbye_to_all() {
    check(
        "
a connect
b connect v=3.1.1
a subscribe 1 $q/t,1
b publish 1 t one id=1
drain
c connect
ledger t
",
    );
}
