//! What the search has found, step by step and at every operation of the disk.

use super::*;
use crate::plan::Step;

fn check(steps: &[Step]) {
    check_over(1, steps);
}

fn check_over(shards: u16, steps: &[Step]) {
    let plan = Plan { seed: 3, shards, steps: steps.to_vec() };
    if let Err((what, trace)) = attempt(&plan) {
        panic!("{what}\n{}", trace.join("\n"));
    }
}

const fn publish(bytes: usize) -> Step {
    Step::Publish { publisher: 0, topic: 1, qos: 1, bytes, retain: false }
}

/// Power cuts that lose more or less, and after which the next start is not interrupted.
fn power_cuts() -> impl Iterator<Item = Step> {
    (0..64)
        .filter(|seed| !u64::is_multiple_of(*seed, 4))
        .map(|seed| Step::Crash { power: true, seed })
}

#[test]
fn names_of_a_process_that_was_killed_survive_a_power_cut_of_the_next() {
    for operations in 0..40 {
        for lost in power_cuts() {
            let killed = Step::CutIn { operations, power: false };
            let begin = [publish(0), Step::Run, killed];
            let fill = [publish(3000), Step::Run, publish(3000), Step::Run];
            let again = [Step::Connect { client: 0 }, Step::Run];
            check(&[&begin[..], &fill, &again, &fill, &fill, &[lost]].concat());
        }
    }
}

/// What came with a CONNECT is more than a full disk takes, and the CONNECT with it; the SUBSCRIBE that follows is not.
#[test]
fn a_session_that_hears_suback_on_a_full_disk_is_there_after_a_power_cut() {
    let publish =
        |publisher, topic, bytes| Step::Publish { publisher, topic, qos: 2, bytes, retain: false };
    let session = Step::Connect { client: crate::plan::KEEPER - 1 };
    let many = [400, 100, 400, 3000, 10, 400, 3000, 3000];
    for shards in 1..=3 {
        for after in power_cuts() {
            let begin = [publish(3, 2, 100), Step::Run, Step::Room { bytes: Some(0) }];
            let others = [publish(2, 0, 10), Step::Calm, session];
            let large = many.map(|bytes| publish(3, 1, bytes));
            let then = [Step::Calm, publish(2, 1, 10), after];
            check_over(shards, &[&begin[..], &others, &large, &then].concat());
        }
    }
}

/// A segment whose first write was interrupted is emptied at a start that is interrupted too: the zeros were read at the next one,
/// and vanished with the power.
#[test]
fn what_a_start_emptied_stays_empty() {
    for before in 1..4 {
        for operations in 0..8 {
            for lost in power_cuts() {
                let fill = [publish(3000), Step::Run].repeat(before);
                let interrupted = [Step::FailWrite, publish(3000), Step::Run];
                // The next start is killed after so many operations, the machine goes on.
                let off = Step::Crash { power: true, seed: 4 + 8 * operations };
                let again = [publish(10), Step::Run, Step::FailSync, publish(10), Step::Run, lost];
                check(&[&fill[..], &interrupted, &[off], &again].concat());
            }
        }
    }
}

/// A sync that fails leaves behind what it was not asked for: what had been acknowledged when it was written counts as clean from
/// then on, though it is not on the disk. The next process found it, and wrote more behind it.
#[test]
fn what_was_written_before_a_sync_that_failed_is_there_after_a_power_cut_of_the_next_process() {
    let [sync, relaxed] = [1, crate::plan::RELAXED_TOPIC].map(|topic| {
        [Step::Publish { publisher: 0, topic, qos: 1, bytes: 900, retain: false }, Step::Run]
    });
    let greet = [Step::Connect { client: 0 }, Step::Run];
    let killed = Step::Crash { power: false, seed: 1 };
    let again = [&[killed][..], &greet, &sync].concat();
    for operations in 0..4 {
        for lost in power_cuts() {
            let begin = [&greet[..], &sync, &relaxed].concat();
            check(&[&begin[..], &[Step::FailSync], &sync, &again, &again, &[lost]].concat());
            // The process is killed before it can take back what was refused.
            let failing = [Step::FailSync, Step::CutIn { operations, power: false }];
            check(&[&begin[..], &failing, &sync, &again, &[lost]].concat());
        }
    }
}
