//! What the positions of many readers take of the log.

use log_api::Log;

use super::World;
use crate::config::Config;

/// Half a second of a message each millisecond, to so many clients that read one stream and keep up. Gives the bytes that
/// the log took beside the messages.
fn bytes_beside_messages(readers: u64) -> u64 {
    let mut world = World::new(Config::default());
    world.command("stream log t");
    world.command("p connect");
    for n in 0..readers {
        world.quietly(&format!("reader-with-a-name-{n:06} connect"));
        world.quietly(&format!("reader-with-a-name-{n:06} subscribe 1 $stream/log,0"));
    }
    world.settle();
    world.command("wait 100");
    let before = world.log.stats().appended_bytes_total;
    for n in 0..500 {
        world.quietly(&format!("p publish 0 t {n:03}"));
        world.pass(1);
        world.settle();
    }
    world.log.stats().appended_bytes_total - before
}

/// A reader that keeps up takes nothing that grows with how many there are.
#[test]
fn many_readers_that_keep_up_take_as_much_of_the_log_as_few() {
    let (few, many) = (bytes_beside_messages(2), bytes_beside_messages(1_000));
    println!("2 readers: {few} bytes, 1000: {many}");
    assert!(many < few + few / 2, "2 readers: {few} bytes, 1000: {many}");
}

/// Nothing is said of the reader after that, which would say all.
#[test]
fn what_a_full_log_has_refused_is_reported_again() {
    super::check(
        "
stream log log/#
p connect
  p connack 00
p publish 1 log/a one id=1
  p puback 1 00
p publish 1 log/a two id=2
  p puback 2 00
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next
  a suback 1 01
  a publish 1 id=1 log/a one
  a publish 1 id=2 log/a two
a puback 1
log refuses
wait 60
wait 1000
wait 50
crash
a connect
  a connack 00
a subscribe 1 $stream/log,1 up=stream-offset:next
  a suback 1 01
  a publish 1 id=1 log/a two
",
    );
}
