//! What a process prints, line by line, for those who wait for a line and for the check at the end.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::waiting::DEADLINE;

/// All lines so far, from both outputs.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    open: usize,
}

impl Output {
    /// Takes all that `source` prints, on a thread that ends with it.
    pub(crate) fn follow(&self, source: impl Read + Send + 'static) {
        self.state().open += 1;
        let output = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                output.state().lines.push(line);
                output.0.changed.notify_all();
            }
            output.state().open -= 1;
            output.0.changed.notify_all();
        });
    }

    /// Waits for a line in which `find` finds something; none when the process closed its outputs without it.
    pub(crate) fn wait_for<T>(&self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let missing = |state: &mut State| {
            state.open > 0 && !state.lines.iter().any(|line| find(line).is_some())
        };
        let waited = self.0.changed.wait_timeout_while(self.state(), DEADLINE, missing);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.lines.iter().find_map(|line| find(line))
    }

    /// Waits until the process closed its outputs, then gives all lines.
    pub(crate) fn whole(&self) -> Vec<String> {
        let waited =
            self.0.changed.wait_timeout_while(self.state(), DEADLINE, |state| state.open > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.lines.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a line tells of trouble: WARN or ERROR of the log in JSON, or a panic.
pub(crate) fn is_trouble(line: &str) -> bool {
    let level = serde_json::from_str::<serde_json::Value>(line)
        .ok()
        .and_then(|line| line.get("level").and_then(|level| level.as_str().map(str::to_uppercase)));
    matches!(level.as_deref(), Some("WARN" | "ERROR")) || line.contains("panicked at")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_known_by_its_level() {
        for (line, trouble) in [
            (r#"{"level":"WARN","fields":{"message":"odd"}}"#, true),
            (r#"{"level":"ERROR"}"#, true),
            (r#"{"level":"INFO","fields":{"message":"ERROR in the text"}}"#, false),
            ("listening mqtt 127.0.0.1:1", false),
            ("thread 'x' panicked at src/a.rs:1:1:", true),
        ] {
            assert_eq!(is_trouble(line), trouble, "{line}");
        }
    }

    #[test]
    fn a_line_is_waited_for_and_its_absence_noticed() {
        let output = Output::default();
        output.follow(&b"one\ntwo 2\n"[..]);
        let number = |line: &str| line.strip_prefix("two ").map(str::to_owned);
        assert_eq!(output.wait_for(number).as_deref(), Some("2"));
        assert_eq!(output.wait_for(|line| line.strip_prefix("three").map(str::to_owned)), None);
        assert_eq!(output.whole(), ["one", "two 2"]);
    }
}
