//! After a crash of the broker attempt 1 means that there was no delivery before.

use std::collections::BTreeSet;

use stdx::testing::{Dice, runs};

use super::{World, check};
use crate::config::Config;

#[test]
fn what_was_settled_just_before_a_crash_comes_again_as_delivered_before() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
p publish 1 work 2 id=2
  p puback 2 00
a connect rm=1
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
checkpoint
a puback 1
  a publish 1 id=2 work 2 queue:jobs offset:1 attempt:1 publish-ts:1700000000000
wait 50
p publish 1 work 3 id=3
  p puback 3 00
a puback 2
  a publish 1 id=3 work 3 queue:jobs offset:2 attempt:1 publish-ts:1700000000050
crash
a connect rm=9
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 2 queue:jobs offset:1 attempt:2 publish-ts:1700000000000
  a publish 1 id=2 work 3 queue:jobs offset:2 attempt:2 publish-ts:1700000000050
"#,
    );
}

#[test]
fn what_nobody_was_given_comes_as_new_after_a_crash() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
crash
p connect
  p connack 00
p publish 1 work 2 id=1
  p puback 1 00
a connect rm=1
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
# A while later it is known that no more was delivered, though somebody consumes.
wait 50
wait 50
wait 50
crash
a connect rm=9
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:2 publish-ts:1700000000000
  a publish 1 id=2 work 2 queue:jobs offset:1 attempt:1 publish-ts:1700000000000
"#,
    );
}

#[test]
fn what_went_back_unread_comes_as_new_after_a_crash_once_nobody_consumes() {
    check(
        r#"
create jobs work
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
a block
p publish 1 work 1 id=1
  p puback 1 00
a lost
wait 50
crash
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
"#,
    );
}

#[test]
fn the_first_delivery_waits_for_the_log() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
log hold
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
wait 1000
log commit
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
p publish 1 work 2 id=2
  a publish 1 id=2 work 2 queue:jobs offset:1 attempt:1 publish-ts:1700000001000
  p puback 2 00
"#,
    );
}

#[test]
fn what_falls_due_waits_for_the_log_and_comes_again_as_delivered_before() {
    check(
        r#"
create jobs work
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
p publish 1 work 1 id=1 up=delay:1s
  p puback 1 00
p publish 1 work 2 id=2 up=delay:9s
  p puback 2 00
log hold
wait 1000
log commit
  a publish 1 id=1 work 1 delay:1s queue:jobs offset:0 attempt:1 publish-ts:1700000000000
crash
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 delay:1s queue:jobs offset:0 attempt:2 publish-ts:1700000000000
wait 8000
  a publish 1 id=2 work 2 delay:9s queue:jobs offset:1 attempt:1 publish-ts:1700000000000
"#,
    );
}

#[test]
fn what_falls_due_while_the_first_consumer_waits_for_the_log_comes_again_as_delivered_before() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 work 1 id=1 up=delay:1s
  p puback 1 00
log hold
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
wait 1000
log commit
  a publish 1 id=1 work 1 delay:1s queue:jobs offset:0 attempt:1 publish-ts:1700000000000
crash
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 delay:1s queue:jobs offset:0 attempt:2 publish-ts:1700000000000
"#,
    );
}

#[test]
fn a_full_disk_does_not_keep_consumers_from_what_is_there() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
log full
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:1 publish-ts:1700000000000
log well
p publish 1 work 2 id=2
  a publish 1 id=2 work 2 queue:jobs offset:1 attempt:1 publish-ts:1700000000000
  p puback 2 00
wait 50
crash
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:2 publish-ts:1700000000000
  a publish 1 id=2 work 2 queue:jobs offset:1 attempt:2 publish-ts:1700000000000
"#,
    );
}

#[test]
fn what_went_without_the_log_is_not_said_to_be_untried_later() {
    check(
        r#"
create jobs work
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
p publish 1 work 1 id=1 up=delay:1s
  p puback 1 00
log refuses
wait 1000
  a publish 1 id=1 work 1 delay:1s queue:jobs offset:0 attempt:1 publish-ts:1700000000000
wait 1000
wait 50
crash
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 delay:1s queue:jobs offset:0 attempt:2 publish-ts:1700000000000
"#,
    );
}

#[test]
fn what_the_log_was_told_and_takes_back_is_asked_for_again() {
    check(
        r#"
create jobs work
p connect
  p connack 00
p publish 1 work 1 id=1
  p puback 1 00
p publish 1 work 2 id=2
  p puback 2 00
a connect rm=1
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
  a publish 1 id=1 work 1
wait 50
wait 50
wait 50
log hold
a puback 1
log commit
  a publish 1 id=2 work 2
"#,
    );
}

#[test]
fn what_comes_after_a_crash_is_new_whatever_was_told_before_it() {
    check(
        r#"
create jobs work
p connect
  p connack 00
a connect
  a connack 00
a subscribe 1 $queue/jobs,1
  a suback 1 01
p publish 1 work 1 id=1
  a publish 1 id=1 work 1
  p puback 1 00
crash
p connect
  p connack 00
p publish 1 work 2 id=1
  p puback 1 00
wait 50
crash
a connect
  a connack 00
a subscribe 1 $queue/jobs,1 metadata
  a suback 1 01
  a publish 1 id=1 work 1 queue:jobs offset:0 attempt:2 publish-ts:1700000000000
  a publish 1 id=2 work 2 queue:jobs offset:1 attempt:1 publish-ts:1700000000000
"#,
    );
}

