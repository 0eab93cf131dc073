//! The terminal while `top` has it: without echo and line by line, on its other screen, until this is dropped.

use std::io::{self, Read, Write};
use std::sync::mpsc::Sender;
use std::thread;

use anyhow::{Context, Result};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;

/// To the other screen, and the cursor away.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// And back.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// What Ctrl-C and Ctrl-D send.
const ENDS: [u8; 4] = [b'q', b'Q', 0x03, 0x04];
/// The size of a terminal that does not say.
const SIZE: (usize, usize) = (80, 24);

/// What somebody does at the terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// It has another size.
    Resized,
    /// That is enough.
    End,
}

/// The terminal.
pub struct Terminal {
    before: Termios,
}

impl Terminal {
    /// Takes it, and tells what is done at it.
    pub fn take<E: From<Event> + Send + 'static>(events: &Sender<E>) -> Result<Self> {
        let mut signals = Signals::new([SIGWINCH, SIGINT, SIGTERM, SIGHUP])?;
        let before = tcgetattr(io::stdin()).context("the terminal cannot be asked")?;
        let mut silent = before.clone();
        // Ctrl-C comes as a key, so that it is dealt with in order.
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Now, &silent)
            .context("the terminal stays as it is")?;
        let terminal = Self { before };
        write(ENTER)?;
        let to_us = events.clone();
        thread::spawn(move || {
            for signal in &mut signals {
                let event = if signal == SIGWINCH { Event::Resized } else { Event::End };
                if to_us.send(event.into()).is_err() {
                    return;
                }
            }
        });
        let to_us = events.clone();
        thread::spawn(move || {
            // The end of the input, or that it cannot be read, ends it too.
            let mut keys = io::stdin().lock().bytes().map_while(Result::ok);
            let _ = keys.find(|key| ENDS.contains(key));
            let _ = to_us.send(Event::End.into());
        });
        Ok(terminal)
    }

    /// Columns and lines.
    pub fn size(&self) -> (usize, usize) {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (usize::from(size.ws_col), usize::from(size.ws_row))
            }
            _ => SIZE,
        }
    }

    /// Shows these lines and nothing else, the first one bold.
    pub fn draw(&self, lines: &[String]) -> Result<()> {
        let mut text = String::from("\x1b[H");
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                text.push_str("\r\n");
            }
            let (bold, plain) = if at == 0 { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
            text.push_str(&format!("{bold}{line}{plain}\x1b[K"));
        }
        text.push_str("\x1b[J");
        write(&text)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = write(LEAVE);
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to the terminal")
}
