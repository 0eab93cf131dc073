//! A request that may take long: on a terminal a bar shows how far it is.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::define::{Resource, path};
use crate::progress::draw;
use crate::rest_args::RestArgs;

/// How long a request may take before a bar shows, and how often that is drawn.
const STEP: Duration = Duration::from_millis(300);
/// Characters between the ends of the bar.
const WIDTH: u64 = 30;

/// Asks for something that walks over all messages, and waits as long as it takes.
pub fn walk<R: Resource, T: DeserializeOwned + Send + 'static>(
    args: &RestArgs,
    name: &str,
    verb: &str,
    body: &impl Serialize,
) -> Result<T> {
    let rest = args.patient_rest()?;
    let request = format!("{}/{verb}", path::<R>(name));
    let body = serde_json::to_value(body)?;
    if !io::stderr().is_terminal() {
        return rest.send("POST", &request, &body);
    }
    let watch = args.rest()?;
    let before: R = watch.get(&path::<R>(name))?;
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || drop(sender.send(rest.send("POST", &request, &body))));
    let mut is_drawn = false;
    let outcome = loop {
        match answer.recv_timeout(STEP) {
            Ok(outcome) => break outcome,
            Err(RecvTimeoutError::Timeout) => {
                // That it cannot be drawn is no reason to fail.
                if let Ok(now) = watch.get::<R>(&path::<R>(name)) {
                    draw(&bar(&before, &now));
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
fn bar<R: Resource>(before: &R, now: &R) -> String {
    let (total, purged, restored) = R::walked(before, now);
    let done = purged.min(total);
    let full = done * WIDTH / total.max(1);
    let bar: String = (0..WIDTH).map(|at| if at < full { '#' } else { '.' }).collect();
    let restored = if restored > 0 { format!(", {restored} ready again") } else { String::new() };
    format!("[{bar}] {purged} of {total} messages purged{restored}")
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
        assert_eq!(bar(&before, &view(50, 55, 7)), format!("[{full}] 50 of 100 messages purged"));
        let none = ".".repeat(30);
        assert_eq!(
            bar(&before, &view(103, 5, 4)),
            format!("[{none}] 0 of 100 messages purged, 3 ready again")
        );
        assert_eq!(bar(&view(0, 0, 0), &view(0, 0, 0)), format!("[{none}] 0 of 0 messages purged"));
    }
}
