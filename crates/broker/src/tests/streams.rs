//! Streams over MQTT: addresses, where readers start, who reads what, groups, settling, limits.

use super::{check, check_with};
use crate::config::Config;

#[test]
fn a_stream_is_read_from_where_a_client_says() {
    check(
        "
p connect
  p connack 00
# The stream is created by its first subscription, and takes what comes from then on.
z connect
  z connack 00
z subscribe 1 $s/latest/log/#,0
  z suback 1 00
p publish 1 log/a one id=1
  p puback 1 00
  z publish 0 log/a one
wait 1000
p publish 1 log/b two id=2
  p puback 2 00
  z publish 0 log/b two
p publish 0 log/c three
  z publish 0 log/c three
a connect
  a connack 00
a subscribe 1 $s/earliest/log/#,1
  a suback 1 01
  a publish 1 id=1 log/a one
  a publish 1 id=2 log/b two
  a publish 1 id=3 log/c three
b connect
  b connack 00
b subscribe 1 $s/1/log/#,1
  b suback 1 01
  b publish 1 id=1 log/b two
  b publish 1 id=2 log/c three
c connect
  c connack 00
c subscribe 1 $s/@1700000000500/log/#,1
  c suback 1 01
  c publish 1 id=1 log/b two
  c publish 1 id=2 log/c three
d connect
  d connack 00
d subscribe 1 $s/next/log/#,1
  d suback 1 01
  d publish 1 id=1 log/a one
  d publish 1 id=2 log/b two
  d publish 1 id=3 log/c three
e connect
  e connack 00
# An offset that has not come yet is the next one to come.
e subscribe 1 $s/99/log/#,1
  e suback 1 01
p publish 1 log/d four id=3
  a publish 1 id=4 log/d four
  b publish 1 id=3 log/d four
  c publish 1 id=3 log/d four
  d publish 1 id=4 log/d four
  e publish 1 id=1 log/d four
  p puback 3 00
  z publish 0 log/d four
kept log/#
  appended=4 kept=4 readers=6 members=6
",
    );
}

#[test]
fn suback_tells_the_truth_about_streams() {
    let config = Config { max_queues: 2, ..Config::default() };
    check_with(
        &config,
        "
stream named a/#
stream unbound -
a connect
  a connack 00
a subscribe 1 $stream/named,1 $stream/unbound,2
  a suback 1 01 02
a unsubscribe 2 $stream/named $stream/unbound
  a unsuback 2 00 00
a subscribe 3 $stream/named/a/#,1
  a suback 3 01
a unsubscribe 4 $stream/named/a/#
  a unsuback 4 00
a subscribe 5 $stream/named/b/#,1
  a suback 5 8f \"stream 'named' is bound to 'a/#'\"
a subscribe 6 $stream/unbound/b,1
  a suback 6 8f \"stream 'unbound' is bound to nothing\"
a subscribe 7 $stream/none,1
  a suback 7 83 \"there is no stream 'none'; subscribe to $stream/none/<filter> to create it\"
# Streams are counted apart from queues.
a subscribe 8 $s/next/b,1 $q/b,1
  a suback 8 97 01 \"'$s/next/b': there are 2 streams, as many as queues.auto_create.max_queues allows\"
a subscribe 9 $share/g/$stream/named,1
  a suback 9 8f \"'$share/g/$stream/named': a queue or stream shares by itself; subscribe to it without $share\"
a subscribe 10 $s/soon/b,1
  a suback 10 8f \"'$s/soon/b': stream offset is none of earliest, latest, next, a number, @<RFC 3339 time or unix ms>\"
a subscribe 11 $stream/named,1 up=stream-offset:soon
  a suback 11 83 \"user property 'stream-offset' is 'soon': stream offset is none of earliest, latest, next, a number, @<RFC 3339 time or unix ms>\"
a subscribe 12 $stream/named,1 up=stream-group:
  a suback 12 83 \"user property 'stream-group' has not from 1 to 1024 bytes\"
# A stream and a queue of one name have nothing in common.
create named x/#
a subscribe 13 $queue/named,1
  a suback 13 01
a subscribe 14 $queue/named,1 $stream/named,1 up=metadata:off
  a suback 14 01 01
# What is refused is not made; a plain subscription does not look at it.
a subscribe 15 $queue/named,1 $stream/named,1 $dead/named,1 $q/new,1 $s/next/new,1 plain,1 $queue/named/y,1 $queue/1%,1 up=metadata:yes
  a suback 15 83 83 83 83 83 01 8f 8f \"user property 'metadata' is 'yes': it is neither on nor off\"
a subscribe 16 $queue/new,1 $stream/new,1
  a suback 16 83 83 \"there is no queue 'new'; subscribe to $queue/new/<filter> to create it\"
c connect v=3.1.1
  c connack 00
c subscribe 1 $stream/none,1 $s/earliest/zz,1 $stream/named,1
  c suback 1 80 80 01
",
    );
}

