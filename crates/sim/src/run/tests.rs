//! What the search has found, step by step and at every operation of the disk.

use super::*;
use crate::plan::Step;

fn check(steps: &[Step]) {
    let plan = Plan { seed: 3, shards: 1, steps: steps.to_vec() };
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
