//! A message comes live or as retained, once: live what was published since the subscription, as retained what was there.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mqtt_router::{Match, Router, SubscriberId, SubscriptionOptions};
use mqtt_types::{Message, MessageHead, TopicFilter, TopicName};

use super::retained::{id_at, three_shards};
use super::{check, check_with};
use crate::config::Config;
use crate::groups::SharedSubscriptions;
use crate::retained::{Change, RetainedLimits, RetainedStore};
use crate::routes::{RouteCache, Routes};

/// Both ways: bodies at hand, and bodies read from the log.
fn check_both(transcript: &str) {
    check(transcript);
    check_with(&Config { retained_cache: 0, ..Config::default() }, transcript);
}

/// [MQTT-3.3.1-12]
#[test]
fn what_came_live_does_not_come_as_retained() {
    for session in ["", "expiry=1000"] {
        check_both(&format!(
            r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
p publish 1 r/c three id=3 retain
  p puback 3 10
p publish 2 r/d four id=4 retain
  p pubrec 4 10
p publish 1 r/e five id=5 retain
  p puback 5 10
s connect rm=1 {session}
  s connack 00
s subscribe 1 r/+,2 sid=9
  s suback 1 02
  s publish 1 id=1 retain r/a one sid=9
# Replaced, removed, removed and set anew, new; at each QoS.
p publish 0 r/b two-new retain
  s publish 0 r/b two-new sid=9
p publish 1 r/c - id=6 retain
  p puback 6 00
p publish 2 r/d - id=7 retain
  p pubrec 7 00
p publish 2 r/d four-new id=8 retain
  p pubrec 8 00
p publish 1 r/f six id=9 retain
  p puback 9 00
s puback 1
  s publish 1 id=2 r/c  sid=9
s puback 2
  s publish 2 id=3 r/d  sid=9
s pubrec 3
  s pubrel 3 00
s pubcomp 3
  s publish 2 id=4 r/d four-new sid=9
s pubrec 4
  s pubrel 4 00
s pubcomp 4
  s publish 1 id=5 r/f six sid=9
s puback 5
  s publish 1 id=6 retain r/e five sid=9
s puback 6
# Subscribed anew, it all comes again, and as it was before.
s subscribe 2 r/+,0 sid=8
  s suback 2 00
  s publish 0 retain r/a one sid=8
  s publish 0 retain r/b two-new sid=8
  s publish 0 retain r/d four-new sid=8
  s publish 0 retain r/e five sid=8
  s publish 0 retain r/f six sid=8
ends
  0
"#
        ));
    }
}

#[test]
fn what_comes_between_subscribe_and_suback_comes_live() {
    check_both(
        r#"
p connect
  p connack 00
p publish 2 r/a one id=1 retain
  p pubrec 1 10
p publish 2 r/b two id=2 retain
  p pubrec 2 10
s connect expiry=1000
  s connack 00
log hold
s subscribe 1 r/+,2
p publish 2 r/b two-new id=3 retain
p publish 2 r/c three id=4 retain
p publish 0 r/d four retain
  s publish 0 r/d four
log commit
  p pubrec 3 00
  p pubrec 4 00
  s suback 1 02
  s publish 2 id=1 r/b two-new
  s publish 2 id=2 r/c three
  s publish 2 id=3 retain r/a one
"#,
    );
}

/// Its record enters the log after the subscription's, if the session is a durable one.
#[test]
fn what_was_on_its_way_before_the_subscription_comes_as_retained() {
    for session in ["", "expiry=1000"] {
        let mut world = three_shards(Config::default());
        world.command(&format!("s connect id={} {session}", id_at(1)));
        // The publisher's shard does not hand its record over before the subscription is made.
        world.command(&format!("late {}", id_at(0)));
        world.command("a publish 1 r/a one id=1 retain");
        let mut heard = world.command("s subscribe 1 r/+,1");
        // That one is routed to the subscription.
        world.command("a publish 1 r/b two id=2 retain");
        heard.extend(world.command("run"));
        for _ in 0..3 {
            heard.extend(world.command("wait 10"));
        }
        heard.retain(|line| line.starts_with("s publish"));
        heard.sort_by_key(|line| line.contains("retain"));
        let second = if session.is_empty() { 1 } else { 2 };
        let first = 3 - second;
        let expected = [
            format!("s publish 1 id={first} r/b two"),
            format!("s publish 1 id={second} retain r/a one"),
        ];
        assert_eq!(heard, expected, "{session}");
    }
}

