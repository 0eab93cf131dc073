//! Hundreds of lives of a broker, each decided by a seed. `WEIR_SIM_SEED=<n>` repeats one, `WEIR_SIM_SECONDS=<n>` goes on with
//! new ones for so long. `WEIR_SIM_TRACE=1` shows every operation of the disk between the steps of one that fails.

use std::time::{Duration, Instant};

/// Seeds that are always run.
const SEEDS: u64 = 600;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not '{text}'")))
}

#[test]
fn promises_are_kept_whatever_happens() {
    let one = number("WEIR_SIM_SEED");
    // Failures are told once, by this thread.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let found = one.map_or_else(search, sim::run);
    std::panic::set_hook(usual);
    match found {
        Ok(seen) => {
            eprintln!("{seen:?}");
            let missing = if one.is_some() { Vec::new() } else { seen.missing() };
            assert_eq!(missing, [""; 0], "that never happened: {seen:?}");
        }
        Err(failure) => panic!("{failure}"),
    }
}

fn search() -> Result<sim::Seen, Box<sim::Failure>> {
    let until = number("WEIR_SIM_SECONDS").map(|n| Instant::now() + Duration::from_secs(n));
    let is_time_left = || until.is_some_and(|until| Instant::now() < until);
    // A long search begins somewhere else each time.
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let first = since.map_or(0, |since| since.as_secs()) << 20;
    let usual = 0..SEEDS;
    let others = (first..).take_while(|_| is_time_left());
    let mut seen = sim::Seen::default();
    for seed in usual.chain(others) {
        seen.add(&sim::run(seed)?);
    }
    Ok(seen)
}
