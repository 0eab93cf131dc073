//! A bar on the terminal for what takes long. It must not know what that is.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often it is drawn.
const STEP: Duration = Duration::from_millis(200);
/// Characters between its ends.
const WIDTH: u64 = 30;

/// A bar on standard error, if that is a terminal. It is gone when it is dropped.
pub struct Bar {
    what: &'static str,
    is_terminal: bool,
    drawn: Option<Instant>,
    began: Instant,
}

impl Bar {
    /// A bar for that, such as `backed up`.
    pub fn new(what: &'static str) -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self { what, is_terminal, drawn: None, began: Instant::now() }
    }

    /// So many of so many bytes are done.
    pub fn show(&mut self, done: u64, total: u64) {
        let last = self.drawn.unwrap_or(self.began);
        if self.is_terminal && last.elapsed() >= STEP {
            self.drawn = Some(Instant::now());
            draw(&bar(self.what, done, total));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            draw("");
        }
    }
}

/// Draws a line over the one before.
pub fn draw(text: &str) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
}

fn bar(what: &str, done: u64, total: u64) -> String {
    let done = done.min(total);
    let full = u128::from(done) * u128::from(WIDTH) / u128::from(total.max(1));
    let bar: String = (0..WIDTH).map(|at| if u128::from(at) < full { '#' } else { '.' }).collect();
    format!("[{bar}] {} of {} {what}", size(done), size(total))
}

/// Bytes for people, such as `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (bytes as f64 / 1024.0, 0);
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    while size >= 1024.0 && unit + 1 < units.len() {
        (size, unit) = (size / 1024.0, unit + 1);
    }
    format!("{size:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_with_what_is_done() {
        let full = "#".repeat(15) + &".".repeat(15);
        assert_eq!(bar("read", 512, 1024), format!("[{full}] 512 B of 1.0 KiB read"));
        let all = "#".repeat(30);
        assert_eq!(bar("read", 9, 7), format!("[{all}] 7 B of 7 B read"));
        let none = ".".repeat(30);
        assert_eq!(bar("read", 0, 0), format!("[{none}] 0 B of 0 B read"));
    }

    #[test]
    fn sizes_are_for_people() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (64 << 20, "64.0 MiB"),
            (3 << 30, "3.0 GiB"),
            (5 << 50, "5120.0 TiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