#[test]
fn a_message_in_the_mail_comes_live_and_not_as_retained() {
    let mut world = three_shards(Config::default());
    world.command(&format!("s connect id={} rm=1", id_at(1)));
    world.command("a publish 1 r/a one id=1 retain");
    world.command("a publish 1 r/b two id=2 retain");
    let heard = world.command("s subscribe 1 r/+,1");
    assert_eq!(heard, ["s suback 1 01", "s publish 1 id=1 retain r/a one"]);
    // The other shard's letters wait, and the client's answer too: the replay may come to them first.
    world.command("stall 1");
    world.quietly("s puback 1");
    world.command("a publish 1 r/b two-new id=3 retain");
    world.command("a publish 1 r/c three id=4 retain");
    let mut heard = world.command("run");
    heard.extend(world.command("s puback 2"));
    heard.extend(world.command("s puback 3"));
    assert_eq!(heard, ["s publish 1 id=2 r/b two-new", "s publish 1 id=3 r/c three"]);
}

#[test]
fn a_crash_leaves_what_came_live_and_what_is_still_to_come() {
    for between in ["crash", "checkpoint\ncrash", "checkpoint\ncheckpoint\ncrash\ncrash"] {
        check_both(&format!(
            r#"
segments 2
p connect
  p connack 00
p publish 2 r/a one id=1 retain
  p pubrec 1 10
p publish 2 r/b two id=2 retain
  p pubrec 2 10
p publish 2 r/c three id=3 retain
  p pubrec 3 10
p publish 2 r/d four id=4 retain
  p pubrec 4 10
s connect expiry=1000 rm=1
  s connack 00
s subscribe 1 r/+,2
  s suback 1 02
  s publish 2 id=1 retain r/a one
p publish 2 r/b two-new id=5 retain
  p pubrec 5 00
p publish 2 r/e five id=6 retain
  p pubrec 6 00
wait 100
{between}
# What is published while the client is away goes the same way.
q connect
  q connack 00
q publish 2 r/c three-new id=1 retain
  q pubrec 1 00
q publish 2 r/f six id=2 retain
  q pubrec 2 00
wait 100
{between}
s connect keep expiry=1000 rm=10
  s connack 00 present
  s publish 2 id=1 dup retain r/a one
  s publish 2 id=2 r/b two-new
  s publish 2 id=3 r/e five
  s publish 2 id=4 r/c three-new
  s publish 2 id=5 r/f six
  s publish 2 id=6 retain r/d four
s pubrec 1
  s pubrel 1 00
s pubrec 2
  s pubrel 2 00
s pubrec 3
  s pubrel 3 00
s pubrec 4
  s pubrel 4 00
s pubrec 5
  s pubrel 5 00
s pubrec 6
  s pubrel 6 00
wait 100
ends
  0
"#
        ));
    }
}

/// A version that the log never had is given again after the crash, and by then it means something else.
#[test]
fn a_crash_forgets_versions_and_not_what_a_replay_goes_by() {
    check_both(
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
s connect expiry=1000 rm=1
  s connack 00
log refuses
p publish 1 x/a lost id=3 retain
  p puback 3 97
log refuses
p publish 1 x/b lost id=4 retain
  p puback 4 97
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/a one
wait 100
crash
p connect
  p connack 00
p publish 1 r/c three id=1 retain
  p puback 1 00
wait 100
crash
s connect keep expiry=1000 rm=10
  s connack 00 present
  s publish 1 id=1 dup retain r/a one
  s publish 1 id=2 r/c three
  s publish 1 id=3 retain r/b two
s puback 1
s puback 2
s puback 3
"#,
    );
}