#[test]
fn a_stream_is_not_created_when_that_is_off() {
    let config = Config { auto_create: false, ..Config::default() };
    check_with(
        &config,
        "
a connect
  a connack 00
a subscribe 1 $s/next/b,1
  a suback 1 83 \"there is no stream 'b' and queues.auto_create is off\"
",
    );
}

#[test]
fn a_client_reads_a_stream_by_one_subscription() {
    check(
        "
stream log t
a connect
  a connack 00
p connect
  p connack 00
p publish 1 t one id=1
  p puback 1 00
a subscribe 1 $stream/log,1
  a suback 1 01
a subscribe 2 $stream/log/t,1
  a suback 2 83 \"the client reads stream 'log' already, by $stream/log; unsubscribe from that first\"
# The same subscription with an offset moves it, without one it stays where it is.
a subscribe 3 $stream/log,1
  a suback 3 01
a subscribe 4 $stream/log,1 up=stream-offset:earliest
  a suback 4 01
  a publish 1 id=1 t one
a subscribe 5 $stream/log,0 up=stream-offset:latest sid=7
  a suback 5 00
p publish 1 t two id=2
  a publish 0 t two sid=7
  p puback 2 00
readers log
  client a at 2 members=1 in_flight=1
",
    );
}

#[test]
fn readers_do_not_hinder_each_other_and_positions_stay() {
    check(
        "
stream log t
a connect
  a connack 00
b connect
  b connack 00
p connect
  p connack 00
a subscribe 1 $stream/log,1
  a suback 1 01
b subscribe 1 $stream/log,1
  b suback 1 01
p publish 1 t one id=1
  a publish 1 id=1 t one
  b publish 1 id=1 t one
  p puback 1 00
p publish 1 t two id=2
  a publish 1 id=2 t two
  b publish 1 id=2 t two
  p puback 2 00
a puback 1
a puback 2
b puback 2
readers log
  client a at 2 members=1
  client b at 0 lag=1 members=1 in_flight=1
a disconnect
  a closed
b disconnect
  b closed
p publish 1 t three id=3
  p puback 3 00
# What was acknowledged out of order is not sent again as long as the broker lives.
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next
  a suback 1 01
  a publish 1 id=1 t three
b connect
  b connack 00
b subscribe 1 $stream/log,1 up=stream-offset:next metadata
  b suback 1 01
  b publish 1 id=1 t one stream:log offset:0 attempt:2 publish-ts:1700000000000
  b publish 1 id=2 t three stream:log offset:2 attempt:1 publish-ts:1700000000000
readers log limit=1
  client a at 2 lag=1 members=1 in_flight=1
  more
readers log after=c:a
  client b at 0 lag=2 members=1 in_flight=2
",
    );
}

#[test]
fn a_group_shares_the_messages_and_has_one_position() {
    check(
        "
stream log t
p connect
  p connack 00
p publish 1 t one id=1
  p puback 1 00
a connect
  a connack 00
b connect
  b connack 00
a subscribe 1 $stream/log,1 up=stream-group:w up=stream-offset:earliest
  a suback 1 01
  a publish 1 id=1 t one
b subscribe 1 $stream/log,1 up=stream-group:w up=stream-offset:earliest
  b suback 1 01
p publish 1 t two id=2
  b publish 1 id=1 t two
  p puback 2 00
p publish 1 t three id=3
  a publish 1 id=2 t three
  p puback 3 00
# A client may read for itself besides.
a subscribe 2 $stream/log/t,0 up=stream-offset:earliest
  a suback 2 00
  a publish 0 t one
  a publish 0 t two
  a publish 0 t three
a puback 1
b puback 1
readers log
  client a at 3 members=1
  group w at 2 lag=1 members=2 in_flight=1
# What a member leaves goes to another.
a lost
  b publish 1 id=2 t three
",
    );
}

