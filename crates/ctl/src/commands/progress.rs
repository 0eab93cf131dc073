//! A request that may take long: on a terminal a bar shows how far it is.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;
use signal_hook::consts::SIGINT;

use super::define::{Resource, path};
use crate::progress::draw;
use crate::rest_args::RestArgs;

/// How long a request may take before a bar shows, and how often that is drawn.
const STEP: Duration = Duration::from_millis(300);
/// Characters between the ends of the bar.
const WIDTH: u64 = 30;

/// What is drawn, by the counts before and now.
type BarText<R> = dyn Fn(&R, &R) -> String;

/// How it is shown how far a request is.
pub struct Watch<R> {
    /// Whose counts change with it.
    pub name: String,
    /// The bar, by the counts before and now.
    pub bar: Box<BarText<R>>,
    /// What is to be said when somebody does not wait for the end.
    pub interrupted: String,
}

/// What a walk over messages deals with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// All that is there.
    All,
    /// What suits: how many these are, nobody knows before.
    Some,
}

/// Asks for something that walks over messages, and waits as long as it takes.
pub fn walk<R: Resource, T: DeserializeOwned + Send + 'static>(
    args: &RestArgs,
    (name, verb): (&str, &str),
    body: &impl Serialize,
    extent: Extent,
) -> Result<T> {
    let interrupted = format!("interrupted: the broker goes on with the {verb}");
    watched(args, (name, verb), body, || {
        let bar = Box::new(move |before: &R, now: &R| purged(before, now, extent));
        Ok(Watch::<R> { name: name.to_owned(), bar, interrupted })
    })
}

/// Asks for that, and shows on a terminal how far it is.
pub fn watched<R: Resource, T: DeserializeOwned + Send + 'static>(
    args: &RestArgs,
    (name, verb): (&str, &str),
    body: &impl Serialize,
    watch: impl FnOnce() -> Result<Watch<R>>,
) -> Result<T> {
    let rest = args.patient_rest()?;
    let request = format!("{}/{verb}", path::<R>(name));
    let body = serde_json::to_value(body)?;
    if !io::stderr().is_terminal() {
        return rest.send("POST", &request, &body);
    }
    let Watch { name, bar, interrupted } = watch()?;
    let counts = args.rest()?;
    // That they cannot be had is no reason to fail: the answer says what is wrong.
    let counted = path::<R>(&name);
    let before = counts.get::<R>(&counted).ok();
    let is_interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&is_interrupted))?;
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || drop(sender.send(rest.send("POST", &request, &body))));
    let mut is_drawn = false;
    let outcome = loop {
        match answer.recv_timeout(STEP) {
            Ok(outcome) => break outcome,
            Err(RecvTimeoutError::Timeout) if is_interrupted.load(Ordering::Relaxed) => {
                break Err(anyhow!(interrupted));
            }
            Err(RecvTimeoutError::Timeout) => {
                let now = before.as_ref().and_then(|_| counts.get::<R>(&counted).ok());
                if let (Some(before), Some(now)) = (&before, now) {
                    draw(&bar(before, &now));
                    is_drawn = true;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break Err(anyhow!("the request was lost")),
        }
    };
    if is_drawn {
        draw("");
    }
    outcome
}

/// How much of what was there has been dealt with.
fn purged<R: Resource>(before: &R, now: &R, extent: Extent) -> String {
    let (total, purged, restored) = R::walked(before, now);
    let restored = if restored > 0 { format!(", {restored} ready again") } else { String::new() };
    match extent {
        Extent::All => bar(purged, total, &format!("messages purged{restored}")),
        Extent::Some => format!("{purged} messages purged{restored}"),
    }
}

/// So many of so many.
pub fn bar(done: u64, total: u64, what: &str) -> String {
    let full = done.min(total) * WIDTH / total.max(1);
    let bar: String = (0..WIDTH).map(|at| if at < full { '#' } else { '.' }).collect();
    format!("[{bar}] {done} of {total} {what}")
}

#[cfg(test)]
mod tests {
    use admin_api::{QueueProperties, QueueStats, QueueView};

    use super::*;

    #[test]
    fn the_bar_grows_with_what_is_done() {
        let view = |ready, purged, settled| QueueView {
            name: "jobs".to_owned(),
            topic_filter: None,
            properties: QueueProperties::default(),
            stats: QueueStats { ready, purged, settled, ..QueueStats::default() },
        };
        let before = view(100, 5, 7);
        let full = "#".repeat(15) + &".".repeat(15);
        assert_eq!(
            purged(&before, &view(50, 55, 7), Extent::All),
            format!("[{full}] 50 of 100 messages purged")
        );
        let none = ".".repeat(30);
        assert_eq!(
            purged(&before, &view(103, 5, 4), Extent::Some),
            "0 messages purged, 3 ready again",
            "a bar of what nobody knows would never be full"
        );
        assert_eq!(
            purged(&view(0, 0, 0), &view(0, 0, 0), Extent::All),
            format!("[{none}] 0 of 0 messages purged")
        );
    }
}
