//! `weir top` in a terminal: a look at the broker from time to time, until somebody ends it.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::terminal::{self, Terminal};
use super::{Look, screen};
use crate::rest::Rest;

/// What is waited for.
enum Event {
    Looked(Result<Look>),
    Terminal(terminal::Event),
}

impl From<terminal::Event> for Event {
    fn from(event: terminal::Event) -> Self {
        Self::Terminal(event)
    }
}

/// Shows a broker until somebody ends it. When it does not answer, what was seen last stays, and it is asked again.
pub fn run(rest: Rest, first: Look, interval: Duration, rows: Option<usize>) -> Result<()> {
    let url = rest.url().to_owned();
    let (sender, events) = mpsc::channel();
    let terminal = Terminal::take(&sender)?;
    look_on(rest, interval, sender);
    let (mut seen, mut last) = (first.snapshot(None), first);
    let mut trouble: Option<String> = None;
    loop {
        let (width, height) = terminal.size();
        let mut lines = screen::screen(&seen, &url, rows, (width, height));
        if let (Some(trouble), Some(line)) = (&trouble, lines.first_mut()) {
            *line = trouble.chars().take(width).collect();
        }
        terminal.draw(&lines)?;
        match events.recv()? {
            Event::Terminal(terminal::Event::End) => return Ok(()),
            Event::Terminal(terminal::Event::Resized) => {}
            Event::Looked(Ok(look)) => {
                (seen, last, trouble) = (look.snapshot(Some(&last)), look, None);
            }
            Event::Looked(Err(error)) => {
                let words = format!("{error:#}");
                trouble = Some(words.replace(char::is_control, " "));
            }
        }
    }
}

/// Looks on a thread of its own, so that a broker that does not answer does not keep anybody from ending it.
fn look_on(rest: Rest, interval: Duration, sender: Sender<Event>) {
    thread::spawn(move || {
        loop {
            thread::sleep(interval);
            if sender.send(Event::Looked(Look::take(&rest))).is_err() {
                return;
            }
        }
    });
}