#[test]
fn a_group_keeps_the_order_of_keys() {
    check(
        "
stream log k/# key=level(2)
p connect
  p connack 00
a connect
  a connack 00
b connect
  b connack 00
a subscribe 1 $stream/log,1 up=stream-group:w
  a suback 1 01
b subscribe 1 $stream/log,1 up=stream-group:w
  b suback 1 01
p publish 1 k/x 1 id=1
  a publish 1 id=1 k/x 1
  p puback 1 00
p publish 1 k/x 2 id=2
  p puback 2 00
p publish 1 k/y 3 id=3
  b publish 1 id=1 k/y 3
  p puback 3 00
a puback 1
  a publish 1 id=2 k/x 2
",
    );
}

#[test]
fn what_a_reader_says_decides() {
    check(
        "
stream log t retry_delay=1000
p connect
  p connack 00
a connect rm=2
  a connack 00
a subscribe 1 $stream/log,1 metadata
  a suback 1 01
p publish 1 t one id=1
  a publish 1 id=1 t one stream:log offset:0 attempt:1 publish-ts:1700000000000
  p puback 1 00
# Released: it comes again after a while, and an attempt counts.
a puback 1 80
wait 999
wait 1
  a publish 1 id=2 t one stream:log offset:0 attempt:2 publish-ts:1700000000000
# Too busy: no attempt counts.
a puback 2 97
wait 1000
  a publish 1 id=3 t one stream:log offset:0 attempt:2 publish-ts:1700000000000
# Rejected: others still read it.
a puback 3 99
readers log
  client a at 1 members=1 rejected=1
b connect
  b connack 00
b subscribe 1 $stream/log,0 up=stream-offset:earliest
  b suback 1 00
  b publish 0 t one
",
    );
}

#[test]
fn receive_maximum_and_max_inflight_bound_what_is_in_flight() {
    check(
        "
stream log t max_inflight=3
p connect
  p connack 00
a connect rm=2
  a connack 00
b connect
  b connack 00
a subscribe 1 $stream/log,1
  a suback 1 01
b subscribe 1 $stream/log,2
  b suback 1 02
p publish 1 t 1 id=1
  a publish 1 id=1 t 1
  b publish 2 id=1 t 1
  p puback 1 00
p publish 1 t 2 id=2
  a publish 1 id=2 t 2
  b publish 2 id=2 t 2
  p puback 2 00
p publish 1 t 3 id=3
  b publish 2 id=3 t 3
  p puback 3 00
p publish 1 t 4 id=4
  p puback 4 00
a puback 1
  a publish 1 id=3 t 3
b pubrec 1
  b pubrel 1 00
  b publish 2 id=4 t 4
b pubcomp 1
",
    );
}

#[test]
fn what_is_too_large_for_a_client_is_passed_by_and_counted() {
    check(
        "
stream log t
p connect
  p connack 00
a connect mps=40
  a connack 00
a subscribe 1 $stream/log,1
  a suback 1 01
p publish 1 t big id=1 size=100
  p puback 1 00
p publish 1 t small id=2
  a publish 1 id=1 t small
  p puback 2 00
a puback 1
readers log
  client a at 2 members=1 skipped=1
",
    );
}

#[test]
fn retained_messages_and_no_local_have_no_effect() {
    check(
        "
a connect
  a connack 00
a publish 1 t kept id=1 retain
  a puback 1 10
a subscribe 1 $s/earliest/t,1,nl,rap
  a suback 1 01
a publish 1 t own id=2 retain
  a puback 2 00
  a publish 1 id=1 t own
",
    );
}

