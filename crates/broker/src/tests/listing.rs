//! Clients and subscriptions as an operator sees them, and what it does to them.

use super::{check, check_on, check_with};
use crate::config::Config;

#[test]
fn clients_are_listed_with_and_without_a_connection() {
    check(
        r#"
a connect expiry=100
  a connack 00
a subscribe 1 t/#,1 u,0
  a suback 1 01 00
a disconnect
  a closed
o connect v=3.1.1
  o connack 00
o publish 1 t/1 x id=1
  o puback 1 00
wait 500
client a
  a away=0 durable expiry=100 subs=2 waiting=1
client o
  o V3_1_1
client nobody
  no such client
clients connected=no
  a away=0 durable expiry=100 subs=2 waiting=1
clients connected=yes
  o V3_1_1
a connect keep expiry=100
  a connack 00 present
  a publish 1 id=1 t/1 x
client a
  a V5 durable expiry=100 subs=2 waiting=1 in_flight=1
ends
  0
"#,
    );
}

#[test]
fn a_walk_sees_everything_once_a_page_at_a_time() {
    for shards in [1, 3] {
        let mut world = super::World::new(Config { shards, ..Config::default() });
        let mut expected = Vec::new();
        for n in 0..40 {
            world.command(&format!("c{n} connect"));
            world.command(&format!("c{n} subscribe 1 a/{n},1 a/+,0 b,1"));
            expected.push(format!("c{n}"));
        }
        for (list, each) in [("clients", 1), ("subs", 3)] {
            for limit in [1, 7, 1_000] {
                let (mut seen, mut after) = (Vec::new(), String::new());
                loop {
                    let lines = world.command(&format!("{list} limit={limit}{after}"));
                    assert!(lines.len() <= limit + 1, "{lines:?}");
                    let names = lines.iter().filter(|line| !line.starts_with("next "));
                    seen.extend(
                        names.map(|line| line.split(' ').next().expect("a word").to_owned()),
                    );
                    match lines.last().and_then(|line| line.strip_prefix("next ")) {
                        Some(cursor) => after = format!(" after={cursor}"),
                        None => break,
                    }
                }
                seen.sort();
                let mut wanted: Vec<_> =
                    expected.iter().flat_map(|name| vec![name.clone(); each]).collect();
                wanted.sort();
                assert_eq!(seen, wanted, "{list} {limit} over {shards} shards");
            }
        }
    }
}

#[test]
fn subscriptions_are_found_by_client_and_topic() {
    let transcript = r#"
a connect
  a connack 00
a subscribe 1 a/+,1,nl,rap $share/g/a/#,2 $q/a/1,1 sid=7
  a suback 1 01 02 01
a subscribe 2 c,0
  a suback 2 00
subs
  a $q/a/1 qos=1 sid=7
  a $share/g/a/# qos=2 sid=7
  a a/+ qos=1 nl rap sid=7
  a c qos=0
subs topic=a/1
  a $q/a/1 qos=1 sid=7
  a $share/g/a/# qos=2 sid=7
  a a/+ qos=1 nl rap sid=7
subs topic=a/+
  a a/+ qos=1 nl rap sid=7
subs client=a topic=c
  a c qos=0
subs client=b
subs client=a limit=1
  a $q/a/1 qos=1 sid=7
  next <shard>.0.1
subs client=a limit=3 after=<shard>.0.1
  a $share/g/a/# qos=2 sid=7
  a a/+ qos=1 nl rap sid=7
  a c qos=0
"#;
    for shards in [1, 3] {
        let shard = crate::owner_of("a", shards).0.to_string();
        check_on(shards, &Config::default(), &transcript.replace("<shard>", &shard));
    }
}

#[test]
fn an_operator_sends_a_client_away_with_its_session_or_without() {
    check(
        r#"
w connect
  w connack 00
w subscribe 1 gone,0
  w suback 1 00
a connect expiry=100 will=gone:a:0
  a connack 00
a subscribe 1 t,1
  a suback 1 01
kick a keep
  a disconnect 98 "ended by an operator"
  a closed
  w publish 0 gone a
  done
client a
  a away=0 durable expiry=100 subs=1
a connect keep expiry=100
  a connack 00 present
log hold
kick a
  a disconnect 98 "ended by an operator"
  a closed
client a
  no such client
# It is said when it is so for a restart too.
log commit
  done
crash
kick a
  no such client
o connect v=3.1.1
  o connack 00
kick o
  o closed
  done
b connect expiry=100
  b connack 00
b disconnect
  b closed
log fails
kick b
  the session has ended, but a restart could bring it back: the log has failed: a test
client b
  no such client
log well
ends
  0
"#,
    );
}

#[test]
fn retained_messages_are_listed_and_removed_by_filter() {
    for retained_cache in [0, 1 << 20] {
        check_with(
            &Config { retained_cache, ..Config::default() },
            r#"
p connect
  p connack 00
p publish 1 r/b two id=1 retain
  p puback 1 10
p publish 0 r/a one retain
p publish 1 r/a/x deep id=2 retain
  p puback 2 10
p publish 0 q/a three retain expiry=5
p publish 0 r/c - retain
retained #
  q/a qos=0 three
  r/a qos=0 one
  r/a/x qos=1 deep
  r/b qos=1 two
retained r/# limit=2
  r/a qos=0 one
  r/a/x qos=1 deep
  next r/a/x
retained r/# limit=2 after=r/a/x
  r/b qos=1 two
retained r/b
  r/b qos=1 two
retained r/z
s connect
  s connack 00
s subscribe 1 r/b,0,rh2
  s suback 1 00
# Who is subscribed does not hear of it.
unretain r/+
  removed 2
unretain r/+
  removed 0
retained #
  q/a qos=0 three
  r/a/x qos=1 deep
crash
wait 6000
retained #
  r/a/x qos=1 deep
log full
unretain #
  0 were removed; the removal of others could not be stored: quota exceeded (0x97)
log well
log hold
unretain #
log fails
log commit
  0 were removed; the removal of others could not be stored: implementation specific error (0x83)
retained #
  r/a/x qos=1 deep
crash
retained #
  r/a/x qos=1 deep
ends
  0
"#,
        );
    }
}

#[test]
fn a_walk_over_retained_messages_sees_each_once() {
    for retained_cache in [0, 1 << 20] {
        let mut world =
            super::World::new(Config { shards: 3, retained_cache, ..Config::default() });
        world.command("p connect");
        let long = "x".repeat(20_000);
        for n in 0..1500 {
            let payload = if n % 10 == 0 { long.as_str() } else { "short" };
            world.command(&format!("p publish 0 r/{n} {payload} retain"));
        }
        for limit in [7, 500, 1_000] {
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let lines = world.command(&format!("retained r/# limit={limit}{after}"));
                assert!(lines.len() <= limit + 1);
                let topics = lines.iter().filter(|line| !line.starts_with("next "));
                seen.extend(topics.map(|line| line.split(' ').next().expect("a topic").to_owned()));
                match lines.last().and_then(|line| line.strip_prefix("next ")) {
                    Some(next) => after = format!(" after={next}"),
                    None => break,
                }
            }
            let count = seen.len();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!((seen.len(), count), (1500, 1500));
        }
        assert_eq!(world.command("unretain r/#"), ["removed 1500"]);
        assert!(world.command("retained #").is_empty());
    }
}
