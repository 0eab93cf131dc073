//! A backup of the running broker: on a thread of its own, for as long as somebody takes it.
//!
//! ```text
//!  image of the log ── thread `backup`: checked, read, hashed ── a few pieces ── HTTP
//!                            └── nobody takes them for a minute, or nobody is there: it ends
//! ```

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use admin_api::{ApiError, BackupDownload, Pieces};
use log_disk::{DiskLog, Image};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use upkeep::Written;

use crate::answer::RETRY_AFTER;

/// Bytes of a piece, and how many wait for whoever takes them.
const PIECE_BYTES: usize = 256 << 10;
const PIECES: usize = 8;
/// How often it is looked whether a piece has been taken, and how long until it is given up.
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);
/// How much others go first.
const NICENESS: i32 = 10;

/// Makes backups, one at a time.
#[derive(Clone)]
pub(crate) struct Backups {
    log: Arc<DiskLog>,
    data_dir: PathBuf,
    version: &'static str,
    is_under_way: Arc<AtomicBool>,
}

type Piece = Result<Vec<u8>, String>;

impl Backups {
    pub(crate) fn new(log: Arc<DiskLog>, data_dir: PathBuf, version: &'static str) -> Self {
        Self { log, data_dir, version, is_under_way: Arc::default() }
    }

    /// Begins one. What is acknowledged by now is in it.
    pub(crate) async fn begin(&self) -> Result<BackupDownload, ApiError> {
        if self.is_under_way.swap(true, Ordering::SeqCst) {
            let message = "a backup is under way; come again when it has ended".to_owned();
            return Err(ApiError::Conflict { message });
        }
        let turn = Turn(Arc::clone(&self.is_under_way));
        let (begun, image) = oneshot::channel();
        let (sender, receiver) = mpsc::channel(PIECES);
        let this = self.clone();
        let work = move || {
            let _turn = turn;
            this.work(begun, sender);
        };
        let spawned = thread::Builder::new().name("backup".to_owned()).spawn(work);
        spawned.map_err(|error| ApiError::Internal { message: format!("no thread: {error}") })?;
        let shut_down = |_| ApiError::Unavailable {
            message: "the broker is shutting down".to_owned(),
            retry_after: RETRY_AFTER,
        };
        let estimated_bytes = image.await.map_err(shut_down)??;
        Ok(BackupDownload { estimated_bytes, pieces: Box::new(Receiving(receiver)) })
    }

    fn work(&self, begun: oneshot::Sender<Result<u64, ApiError>>, sender: mpsc::Sender<Piece>) {
        // The system may not let us be nicer; then it goes without.
        let _ = be_nice();
        let image = match self.log.image() {
            Ok(image) => image,
            Err(error) => {
                let _ = begun.send(Err(ApiError::Internal { message: error.to_string() }));
                return;
            }
        };
        // Who asked may be gone; then nothing is taken.
        let _ = begun.send(Ok(image.bytes()));
        let started = Instant::now();
        match self.write(image, &sender) {
            Ok(Written { bytes, manifest }) => {
                let elapsed_ms = started.elapsed().as_millis();
                tracing::info!(
                    bytes,
                    position = manifest.position,
                    elapsed_ms,
                    "a backup has been written"
                );
            }
            Err(upkeep::Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                tracing::info!("a backup has been given up by whoever wanted it");
            }
            Err(upkeep::Error::Output(error)) => {
                tracing::warn!(%error, "a backup has been given up")
            }
            Err(error) => {
                tracing::error!("there is no backup: {error}");
                let _ = sender.try_send(Err(error.to_string()));
            }
        }
    }

    fn write(&self, image: Image, sender: &mpsc::Sender<Piece>) -> Result<Written, upkeep::Error> {
        let mut out = Sending { sender, piece: Vec::new() };
        upkeep::write_backup(image, &self.data_dir, self.version, &mut out, &mut |_, _| {})
    }
}

/// Another backup may begin when this is gone.
struct Turn(Arc<AtomicBool>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Cuts what is written into pieces, and waits while enough of them have not been taken.
struct Sending<'a> {
    sender: &'a mpsc::Sender<Piece>,
    piece: Vec<u8>,
}

impl Sending<'_> {
    fn send(&mut self) -> io::Result<()> {
        let mut piece = Ok(std::mem::take(&mut self.piece));
        let started = Instant::now();
        loop {
            match self.sender.try_send(piece) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Closed(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
                Err(TrySendError::Full(_)) if started.elapsed() > PATIENCE => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "nobody takes what is written",
                    ));
                }
                Err(TrySendError::Full(back)) => piece = back,
            }
            thread::sleep(LOOK);
        }
    }
}

impl Write for Sending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() { Ok(()) } else { self.send() }
    }
}

struct Receiving(mpsc::Receiver<Piece>);

impl Pieces for Receiving {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.0.poll_recv(context)
    }
}

/// Lets other threads go first, on a busy machine.
fn be_nice() -> rustix::io::Result<()> {
    rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS)
}
