//! Clients and subscriptions as an operator sees them, and what it does to them.

use super::{check, check_on};
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
