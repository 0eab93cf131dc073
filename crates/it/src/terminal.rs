//! A command on a terminal of its own, and somebody at the keyboard.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use crate::waiting::DEADLINE;
use crate::weir::{Weir, binary};

/// What Ctrl-C sends.
const INTERRUPT: &[u8] = b"\x03";

/// A running command; dropped, it is killed.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    pieces: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    /// Starts a command of the binary, which speaks to that broker.
    ///
    /// # Panics
    /// There is no `script`, which belongs to every Debian.
    #[must_use]
    pub fn start(weir: &Weir, arguments: &[&str]) -> Self {
        let words = [binary().display().to_string()];
        let words = words.iter().map(String::as_str).chain(arguments.iter().copied());
        let line: Vec<String> = words.map(|word| format!("'{word}'")).collect();
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--flush", "--command"])
            .args([&format!("exec {}", line.join(" ")), "/dev/null"])
            .env("WEIR_URL", format!("http://{}", weir.http))
            .env("WEIR_DATA_DIR", weir.data_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script runs");
        let mut output = child.stdout.take().expect("stdout is a pipe");
        let (send, pieces) = channel();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                if send.send(piece[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let keys = child.stdin.take().expect("stdin is a pipe");
        Self { child, keys, pieces, shown: String::new() }
    }

    /// Waits until these words were shown.
    ///
    /// # Panics
    /// They are not.
    pub fn until(&mut self, words: &str) {
        let start = Instant::now();
        while !self.shown.contains(words) {
            let left = DEADLINE.saturating_sub(start.elapsed());
            let Ok(piece) = self.pieces.recv_timeout(left) else {
                panic!("'{words}' is not shown, but {:?}", self.shown);
            };
            self.shown.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    /// Presses Ctrl-C.
    ///
    /// # Panics
    /// The terminal is gone.
    pub fn interrupt(&mut self) {
        self.keys.write_all(INTERRUPT).and_then(|()| self.keys.flush()).expect("it reads keys");
    }

    /// Waits for the end; gives the exit code and all that was shown.
    ///
    /// # Panics
    /// It does not end.
    #[must_use]
    pub fn end(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        while let Ok(piece) = self.pieces.recv_timeout(DEADLINE.saturating_sub(start.elapsed())) {
            self.shown.push_str(&String::from_utf8_lossy(&piece));
        }
        assert!(start.elapsed() < DEADLINE, "it does not end, it shows {:?}", self.shown);
        let status = self.child.wait().expect("it ends");
        (status.code(), std::mem::take(&mut self.shown))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
