//! Runs plans, and makes a small one of one that fails. It must not know what can happen.

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::plan::Plan;
use crate::seen::Seen;
use crate::world::World;

/// So many simulations are run to find a shorter one that fails alike.
const SHRINKS_MAX: usize = 400;

/// A promise that was broken.
#[derive(Debug)]
pub struct Failure {
    seed: u64,
    what: String,
    steps: usize,
    steps_before: usize,
    trace: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, what, steps, steps_before, trace } = self;
        writeln!(f, "seed {seed}: {what}")?;
        writeln!(f, "what happened, with {steps} of {steps_before} steps left that matter:")?;
        trace.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        write!(f, "replay: WEIR_SIM_SEED={seed} cargo test --package sim")
    }
}

/// Runs the simulation of a seed.
///
/// # Errors
/// A promise was broken: which, and by what.
pub fn run(seed: u64) -> Result<Seen, Box<Failure>> {
    let plan = Plan::of(seed);
    let (what, trace) = match attempt(&plan) {
        Ok(seen) => return Ok(seen),
        Err(wrong) => wrong,
    };
    let steps_before = plan.steps.len();
    let (plan, what, trace) = shrink(plan, what, trace);
    let steps = plan.steps.len();
    Err(Box::new(Failure { seed, what, steps, steps_before, trace }))
}

/// What went wrong, and what had happened before.
type Wrong = (String, Vec<String>);

fn attempt(plan: &Plan) -> Result<Seen, Wrong> {
    let mut world = None;
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let world = world.insert(World::new(plan));
        for (number, step) in plan.steps.iter().enumerate() {
            world.step(number, *step);
        }
        world.finish();
        world.seen.clone()
    }));
    let panic = match lived {
        Ok(seen) => return Ok(seen),
        Err(panic) => panic,
    };
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    Err((text.to_owned(), world.map(|world| world.trace).unwrap_or_default()))
}

/// Leaves out steps as long as the same promise is broken.
fn shrink(mut plan: Plan, mut what: String, mut trace: Vec<String>) -> (Plan, String, Vec<String>) {
    let kind = kind_of(&what);
    let (mut chunk, mut runs) = (plan.steps.len().div_ceil(2), 0);
    while chunk > 0 && runs < SHRINKS_MAX {
        let mut at = 0;
        while at < plan.steps.len() && runs < SHRINKS_MAX {
            runs += 1;
            let mut shorter = plan.clone();
            shorter.steps.drain(at..(at + chunk).min(plan.steps.len()));
            match attempt(&shorter) {
                Err((said, log)) if kind_of(&said) == kind => {
                    (plan, what, trace) = (shorter, said, log);
                }
                _ => at += chunk,
            }
        }
        chunk /= 2;
    }
    (plan, what, trace)
}

/// What a panic says, without the numbers in it.
fn kind_of(what: &str) -> String {
    let end = what.find(['\n', '{', '[']).unwrap_or(what.len());
    what[..end].chars().filter(|letter| !letter.is_ascii_digit()).collect()
}
