//! Why messages go where they go, as an operator is told.

use super::check;

#[test]
fn a_publish_says_where_it_would_go() {
    check(
        r#"
would a/1
  sessions=0 groups=0 sinks=0
create jobs a/# max_messages=1
create ring a/1 max_messages=1 overflow=drop
create last a/1 last_value=yes key=client_id
create keyed a/1 strategy=4 key=payload.id
stream log a/+ key=level(2)
a connect expiry=100
  a connack 00
a subscribe 1 a/+,1,nl a/#,2 b,0
  a suback 1 01 02 00
a disconnect
  a closed
g connect
  g connack 00
g subscribe 1 $share/g/a/#,1
  g suback 1 01
p connect
  p connack 00
p subscribe 1 a/1,0
  p suback 1 00
would a/1
  sessions=2 groups=1 sinks=5
  group g a/# 1/1 RoundRobin
  queue jobs a/#
  queue ring a/1
  queue last a/1 key by client_id of client_id
  queue keyed a/1 key by payload.id of payload
  stream log a/+ key=1
  a a/# qos=2 away durable
  a a/+ qos=1 away durable nl
  p a/1 qos=0
would a/1 client=x limit=0
  sessions=2 groups=1 sinks=5
p publish 1 a/1 x id=1 retain
  g publish 1 id=1 a/1 x
  p publish 0 a/1 x
  p puback 1 00
would $delayed/5/a/1 client=x
  to a/1 in 5s
  a retained message stands
  sessions=2 groups=1 sinks=5
  group g a/# 1/1 RoundRobin
  queue jobs a/#: message not stored: queue 'jobs' is full, its max_messages is 1
  queue ring a/1 drops the oldest
  queue last a/1 key=x
  queue keyed a/1 key by payload.id of payload
  stream log a/+ key=1
  a a/# qos=2 away durable
  a a/+ qos=1 away durable nl
  p a/1 qos=0
"#,
    );
}

#[test]
fn some_topics_are_nobodys() {
    check(
        r#"
would $SYS/x
  reserved: only the broker itself publishes under $SYS/
  sessions=0 groups=0 sinks=0
would $q/x
  reserved: this is an address to subscribe to; publish to an ordinary topic
  sessions=0 groups=0 sinks=0
would $delayed/soon/x
  reserved: a delayed message is published to $delayed/<seconds>/<topic>, at most 4294967295 seconds ahead and to no address of the broker's own
  sessions=0 groups=0 sinks=0
would a/+
  topic: topic name has a wildcard
a connect expiry=100
  a connack 00
a subscribe 1 durable,1
  a suback 1 01
log full
# What nobody stores goes its way.
would x
  sessions=0 groups=0 sinks=0
would $delayed/5/x
  to x in 5s
  97: the broker's disk is full
  sessions=0 groups=0 sinks=0
would durable
  97: the broker's disk is full
  sessions=1 groups=0 sinks=0
  a durable qos=1 durable
"#,
    );
}

#[test]
fn a_message_of_a_queue_says_what_keeps_it() {
    check(
        r#"
create jobs work/# max_inflight=1
p connect
  p connack 00
p publish 1 work/a 1 id=1
  p puback 1 00
wait 10
p publish 1 work/b 2 id=2
  p puback 2 00
why queue jobs offset=0
  0..2 ready=2 in_flight=0 delayed=0 consumers=0
  held no_consumers: no consumer is attached
  0 Ready attempts=0 stored=0 expires=604800000
  no_consumers: no consumer is attached
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
  c publish 1 id=1 work/a 1
wait 20
why queue jobs offset=0 limit=0
  0..2 ready=1 in_flight=1 delayed=0 consumers=1
  held no_credit: no consumer has credit: 1 messages are unsettled
  0 InFlight attempts=0 stored=0 expires=604800000 since=10 at=c
  unsettled: a consumer has it and has not settled it at=c until=300010
why queue jobs offset=1 since=5
  0..2 ready=1 in_flight=1 delayed=0 consumers=1 since=1
  held no_credit: no consumer has credit: 1 messages are unsettled
  1 Ready attempts=0 stored=10 expires=604800010
  no_credit: no consumer has credit: 1 messages are unsettled
pause jobs
  done
why queue jobs offset=1 since=11
  0..2 ready=1 in_flight=1 delayed=0 consumers=1
  held paused: the queue is paused
  1 Ready attempts=0 stored=10 expires=604800010
  paused: the queue is paused
c puback 1
wait 100
why queue jobs offset=0
  1..2 ready=1 in_flight=0 delayed=0 consumers=1 settled=1
  held paused: the queue is paused
  0 Left attempts=0
  left: it is not here any more
why queue jobs offset=7
  1..2 ready=1 in_flight=0 delayed=0 consumers=1 settled=1
  held paused: the queue is paused
  7 NotYet attempts=0
  not_yet: it has not come yet
why queue none
  there is no queue 'none'
why stream jobs
  there is no stream 'jobs'
"#,
    );
}

#[test]
fn a_message_whose_key_is_busy_names_the_message_and_the_client() {
    check(
        r#"
create jobs work/# strategy=4
p connect
  p connack 00
p publish 1 work/a 1 id=1
  p puback 1 00
p publish 1 work/a 2 id=2
  p puback 2 00
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
  c publish 1 id=1 work/a 1
d connect
  d connack 00
d subscribe 1 $queue/jobs,1
  d suback 1 01
why queue jobs offset=1
  0..2 ready=1 in_flight=1 delayed=0 consumers=2
  held keys_busy: the keys of all 1 waiting messages have unsettled ones
  1 Ready attempts=0 stored=0 expires=604800000
  key_busy: the message at offset 0, of the same key, is unsettled offset=0 at=c
"#,
    );
}

#[test]
fn a_body_that_does_not_come_is_said() {
    check(
        r#"
create jobs work/#
p connect
  p connack 00
p publish 1 work/a 1 id=1
  p puback 1 00
log slow
c connect
  c connack 00
c subscribe 1 $queue/jobs,1
  c suback 1 01
why queue jobs offset=0
  0..1 ready=0 in_flight=1 delayed=0 consumers=1
  held awaiting_body: the log has not given the message at offset 0 yet offset=0
  0 InFlight attempts=0 stored=0 expires=604800000 since=0 at=c
  unsettled: a consumer has it and has not settled it at=c until=300000
  awaiting_body: the log has not given the message at offset 0 yet offset=0
log reads
  c publish 1 id=1 work/a 1
"#,
    );
}

#[test]
fn a_message_of_a_stream_says_how_it_stands_to_each_reader() {
    check(
        r#"
stream log k/#
p connect
  p connack 00
p publish 1 k/x 0 id=1
  p puback 1 00
p publish 1 k/y 1 id=2
  p puback 2 00
why stream log
  0..2 kept=2 readers=0 consumers=0
  held no_consumers: nobody reads it at this moment
c connect
  c connack 00
c subscribe 1 $stream/log,1 up=stream-offset:earliest
  c suback 1 01
  c publish 1 id=1 k/x 0
  c publish 1 id=2 k/y 1
c puback 1
wait 100
why stream log offset=0
  0..2 kept=2 readers=1 consumers=1
  0 Kept attempts=0 stored=0 expires=604800000
  client c at 1 settled
why stream log offset=1
  0..2 kept=2 readers=1 consumers=1
  1 Kept attempts=0 stored=0 expires=604800000
  client c at 1 unsettled: a client has it and has not settled it at=c
cut log
  purged 2
why stream log offset=1
  2..2 kept=0 readers=1 consumers=1 purged=2
  1 Left attempts=0
  left: it is not here any more
"#,
    );
}