#[test]
fn a_stream_lets_go_of_the_old() {
    check(
        "
stream few t max_messages=2
stream small t max_bytes=150
stream young t retention=5000
p connect
  p connack 00
p publish 1 t a id=1
  p puback 1 00
p publish 1 t b id=2
  p puback 2 00
p publish 1 t c id=3
  p puback 3 00
kept few
  appended=3 kept=2 dropped=1
kept small
  appended=3 kept=2 dropped=1
kept young
  appended=3 kept=3
# A message larger than a stream may have is refused, by all.
p publish 1 t d id=4 size=90
  p puback 4 97 \"message not stored: stream 'small' is full, its max_bytes is 150\"
kept few
  appended=3 kept=2 dropped=1
wait 5000
kept young
  appended=3 expired=3
a connect
  a connack 00
a subscribe 1 $stream/few,0 up=stream-offset:0
  a suback 1 00
  a publish 0 t b
  a publish 0 t c
# A message's own time holds too.
p publish 1 t d id=5 expiry=1
  a publish 0 t d expiry=1
  p puback 5 00
wait 1000
kept few
  appended=4 kept=1 expired=1 dropped=2 readers=1 members=1
",
    );
}

#[test]
fn only_the_newest_of_each_key_is_kept() {
    check(
        "
stream state s/# last_value=yes
p connect
  p connack 00
p publish 1 s/a 1 id=1
  p puback 1 00
p publish 1 s/b 2 id=2
  p puback 2 00
p publish 1 s/a 3 id=3
  p puback 3 00
kept state
  appended=3 kept=2 replaced=1
read state
  1 s/b 2 at=0 key=s/b
  2 s/a 3 at=0 key=s/a
a connect
  a connack 00
a subscribe 1 $stream/state,1 up=stream-offset:earliest
  a suback 1 01
  a publish 1 id=1 s/b 2
  a publish 1 id=2 s/a 3
",
    );
}

#[test]
fn a_message_is_stored_for_queues_and_streams_or_for_none() {
    check(
        "
stream log t
create jobs t max_messages=1
p connect
  p connack 00
p publish 1 t one id=1
  p puback 1 00
p publish 1 t two id=2
  p puback 2 97 \"message not stored: queue 'jobs' is full, its max_messages is 1\"
kept log
  appended=1 kept=1
change jobs max_messages=9
log refuses
p publish 1 t three id=3
  p puback 3 97
# Nobody was given what is not stored.
kept log
  appended=1 kept=1
",
    );
}

#[test]
fn a_stream_that_is_deleted_or_paused_or_changed() {
    check(
        "
stream log t
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $stream/log,0
  a suback 1 00
restream log paused=yes
p publish 1 t one id=1
  p puback 1 00
restream log paused=no
  a publish 0 t one
restream log filter=u max_messages=1
p publish 1 t two id=2
  p puback 2 10
p publish 1 u three id=3
  a publish 0 u three
  p puback 3 00
kept log
  appended=2 kept=1 dropped=1 readers=1 members=1
stream log v
  stream 'log' exists already
unstream log
  a disconnect 98 \"the stream of subscription $stream/log was deleted\"
  a closed
unstream log
  there is no stream 'log'
p publish 1 u four id=4
  p puback 4 10
",
    );
}

/// No topic that may be published to would match it, and no SUBSCRIBE may name it.
#[test]
fn a_filter_keeps_to_the_limits_of_topics_whoever_gives_it() {
    let config = Config { max_topic_levels: 3, max_topic_length: 12, ..Config::default() };
    check_with(
        &config,
        "
stream log a/b/c/d
  topic filter has more than 3 levels
stream log abcdefghijklm
  topic filter has more than 12 bytes
stream log a/b/c
restream log filter=a/b/c/d
  topic filter has more than 3 levels
restream log filter=abcdefghijkl
create jobs a/b/c/d
  topic filter has more than 3 levels
create jobs abcdefghijkl
change jobs filter=a/b/c/d
  topic filter has more than 3 levels
a connect
  a connack 00
a subscribe 1 $q/a/b/c/d,1
  a suback 1 8f \"topic filter has more than 3 levels\"
",
    );
}

#[test]
fn a_delayed_message_enters_a_stream_when_it_is_due() {
    check(
        "
stream log t
p connect
  p connack 00
p publish 1 $delayed/5/t later id=1
  p puback 1 00
# The property holds messages back in queues only.
p publish 1 t now id=2 up=delay:9s
  p puback 2 00
kept log
  appended=1 kept=1
wait 5000
read log
  0 t now at=0
  1 t later at=5000
",
    );
}
