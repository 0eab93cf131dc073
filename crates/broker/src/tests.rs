//! The broker under test: transcripts of what clients say and hear, over one shard and over three.

mod client;
mod operator;
mod world;

mod alarms;
mod attempts;
mod connections;
mod crashes;
mod dead_letters;
mod dead_letters_twin;
mod delayed;
mod durable;
mod durable_crashes;
mod durable_edges;
mod durable_refusals;
mod durable_unsure;
mod explain;
mod explain_words;
mod fuzz;
mod listing;
mod live;
mod many_sessions;
mod mqtt311;
mod mqtt5;
mod outside;
mod protection;
mod queue_edges;
mod queue_limits;
mod queue_once;
mod queue_operations;
mod queue_operations_crashes;
mod queue_operator;
mod queue_order;
mod queue_room;
mod queue_watch;
mod queue_words;
mod queues;
mod rekeying;
mod relocation;
mod relocation_sessions;
mod retained;
mod retained_crashes;
mod retained_once;
mod retained_sessions;
mod retries;
mod sessions;
mod settling;
mod shards;
mod shared_endings;
mod shared_subscriptions;
mod shared_twin;
mod sign_in;
mod status;
mod storage;
mod stream_words;
mod streams;
mod streams_attempts;
mod streams_crashes;
mod streams_once;
mod streams_operator;
mod streams_positions;
mod streams_readers;
mod streams_sessions;
mod streams_twin;
mod subscribing;
mod traces;
mod unsubscribing;

use crate::config::Config;
use world::World;

/// Runs the commands of a transcript and compares what is heard with what it says. Commands stand at the margin, what
/// is heard of them below, indented; lines with `#` say why.
fn check(transcript: &str) {
    check_with(&Config::default(), transcript);
}

fn check_with(config: &Config, transcript: &str) {
    for shards in [1, 3] {
        check_on(shards, config, transcript);
    }
}

fn check_on(shards: u16, config: &Config, transcript: &str) {
    let mut world = World::new(Config { shards, ..config.clone() });
    let mut actual = String::new();
    for line in lines(transcript).filter(|line| !line.starts_with("  ")) {
        actual += &format!("{line}\n");
        if line.starts_with('#') {
            continue;
        }
        for heard in world.command(line) {
            actual += &format!("  {heard}\n");
        }
    }
    let expected: String = lines(transcript).map(|line| format!("{line}\n")).collect();
    assert!(expected == actual, "over {shards} shards:\n{actual}--- expected:\n{expected}");
}

fn lines(transcript: &str) -> impl Iterator<Item = &str> {
    transcript.lines().filter(|line| !line.is_empty())
}
