//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

/// How long any one thing may take before the test says that it will not come. Long, because machines are shared.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks until the answer is there.
///
/// # Panics
/// After [`DEADLINE`], naming what did not come.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