#[test]
fn what_could_not_be_stored_leaves_what_was_there_before() {
    for change in ["new", "-"] {
        check_both(&format!(
            r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b old id=2 retain
  p puback 2 10
p publish 1 r/c three id=3 retain
  p puback 3 10
s connect expiry=1000 rm=1
  s connack 00
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/a one
s puback 1
  s publish 1 id=2 retain r/b old
s subscribe 2 r/+,1
  s suback 2 01
s puback 2
  s publish 1 id=3 retain r/a one
# The change is on its way when the replay comes to its topic.
log hold
p publish 1 r/b {change} id=4 retain
s puback 3
log full
log commit
  p puback 4 97 "message not stored: the broker's disk is full"
log well
  s publish 1 id=4 retain r/b old
s puback 4
  s publish 1 id=5 retain r/c three
s puback 5
"#
        ));
    }
}

#[test]
fn what_a_topic_has_for_the_first_time_holds_no_replay_up_for_ever() {
    check_both(
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/c three id=2 retain
  p puback 2 10
s connect expiry=1000 rm=5
  s connack 00
log hold
s subscribe 1 r/+,1
p publish 1 r/b two id=3 retain
p publish 1 r/b two-new id=4 retain
log commit
  p puback 3 00
  p puback 4 00
  s suback 1 01
  s publish 1 id=1 r/b two
  s publish 1 id=2 r/b two-new
  s publish 1 id=3 retain r/a one
  s publish 1 id=4 retain r/c three
"#,
    );
}

#[test]
fn each_of_two_subscriptions_has_a_beginning_of_its_own() {
    for session in ["", "expiry=1000"] {
        check_both(&format!(
            r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
s connect rm=1 {session}
  s connack 00
s subscribe 1 r/+,1 sid=1
  s suback 1 01
  s publish 1 id=1 retain r/a one sid=1
p publish 1 r/c three id=3 retain
  p puback 3 00
s subscribe 2 r/#,1 sid=2
  s suback 2 01
p publish 1 r/d four id=4 retain
  p puback 4 00
s puback 1
  s publish 1 id=2 r/c three sid=1
s puback 2
  s publish 1 id=3 r/d four sid=1 sid=2
s puback 3
  s publish 1 id=4 retain r/b two sid=1
s puback 4
  s publish 1 id=5 retain r/a one sid=2
s puback 5
  s publish 1 id=6 retain r/b two sid=2
s puback 6
  s publish 1 id=7 retain r/c three sid=2
s puback 7
"#
        ));
    }
}

#[test]
fn what_is_published_at_qos_0_while_the_client_is_away_comes_as_retained() {
    let again = "  s publish 1 id=1 dup retain r/a one";
    let missed = "  s publish 0 retain r/b two-new";
    for (between, heard) in
        [("", format!("{missed}\n{again}")), ("crash", format!("{again}\n{missed}"))]
    {
        check(&format!(
            r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
s connect expiry=1000 rm=1
  s connack 00
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/a one
s lost
p publish 0 r/b two-new retain
wait 100
{between}
s connect keep expiry=1000 rm=10
  s connack 00 present
{heard}
"#
        ));
    }
}

#[test]
fn what_is_dropped_at_qos_0_for_a_slow_client_comes_as_retained() {
    let config = Config { max_output_buffer_bytes: 40, ..Config::default() };
    check_with(
        &config,
        r#"
p connect
  p connack 00
p publish 1 r/a a-message-of-forty-bytes-or-rather-more id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
s connect rm=9
  s connack 00
s block
s subscribe 1 r/+,1
p publish 0 r/b two-new retain
s unblock
  s suback 1 01
  s publish 1 id=1 retain r/a a-message-of-forty-bytes-or-rather-more
  s publish 0 retain r/b two-new
"#,
    );
}

/// A message that the disk has no room for and whose publisher cannot be told is kept while the broker runs, and no inbox
/// has it.
#[test]
fn a_will_that_could_not_be_stored_comes_as_retained() {
    check(
        r#"
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/w old id=2 retain
  p puback 2 10
w connect will=r/w:gone:1 retainwill
  w connack 00
s connect expiry=1000 rm=1
  s connack 00
s subscribe 1 r/+,1
  s suback 1 01
  s publish 1 id=1 retain r/a one
log full
w lost
log well
s puback 1
  s publish 1 id=32768 retain r/w gone
"#,
    );
}

