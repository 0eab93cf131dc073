//! The lives of connections: CONNECT, takeover, wills, keep alive, protocol errors, drain.

use super::check;

#[test]
fn a_second_connection_takes_the_session_over() {
    check(
        r#"
a connect expiry=100
  a connack 00
a subscribe 1 t,1
  a suback 1 01
b connect
  b connack 00
a connect keep expiry=100
  a connack 00 present
  a~1 disconnect 8e
b publish 1 t one id=1
  a publish 1 id=1 t one
  b puback 1 00
a connect v=3.1.1
  a connack 00
  a~3 disconnect 8e
"#,
    );
}

#[test]
fn a_will_is_published_when_the_client_goes_without_a_word() {
    check(
        r#"
w connect
  w connack 00
w subscribe 1 will/#,1
  w suback 1 01
a connect will=will/a:gone:1
  a connack 00
a lost
  w publish 1 id=1 will/a gone
a connect will=will/a:gone:0
  a connack 00
a disconnect
  a closed
a connect will=will/a:gone:0
  a connack 00
a disconnect 04
  a closed
  w publish 0 will/a gone
# A takeover is one of those ways.
a connect will=will/a:first:0
  a connack 00
a connect
  a connack 00
  a~5 disconnect 8e
  w publish 0 will/a first
# A delayed will waits, and is forgotten when the client is back.
d connect will=will/d:late:0 delay=5 expiry=60
  d connack 00
d lost
wait 4000
d connect keep will=will/d:late:0 delay=5 expiry=60
  d connack 00 present
wait 10000
d lost
wait 4999
wait 1
  w publish 0 will/d late
# It does not wait longer than the session.
e connect will=will/e:late:0 delay=50 expiry=2
  e connack 00
e lost
wait 2000
  w publish 0 will/e late
"#,
    );
}

#[test]
fn who_is_silent_for_too_long_is_disconnected() {
    check(
        r#"
a connect keepalive=10
  a connack 00
wait 14000
a ping
  a pingresp
wait 14999
wait 1
  a disconnect 8d
  a closed
"#,
    );
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    check(
        r#"
a connect
  a connack 00
a connect
  a connack 00
  a~1 disconnect 8e
a raw 10 0c 00 04 4d 51 54 54 04 02 00 00 00 00
  a disconnect 82
  a closed
b connect
  b connack 00
b raw 90 04 00 01 00 00
  b disconnect 82
  b closed
c connect
  c connack 00
c raw f0 00
  c disconnect 82 "AUTH: reason code success (0x00) is not one of this packet (§2.4)"
  c closed
d connect
  d connack 00
d raw c1 00
  d disconnect 81 "PINGREQ: reserved flags of the fixed header are wrong [MQTT-2.1.3-1]"
  d closed
e connect
  e connack 00
e subscribe 1 $share/g/t,1,nl
  e disconnect 82 "SUBSCRIBE: no local is set on a shared subscription [MQTT-3.8.3-4]"
  e closed
f connect
  f connack 00
f pubrel 9
  f pubcomp 9 92
g connect auth=SCRAM
  g connack 8c
  g closed
h connect v=3.1 noid
  h connack 85
  h closed
i connect v=3.1.1 keep noid
  i connack 85
  i closed
j connect
  j connack 00
j publish 1 t x id=1
  j puback 1 10
j puback 4
"#,
    );
}

#[test]
fn a_drain_says_goodbye_to_all() {
    check(
        r#"
a connect
  a connack 00
b connect v=3.1.1
  b connack 00
a subscribe 1 $q/t,1
  a suback 1 01
b publish 1 t one id=1
  a publish 1 id=1 t one
  b puback 1 00
drain
  a disconnect 8b
  a closed
  b closed
c connect
  c connack 88
  c closed
ledger t
  enqueued=1 ready=1
"#,
    );
}

#[test]
fn a_ping_is_a_moment_to_give_memory_back_and_nothing_else() {
    check(
        r#"
create jobs work
a connect expiry=100
  a connack 00
a subscribe 1 t,1 $queue/jobs,1 metadata
  a suback 1 01 01
p connect
  p connack 00
p publish 1 t one id=1
  a publish 1 id=1 t one
  p puback 1 00
p publish 1 work two id=2
  a publish 1 id=32768 work two queue:jobs offset:0 attempt:1 publish-ts:1700000000000
  p puback 2 00
a puback 1
a ping
  a pingresp
a puback 32768
ledger jobs
  enqueued=1 settled=1
a lost
p publish 1 work three id=3
  p puback 3 00
a connect keep expiry=100
  a connack 00 present
  a publish 1 id=32769 work three queue:jobs offset:1 attempt:1 publish-ts:1700000000000
"#,
    );
}

#[test]
fn no_packet_is_larger_than_the_client_takes() {
    check(
        r#"
# A CONNACK of ours has 16 bytes or so: before there is a session, the client hears that it cannot be had.
s connect mps=200 expiry=100
  s connack 00
s connect mps=8 expiry=100
  s connack 95
  s closed
s connect keep mps=200 expiry=100
  s connack 00 present
  s~1 disconnect 8e
s connect mps=4 keep
  s closed
# A SUBACK has a byte for each filter.
f connect mps=20
  f connack 00
f subscribe 1 a,0 b,0 c,0
  f suback 1 00 00 00
f subscribe 2 a,0 b,0 c,0 d,0 e,0 f,0 g,0 h,0 i,0 j,0 k,0 l,0 m,0 n,0 o,0 p,0 q,0 r,0
  f disconnect 95
  f closed
"#,
    );
}
