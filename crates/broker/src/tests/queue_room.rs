//! Messages that need no room in a full queue: what replaces another, what is known already.

use super::check;

#[test]
fn a_full_queue_takes_the_newer_message_of_a_key() {
    check(
        r#"
create state s/# last_value=yes max_messages=2
p connect
  p connack 00
p publish 1 s/door open id=1
  p puback 1 00
p publish 1 s/lamp on id=2
  p puback 2 00
p publish 1 s/door closed id=3
  p puback 3 00
p publish 1 s/window open id=4
  p puback 4 97 "message not stored: queue 'state' is full, its max_messages is 2"
ledger state
  enqueued=3 ready=2 replaced=1
crash
p connect
  p connack 00
p publish 1 s/lamp off id=5
  p puback 5 00
p publish 1 s/window open id=6
  p puback 6 97 "message not stored: queue 'state' is full, its max_messages is 2"
ledger state
  enqueued=4 ready=2 replaced=2
"#,
    );
}

#[test]
fn what_a_consumer_has_is_not_replaced_and_keeps_its_room() {
    check(
        r#"
create state s/# last_value=yes max_messages=2
p connect
  p connack 00
p publish 1 s/door open id=1
  p puback 1 00
p publish 1 s/lamp on id=2
  p puback 2 00
a connect rm=1
  a connack 00
a subscribe 1 $queue/state,1
  a suback 1 01
  a publish 1 id=1 s/door open
p publish 1 s/door closed id=3
  p puback 3 97 "message not stored: queue 'state' is full, its max_messages is 2"
p publish 1 s/lamp off id=4
  p puback 4 00
a lost
p publish 1 s/door closed id=5
  p puback 5 00
ledger state
  enqueued=4 ready=2 replaced=2
"#,
    );
}

#[test]
fn several_on_their_way_replace_each_other() {
    check(
        r#"
create state s/# last_value=yes max_messages=2
p connect
  p connack 00
log hold
p publish 1 s/door 1 id=1
p publish 1 s/door 2 id=2
p publish 1 s/lamp 1 id=3
p publish 1 s/door 3 id=4
p publish 1 s/lamp 2 id=5
p publish 1 s/window 1 id=6
log commit
  p puback 1 00
  p puback 2 00
  p puback 3 00
  p puback 4 00
  p puback 5 00
  p puback 6 97 "message not stored: queue 'state' is full, its max_messages is 2"
ledger state
  enqueued=5 ready=2 replaced=3
"#,
    );
}

#[test]
fn bytes_are_taken_over_as_far_as_they_go() {
    check(
        r#"
create state s/# last_value=yes max_bytes=300
p connect
  p connack 00
p publish 1 s/1 - id=1 size=60
  p puback 1 00
p publish 1 s/2 - id=2 size=60
  p puback 2 00
p publish 1 s/1 - id=3 size=100
  p puback 3 00
p publish 1 s/2 - id=4 size=100
  p puback 4 97 "message not stored: queue 'state' is full, its max_bytes is 300"
p publish 1 s/2 - id=5 size=20
  p puback 5 00
ledger state
  enqueued=4 ready=2 replaced=2
"#,
    );
}

#[test]
fn what_was_to_replace_another_and_was_not_stored_leaves_the_room_as_it_was() {
    check(
        r#"
create state s/# last_value=yes max_messages=1
p connect
  p connack 00
p publish 1 s/door 1 id=1
  p puback 1 00
log hold
p publish 1 s/door 2 id=2
log fails
log commit
  p puback 2 83 "message not stored: the broker's log has failed, see its messages"
log well
p publish 1 s/lamp 1 id=3
  p puback 3 97 "message not stored: queue 'state' is full, its max_messages is 1"
p publish 1 s/door 3 id=4
  p puback 4 00
ledger state
  enqueued=2 ready=1 replaced=1
"#,
    );
}

#[test]
fn a_living_queue_begins_and_ceases_to_take_over_room() {
    check(
        r#"
create state s/# max_messages=2
p connect
  p connack 00
p publish 1 s/door 1 id=1
  p puback 1 00
p publish 1 s/lamp 1 id=2
  p puback 2 00
change state last_value=yes
p publish 1 s/door 2 id=3
  p puback 3 97 "message not stored: queue 'state' is full, its max_messages is 2"
change state last_value=yes max_messages=4
p publish 1 s/door 2 id=4
  p puback 4 00
p publish 1 s/lamp 2 id=5
  p puback 5 00
p publish 1 s/door 3 id=6
  p puback 6 00
change state last_value=no
p publish 1 s/door 4 id=7
  p puback 7 97 "message not stored: queue 'state' is full, its max_messages is 4"
ledger state
  enqueued=5 ready=4 replaced=1
"#,
    );
}

#[test]
fn a_held_publisher_goes_on_when_its_message_replaces_another() {
    check(
        r#"
create state s/# last_value=yes max_messages=1
p connect v=3.1.1
  p connack 00
q connect
  q connack 00
q publish 1 s/lamp 1 id=1
  q puback 1 00
p publish 1 s/door 1 id=1
a connect rm=1
  a connack 00
a subscribe 1 $queue/state,1
  a suback 1 01
  a publish 1 id=1 s/lamp 1
a puback 1
q publish 1 s/door 0 id=2
  a publish 1 id=2 s/door 0
  q puback 2 00
a lost
wait 100
  p puback 1 00
ledger state
  enqueued=3 settled=1 ready=1 replaced=1
"#,
    );
}

#[test]
fn a_full_queue_acknowledges_what_it_knows() {
    check(
        r#"
create jobs work dedup_window=10000 max_messages=1
p connect
  p connack 00
p publish 1 work one id=1 up=message-id:7
  p puback 1 00
p publish 1 work one id=2 up=message-id:7
  p puback 2 00
p publish 1 work two id=3 up=message-id:8
  p puback 3 97 "message not stored: queue 'jobs' is full, its max_messages is 1"
p publish 1 work one id=4 up=message-id:7
  p puback 4 00
crash
p connect
  p connack 00
p publish 1 work one id=5 up=message-id:7
  p puback 5 00
ledger jobs
  enqueued=1 ready=1
wait 10001
p publish 1 work one id=6 up=message-id:7
  p puback 6 97 "message not stored: queue 'jobs' is full, its max_messages is 1"
change jobs dedup_window=0
p publish 1 work one id=7 up=message-id:7
  p puback 7 97 "message not stored: queue 'jobs' is full, its max_messages is 1"
"#,
    );
}
