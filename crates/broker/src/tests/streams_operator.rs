//! What an operator does to streams: looks at messages, removes some, sets readers elsewhere, forgets them.

use super::{World, check};
use crate::config::Config;

#[test]
fn an_operator_looks_at_messages_and_removes_some() {
    check(
        "
stream log k/# key=level(2)
p connect
  p connack 00
p publish 1 k/x 0 id=1
  p puback 1 00
p publish 1 k/y 1 id=2
  p puback 2 00
p publish 1 k/x/1 2 id=3
  p puback 3 00
p publish 1 k/y 3 id=4
  p puback 4 00
read log from=1 limit=2
  1 k/y 1 at=0 key=y
  2 k/x/1 2 at=0 key=x
  next 3
cut log key=y before=3
  purged 1
cut log filter=k/x
  purged 1
kept log
  appended=4 kept=2 purged=2
read log
  2 k/x/1 2 at=0 key=x
  3 k/y 3 at=0 key=y
# A crash does not bring them back.
crash
kept log
  appended=4 kept=2 purged=2
cut log
  purged 2
stream plain t
cut plain key=x
  stream 'plain' keeps no keys: it has no key_expression and is not last_value
cut none
  there is no stream 'none'
read none
  there is no stream 'none'
",
    );
}

#[test]
fn an_operator_sets_readers_elsewhere_and_forgets_them() {
    check(
        "
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
wait 1000
p publish 1 t 1 id=2
  p puback 2 00
a connect
  a connack 00
a subscribe 1 $stream/log,0 up=stream-offset:earliest
  a suback 1 00
  a publish 0 t 0
  a publish 0 t 1
b connect
  b connack 00
b subscribe 1 $stream/log,0 up=stream-group:w
  b suback 1 00
set log c:a 1
  a publish 0 t 1
  at 1
set log g:w earliest
  b publish 0 t 0
  b publish 0 t 1
  at 0
set log c:a @500
  a publish 0 t 1
  at 1
set log c:a latest
  at 2
readers log
  client a at 2 members=1
  group w at 2 members=1
set log c:b 0
  client b has no position in stream 'log'
forget log c:a
  client a reads stream 'log' at this moment; it can be forgotten when it has gone
a disconnect
  a closed
set log c:a 1
  at 1
# A restart does not undo it.
crash
readers log
  client a at 1 lag=1
  group w at 2
forget log c:a
  forgotten
forget log c:a
  client a has no position in stream 'log'
crash
readers log
  group w at 2
readers none
  there is no stream 'none'
",
    );
}

#[test]
fn what_cannot_be_stored_is_said_to_the_operator() {
    check(
        "
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
a connect
  a connack 00
a subscribe 1 $stream/log,0
  a suback 1 00
wait 100
log refuses
# Nothing comes from a place where it never was.
set log c:a earliest
  not stored: the log is full: no room on the disk for another segment; the reader is as it was
readers log
  client a at 1 members=1
a lost
log refuses
forget log c:a
  not stored: the log is full: no room on the disk for another segment; the reader is as it was
readers log
  client a at 1
# Of two that wait together each goes back before the first.
log hold
set log c:a 0
set log c:a latest
forget log c:a
log fails
log commit
  not stored: the log has failed: a test; the reader is as it was
  not stored: the log has failed: a test; the reader is as it was
  not stored: the log has failed: a test; the reader is as it was
log well
readers log
  client a at 1
crash
readers log
  client a at 1
log refuses
cut log
  not all of it could be stored: the log is full: no room on the disk for another segment; 1 messages are gone and 0 are ready again, which a restart may undo in part
log refuses
stream more u
  the definition could not be stored: the log is full: no room on the disk for another segment
",
    );
}

/// What the client was told holds.
#[test]
fn a_reader_that_has_subscribed_since_stays_there_when_the_operators_change_is_refused() {
    check(
        "
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
p publish 1 t 1 id=2
  p puback 2 00
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:earliest
  a suback 1 01
  a publish 1 id=1 t 0
  a publish 1 id=2 t 1
a puback 1
a puback 2
a lost
wait 100
readers log
  client a at 2
log hold
log refuses
set log c:a 1
a connect
  a connack 00
a subscribe 1 $stream/log,0 up=stream-offset:0
  a suback 1 00
log commit
  a publish 0 t 0
  a publish 0 t 1
  not stored: the log is full: no room on the disk for another segment; the reader is as it was
",
    );
}

