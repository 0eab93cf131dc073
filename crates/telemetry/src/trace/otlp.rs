//! OTLP over HTTP: batches of spans as JSON, sent by a thread of its own.

mod json;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::span::Span;
use super::tracer::{Counters, Tracer};
use json::request;

/// Spans of one request.
const BATCH_MAX: usize = 512;
/// How long spans wait for others.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// How long the thread sleeps at most before it looks whether it shall end.
const LOOK: Duration = Duration::from_millis(100);
/// Spans that wait for the thread.
const ROOM: usize = 16_384;

/// Where traces go, and how many.
#[derive(Clone, PartialEq, Debug)]
pub struct OtlpConfig {
    /// The collector's base, such as `http://127.0.0.1:4318`.
    pub endpoint: String,
    /// What this process is called.
    pub service_name: String,
    /// And its version.
    pub version: &'static str,
    /// The share of messages without a context that begin a trace.
    pub sample_ratio: f64,
    /// What each request says besides.
    pub headers: Vec<(String, String)>,
    /// How long a request may take.
    pub timeout: Duration,
    /// What ids follow from.
    pub seed: u64,
}

/// The far end: the thread that sends.
#[derive(Debug)]
pub struct Exporter {
    stop: Arc<AtomicBool>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread.
///
/// # Errors
/// The system gives no thread.
pub fn start(config: OtlpConfig) -> io::Result<(Tracer, Exporter)> {
    let (tracer, spans) = Tracer::new(config.seed, config.sample_ratio, ROOM);
    let stop = Arc::new(AtomicBool::new(false));
    let (done_sender, done) = sync_channel(1);
    let mut sender = Sender {
        agent: ureq::Agent::config_builder().timeout_global(Some(config.timeout)).build().into(),
        url: format!("{}/v1/traces", config.endpoint.trim_end_matches('/')),
        config,
        counters: tracer.counters(),
        is_failing: false,
    };
    let stopped = Arc::clone(&stop);
    let thread = std::thread::Builder::new().name("otlp".to_owned()).spawn(move || {
        run(&mut sender, &spans, &stopped);
        let _ = done_sender.send(());
    })?;
    Ok((tracer, Exporter { stop, done, thread: Some(thread) }))
}

impl Exporter {
    /// Sends what waits, for so long at most; what is not sent by then is lost.
    pub fn stop(mut self, within: Duration) {
        self.stop.store(true, Ordering::Release);
        if self.done.recv_timeout(within).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Gathers spans and sends them until all tracers are gone, or it is told to stop and none wait.
fn run(sender: &mut Sender, spans: &Receiver<Span>, stop: &AtomicBool) {
    let mut batch = Vec::new();
    let mut due = Instant::now();
    loop {
        let is_last = stop.load(Ordering::Acquire);
        let got = if is_last {
            spans.try_recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            spans.recv_timeout(LOOK)
        };
        let is_end = got == Err(RecvTimeoutError::Disconnected);
        if let Ok(span) = got {
            if batch.is_empty() {
                due = Instant::now() + BATCH_WAIT;
            }
            batch.push(span);
        }
        if batch.len() >= BATCH_MAX || !batch.is_empty() && (is_end || Instant::now() >= due) {
            sender.send(&batch);
            batch.clear();
        }
        if is_end {
            return;
        }
    }
}

struct Sender {
    agent: ureq::Agent,
    url: String,
    config: OtlpConfig,
    counters: Arc<Counters>,
    /// The last request failed, which was said.
    is_failing: bool,
}

impl Sender {
    fn send(&mut self, batch: &[Span]) {
        let body = request(&self.config, batch).to_string();
        let mut post = self.agent.post(&self.url).header("Content-Type", "application/json");
        for (name, value) in &self.config.headers {
            post = post.header(name, value);
        }
        let count = batch.len() as u64;
        match post.send(body) {
            Ok(_) => {
                self.counters.exported.fetch_add(count, Ordering::Relaxed);
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!(endpoint = self.url, "the collector takes traces again");
                }
            }
            Err(error) => {
                self.counters.failed.fetch_add(count, Ordering::Relaxed);
                // Once: the metrics say how many follow.
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!(endpoint = self.url, %error, "the collector takes no traces");
                }
            }
        }
    }
}