/// [MQTT-3.8.3-3]
#[test]
fn a_clients_own_message_comes_in_neither_way_where_it_wants_none() {
    check_both(
        r#"
s connect rm=1
  s connack 00
p connect
  p connack 00
p publish 1 r/a one id=1 retain
  p puback 1 10
p publish 1 r/b two id=2 retain
  p puback 2 10
s subscribe 1 r/+,1,nl
  s suback 1 01
  s publish 1 id=1 retain r/a one
s publish 1 r/b mine id=1 retain
  s puback 1 00
s puback 1
"#,
    );
}

/// A publisher of 3.x is held while its message cannot be stored. Who subscribes meanwhile gets it as retained, and not
/// once more when it is stored.
#[test]
fn a_message_that_was_held_comes_once() {
    check_both(
        r#"
q connect v=3.1.1
  q connack 00
o connect expiry=1000
  o connack 00
o subscribe 1 r/+,1
  o suback 1 01
s connect expiry=1000
  s connack 00
s subscribe 1 x,1
  s suback 1 01
log refuses
q publish 1 r/a one id=1 retain
s subscribe 2 r/+,1
  s suback 2 01
wait 100
  o publish 1 id=1 r/a one
  q puback 1 00
wait 10
  s publish 1 id=1 retain r/a one
wait 100
"#,
    );
}

/// What shards do to the router and to the retained messages at the same time: a change is routed to a subscription just if
/// it is newer than what the subscription noted when it began.
#[test]
fn whatever_threads_do_a_message_is_routed_to_who_does_not_find_it() {
    const SUBSCRIPTIONS: u64 = 300;
    let limits = RetainedLimits { messages: 9, bytes: 1 << 20, memory: 1 << 20, bodies: 0 };
    let (routes, store) = (Routes::new(Router::new([1, 2])), RetainedStore::new(limits));
    let (begin, are_left) = (Barrier::new(4), AtomicUsize::new(2));
    // Gives what each subscription noted.
    let subscribe = |thread: u64| {
        begin.wait();
        let one = |n| {
            let subscriber = SubscriberId(thread * SUBSCRIPTIONS + n);
            let filter = TopicFilter::new("t/+").expect("legal");
            thread::yield_now();
            routes.change(|router| {
                router.subscribe(filter, subscriber, SubscriptionOptions::default());
                store.newest()
            })
        };
        let noted = (0..SUBSCRIPTIONS).map(one).collect::<Vec<_>>();
        are_left.fetch_sub(1, Ordering::Relaxed);
        noted
    };
    // Gives to how many of each thread's subscriptions, which come in order, each message was routed.
    let publish = |topic: &str| {
        let mut cache = RouteCache::new(9, SharedSubscriptions::default());
        let topic = TopicName::new(topic).expect("legal");
        let message = Message::new(MessageHead::default(), topic, &[], b"payload").expect("small");
        let mut published = Vec::new();
        begin.wait();
        while are_left.load(Ordering::Relaxed) > 0 {
            let route = cache.route(&routes, topic);
            thread::yield_now();
            let keep = || store.publish(&message, Change::Unlogged);
            if let Some(version) = routes.unless_changed(&route, keep) {
                let is_first = |to: &Match| to.subscriber.0 < SUBSCRIPTIONS;
                let first = route.subscribers.iter().filter(|to| is_first(to)).count();
                let routed = [first, route.subscribers.len() - first];
                published.push((version.expect("room").expect("a change"), routed));
            }
        }
        published
    };
    let (noted, published) = thread::scope(|scope| {
        let subscribers = [0, 1].map(|n| scope.spawn(move || subscribe(n)));
        let publishers = ["t/a", "t/b"].map(|topic| scope.spawn(move || publish(topic)));
        let noted = subscribers.map(|one| one.join().expect("no panic"));
        (noted, publishers.map(|one| one.join().expect("no panic")).concat())
    });
    for (version, routed) in published {
        let due = [0, 1].map(|n: usize| noted[n].iter().filter(|since| **since < version).count());
        assert_eq!(routed, due, "version {version}");
    }
}
