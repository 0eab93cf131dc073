//! Keys: the order of each, the newest value of each; one active consumer.

use super::check;

#[test]
fn messages_of_a_key_go_one_after_the_other_to_one_consumer() {
    check(
        r#"
create jobs car/+ strategy=4 key=level(2)
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
b connect
  b connack 00
b subscribe 1 $queue/jobs,1
  b suback 1 01
p connect
  p connack 00
p publish 1 car/1 a1 id=1
  a publish 1 id=1 car/1 a1
  p puback 1 00
p publish 1 car/1 a2 id=2
  p puback 2 00
p publish 1 car/2 b1 id=3
  b publish 1 id=1 car/2 b1
  p puback 3 00
p publish 1 car/2 b2 id=4
  p puback 4 00
a puback 1 80
b puback 1
  a publish 1 id=2 car/2 b2
wait 1300
  b publish 1 id=2 car/1 a1
a puback 2
crash
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 car/1 a1
  a publish 1 id=2 car/2 b2
ledger jobs
  enqueued=4 settled=1 ready=1 in_flight=2
"#,
    );
}

#[test]
fn a_key_may_be_of_the_publisher_or_of_the_payload() {
    check(
        r#"
create newest v last_value=yes key=concat(client_id,payload.k)
p connect
  p connack 00
q connect
  q connack 00
p publish 1 v {"k":1,"n":1} id=1
  p puback 1 00
q publish 1 v {"k":1,"n":2} id=1
  q puback 1 00
p publish 1 v {"k":2,"n":3} id=2
  p puback 2 00
p publish 1 v {"k":1,"n":4} id=3
  p puback 3 00
ledger newest
  enqueued=4 ready=3 replaced=1
crash
p connect
  p connack 00
p publish 1 v {"k":2,"n":5} id=4
  p puback 4 00
ledger newest
  enqueued=5 ready=3 replaced=2
a connect
  a connack 00
a subscribe 1 $queue/newest,1
  a suback 1 01
  a publish 1 id=1 v {"k":1,"n":2}
  a publish 1 id=2 v {"k":1,"n":4}
  a publish 1 id=3 v {"k":2,"n":5}
"#,
    );
}

#[test]
fn one_consumer_is_active_and_the_next_takes_over() {
    check(
        r#"
create jobs work strategy=5
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
b connect
  b connack 00
b subscribe 1 $queue/jobs,1
  b suback 1 01
p connect
  p connack 00
p publish 1 work one id=1
  a publish 1 id=1 work one
  p puback 1 00
p publish 1 work two id=2
  a publish 1 id=2 work two
  p puback 2 00
a lost
  b publish 1 id=1 work one
  b publish 1 id=2 work two
"#,
    );
}

#[test]
fn what_a_queue_does_can_be_changed_while_it_works() {
    check(
        r#"
create jobs work max_inflight=1
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p connect
  p connack 00
p publish 1 work one id=1
  a publish 1 id=1 work one
  p puback 1 00
p publish 1 work two id=2
  p puback 2 00
p publish 1 work three id=3
  p puback 3 00
change jobs max_inflight=2
  a publish 1 id=2 work two
change jobs paused=yes
a puback 1
change jobs paused=no
  a publish 1 id=3 work three
change jobs filter=play
p publish 1 work four id=4
  p puback 4 10
p publish 1 play five id=5
  p puback 5 00
ledger jobs
  enqueued=4 settled=1 ready=1 in_flight=2
crash
ledger jobs
  enqueued=4 settled=1 ready=3
"#,
    );
}