const CONSUMERS: [&str; 3] = ["a", "b", "c"];

/// What is consumed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum From {
    Queue,
    /// A stream that is read by a group.
    Group,
    /// One that each reads on its own.
    Stream,
}

/// A queue or a stream, who consumes it, and what they were given.
struct Story {
    world: World,
    from: From,
    published: u32,
    /// Messages, and who they came to where each gets all.
    heard: BTreeSet<(String, u32)>,
    /// Those that a crash may have made look as delivered.
    unsure: BTreeSet<u32>,
    leased: Vec<(String, String)>,
    consuming: BTreeSet<&'static str>,
    /// Whether all is in the log, and nobody consumes.
    is_quiet: bool,
    told: Vec<String>,
}

impl Story {
    fn command(&mut self, line: &str) {
        self.told.push(line.to_owned());
        for heard in self.world.command(line) {
            self.told.push(format!("  {heard}"));
            let words: Vec<&str> = heard.split_whitespace().collect();
            if words.get(1) != Some(&"publish") {
                continue;
            }
            let number = |key: &str| {
                let word = words.iter().find_map(|word| word.strip_prefix(key));
                word.expect("it is there").parse::<u32>().expect("a number")
            };
            let topic = words.iter().position(|word| word.starts_with("work/"));
            let payload = words[topic.expect("a topic") + 1];
            let message: u32 = payload.parse().expect("a number");
            let attempt = number("attempt:");
            let reader = if self.from == From::Stream { words[0] } else { "" };
            let is_first = self.heard.insert((reader.to_owned(), message));
            let is_known = !self.unsure.contains(&message);
            let story = || self.told.join("\n");
            assert!(is_first || attempt > 1, "{message} comes again as new:\n{}", story());
            assert!(
                !is_first || !is_known || attempt == 1,
                "{message} was not there:\n{}",
                story()
            );
            self.leased.push((words[0].to_owned(), number("id=").to_string()));
        }
    }

    fn crash(&mut self) {
        if !self.is_quiet {
            self.unsure.extend(1..=self.published);
        }
        self.command("crash");
        self.leased.clear();
        self.consuming.clear();
        self.command("p connect");
    }

    fn step(&mut self, dice: &mut Dice) {
        let what = dice.below(16);
        self.is_quiet &= what == 15;
        let consumer = CONSUMERS[dice.below(3)];
        match what {
            0..=4 => {
                self.published += 1;
                let (message, topic) = (self.published, dice.below(3));
                let delay = if dice.below(4) == 0 { " up=delay:1s" } else { "" };
                self.command(&format!("p publish 1 work/{topic} {message} id={message}{delay}"));
            }
            5 | 6 if self.consuming.insert(consumer) => {
                let credit = 1 + dice.below(4);
                self.command(&format!("{consumer} connect rm={credit}"));
                let address = match self.from {
                    From::Queue => "$queue/jobs,1",
                    From::Group => "$stream/jobs,1 up=stream-offset:next up=stream-group:g",
                    From::Stream => "$stream/jobs,1 up=stream-offset:next",
                };
                self.command(&format!("{consumer} subscribe 1 {address} metadata"));
            }
            7 if self.consuming.remove(consumer) => {
                self.leased.retain(|(name, _)| name != consumer);
                self.command(&format!("{consumer} lost"));
            }
            8..=11 if !self.leased.is_empty() => {
                let (name, id) = self.leased.remove(dice.below(self.leased.len()));
                let code = ["", "", " 80"][dice.below(3)];
                self.command(&format!("{name} puback {id}{code}"));
            }
            12 => {
                let wait = [10, 60, 1_500][dice.below(3)];
                self.command(&format!("wait {wait}"));
            }
            13 => {
                let what = ["log hold", "log commit", "log commit", "checkpoint"][dice.below(4)];
                self.command(what);
            }
            14 if dice.below(4) == 0 => {
                self.consuming.clear();
                self.leased.clear();
                for line in ["log commit", "a connect", "b connect", "c connect"] {
                    self.command(line);
                }
                (0..4).for_each(|_| self.command("wait 50"));
                self.is_quiet = true;
            }
            15 if dice.below(4) == 0 => self.crash(),
            _ => {}
        }
    }
}

fn attempts_are_true_over_crashes(from: From) {
    runs(60, |_, dice| {
        let strategy = 1 + dice.below(5);
        let shards = [1, 3][dice.below(2)];
        let mut config = Config { shards, ..Config::default() };
        config.queue_defaults.config.max_attempts = 0;
        let mut story = Story {
            world: World::new(config),
            from,
            published: 0,
            heard: BTreeSet::new(),
            unsure: BTreeSet::new(),
            leased: Vec::new(),
            consuming: BTreeSet::new(),
            is_quiet: false,
            told: Vec::new(),
        };
        match from {
            From::Queue => story.command(&format!("create jobs work/# strategy={strategy}")),
            From::Group | From::Stream => story.command("stream jobs work/#"),
        }
        story.command("p connect");
        (0..150).for_each(|_| story.step(dice));
    });
}

#[test]
fn attempts_of_a_queue_are_true_over_crashes() {
    attempts_are_true_over_crashes(From::Queue);
}

#[test]
fn attempts_of_a_group_of_readers_are_true_over_crashes() {
    attempts_are_true_over_crashes(From::Group);
}

#[test]
fn attempts_of_readers_are_true_over_crashes() {
    attempts_are_true_over_crashes(From::Stream);
}
