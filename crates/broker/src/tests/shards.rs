//! What can go wrong between shards only.

use super::{World, check_on};
use crate::config::Config;
use crate::ids::owner_of;

/// A client id of a session that the shard owns, of three.
fn client_of(shard: u16) -> String {
    (0..).map(|n| format!("c{n}")).find(|name| owner_of(name, 3).0 == shard).expect("one of them")
}

#[test]
fn an_attachment_that_comes_after_the_deletion_is_told_so() {
    let c = client_of(2);
    // The second queue lives on shard 1. Shard 0, which keeps the directory, is the last to hear of the deletion.
    let transcript = format!(
        r#"
create other else
create jobs work
{c} connect
  {c} connack 00
log hold
delete jobs
stall 0
log commit
{c} subscribe 1 $queue/jobs,1
  {c} suback 1 01
  {c} disconnect 98 "the queue of subscription $queue/jobs was deleted"
  {c} closed
run 0
"#
    );
    check_on(3, &Config::default(), &transcript);
}

#[test]
fn an_attachment_that_comes_before_the_definition_waits_for_it() {
    let (c, p) = (client_of(2), client_of(0));
    let transcript = format!(
        r#"
create other else
stall 1
create jobs work
{c} connect
  {c} connack 00
{c} subscribe 1 $queue/jobs,1
  {c} suback 1 01
{p} connect
  {p} connack 00
{p} publish 1 work one id=1
  {p} puback 1 00
run 1
  {c} publish 1 id=1 work one
"#
    );
    check_on(3, &Config::default(), &transcript);
}

#[test]
fn a_publisher_goes_on_whose_shard_hears_of_no_commit() {
    let config = Config { max_log_backlog_bytes: 100, ..Config::default() };
    let p = client_of(2);
    let transcript = format!(
        r#"
create jobs work
{p} connect
  {p} connack 00
log hold
{p} publish 0 work one
{p} publish 0 work two
{p} publish 0 work three
{p} ping
log commit
wait 5
  {p} pingresp
wait 5
ledger jobs
  enqueued=3 ready=3
"#
    );
    check_on(3, &config, &transcript);
}

#[test]
fn a_publisher_waits_for_a_shard_that_is_behind_with_live_messages() {
    let config = Config { max_mailbox_bytes: 300, ..Config::default() };
    let mut world = World::new(Config { shards: 3, ..config });
    let (p, s) = (client_of(2), client_of(1));
    world.command(&format!("{p} connect"));
    world.command(&format!("{s} connect"));
    world.command(&format!("{s} subscribe 1 t,0"));
    world.command("stall 1");
    for n in 0..100 {
        world.command(&format!("{p} publish 0 t {n}"));
    }
    assert_eq!(world.mail_waiting(1), 3, "what passes the limit, and no more");
    let mut heard = world.command("run 1");
    for _ in 0..100 {
        heard.extend(world.command("wait 5"));
    }
    let expected: Vec<String> = (0..100).map(|n| format!("{s} publish 0 t {n}")).collect();
    assert_eq!(heard, expected);
}

#[test]
fn a_shared_subscription_spans_shards() {
    let (a, b, p) = (client_of(0), client_of(1), client_of(2));
    let mut world = World::new(Config { shards: 3, ..Config::default() });
    for name in [&a, &b, &p] {
        world.command(&format!("{name} connect"));
    }
    for name in [&a, &b] {
        world.command(&format!("{name} subscribe 1 $share/g/t,0"));
    }
    let heard: Vec<String> =
        (0..4).flat_map(|n| world.command(&format!("{p} publish 0 t {n}"))).collect();
    let turns = [(&a, 0), (&b, 1), (&a, 2), (&b, 3)];
    assert_eq!(heard, turns.map(|(name, n)| format!("{name} publish 0 t {n}")));
}