/// Each is refused, the operator's first or last: it is where the log has it.
#[test]
fn a_reader_that_an_operator_and_its_client_move_is_where_it_was_when_both_are_refused() {
    for order in [["set log c:a 1", "SUBSCRIBE"], ["SUBSCRIBE", "set log c:a 1"]] {
        let mut world = World::new(Config::default());
        let mut say = |line: &str| world.command(line);
        for line in ["stream log t", "p connect", "a connect keep expiry=100"] {
            say(line);
        }
        (0..3).for_each(|n| drop(say(&format!("p publish 1 t {n} id={}", n + 2))));
        say("a subscribe 1 $stream/log,0 up=stream-offset:earliest");
        say("a unsubscribe 2 $stream/log");
        say("wait 100");
        assert_eq!(say("readers log"), ["client a at 3"]);
        say("log hold");
        for line in order {
            let line = line.replace("SUBSCRIBE", "a subscribe 3 $stream/log,0 up=stream-offset:0");
            assert_eq!(say(&line), [""; 0], "{line}");
        }
        say("log fails");
        let answers = say("log commit").join("\n");
        assert!(answers.contains("not stored") && answers.contains("a suback 3 83"), "{answers}");
        say("log well");
        assert_eq!(say("readers log"), ["client a at 3"], "{order:?}");
    }
}

#[test]
fn each_of_many_that_wait_for_the_log_is_answered() {
    check(
        "
stream log t
p connect
  p connack 00
p publish 1 t 0 id=1
  p puback 1 00
a connect
  a connack 00
a subscribe 1 $stream/log,0
  a suback 1 00
a lost
log hold
set log c:a 0
set log c:a latest
set log c:a 0
forget log c:a
log commit
  at 0
  at 1
  at 0
  forgotten
readers log
",
    );
}

/// Whatever place a request has among those under way.
#[test]
fn a_reader_is_as_it_was_before_several_requests_that_are_refused() {
    let mut world = World::new(Config::default());
    let mut say = |line: &str| world.command(line);
    for line in ["stream log t", "stream other u", "p connect", "p publish 1 u x id=1"] {
        say(line);
    }
    (0..4).for_each(|n| drop(say(&format!("p publish 1 t {n} id={}", n + 2))));
    for line in ["a connect", "a subscribe 1 $stream/log,1 up=stream-offset:1 rm=1", "a lost"] {
        say(line);
    }
    say("wait 60");
    // This one is done before the others, and its place is free again.
    for line in ["log slow", "cut other filter=v", "log hold", "set log c:a 2", "set log c:a 3"] {
        assert_eq!(say(line), [""; 0], "{line}");
    }
    assert_eq!(say("log reads"), ["purged 0"]);
    for line in ["set log c:a 0", "log fails"] {
        assert_eq!(say(line), [""; 0], "{line}");
    }
    assert_eq!(say("log commit").len(), 3);
    say("log well");
    assert_eq!(say("readers log"), ["client a at 1 lag=3"]);
}

#[test]
fn positions_of_readers_that_have_gone_are_forgotten_in_time() {
    check(
        "
stream log t readers_max=2 keep_positions=60000
a connect
  a connack 00
a subscribe 1 $stream/log,0
  a suback 1 00
b connect
  b connack 00
b subscribe 1 $stream/log,0
  b suback 1 00
c connect
  c connack 00
c subscribe 1 $stream/log,1 t,1
  c suback 1 97 01 \"stream 'log' keeps the positions of 2 readers, which is all it may; forget one\"
# Neither of two is one.
c subscribe 9 $stream/log,1
  c suback 9 97 \"stream 'log' keeps the positions of 2 readers, which is all it may; forget one\"
c unsubscribe 2 $stream/log
  c unsuback 2 11
a disconnect
  a closed
wait 59000
readers log
  client a at 0
  client b at 0 members=1
wait 1000
readers log
  client b at 0 members=1
c subscribe 3 $stream/log,1
  c suback 3 01
wait 100
crash
readers log
  client b at 0
  client c at 0
",
    );
}
