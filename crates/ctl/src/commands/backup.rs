//! `weir backup` and `weir restore`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde_json::json;
use upkeep::{Manifest, Target};

use crate::output;
use crate::progress::{Bar, size};
use crate::rest::Download;
use crate::rest_args::RestArgs;

const BACKUP: &str = "/api/v1/backup";
/// How much is copied at once.
const CHUNK_BYTES: usize = 256 << 10;

/// The arguments of `weir backup`.
#[derive(Debug, Args)]
#[command(
    long_about = "Write a backup: all that was acknowledged before, in one file.\n\nThe data directory decides: one that no \
                  broker uses is read as it lies, else its broker is asked; with --url or --token, that broker. A backup \
                  holds all messages and what proves passwords: keep it as you keep those."
)]
pub struct BackupArgs {
    /// The file to write; in a folder, one that is named by the time
    #[arg(value_name = "FILE|FOLDER")]
    target: PathBuf,
    #[command(flatten)]
    rest: RestArgs,
}

/// The arguments of `weir restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup
    backup: PathBuf,
    /// The data directory to make (also WEIR_DATA_DIR): there must be none, or an empty one
    #[arg(long, default_value_os_t = crate::rest_args::data_dir(), value_name = "DIR")]
    data_dir: PathBuf,
    /// Check that the backup is whole, and write nothing
    #[arg(long)]
    check: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Writes a backup.
pub fn run(args: &BackupArgs) -> Result<()> {
    let target = Target::create(&args.target)?;
    let path = target.path().to_owned();
    let data_dir = args.rest.data_dir();
    let is_at_rest = !args.rest.names_a_broker() && upkeep::is_stopped(data_dir)?;
    let manifest = if is_at_rest { at_rest(data_dir, target)? } else { from_broker(args, target)? };
    let bytes = std::fs::metadata(&path).context("the backup is gone")?.len();
    if args.rest.json {
        return output::json(&json!({"path": path, "bytes": bytes, "manifest": manifest}));
    }
    let of = if is_at_rest { "a stopped broker" } else { "a running broker" };
    output::line(&format!(
        "{}: {}, {} files of {of}, all up to {} of its log",
        path.display(),
        size(bytes),
        manifest.files.len(),
        manifest.position
    ))
}

fn at_rest(data_dir: &Path, target: Target) -> Result<Manifest> {
    let mut bar = Bar::new("backed up");
    let version = env!("CARGO_PKG_VERSION");
    let written =
        upkeep::backup_at_rest(data_dir, version, target, &mut |done, total| bar.show(done, total));
    Ok(written?.manifest)
}

/// Takes a backup from a broker, and checks that it is whole before it gets its name.
fn from_broker(args: &BackupArgs, mut target: Target) -> Result<Manifest> {
    let Download { estimated_bytes, mut content } = args.rest.patient_rest()?.download(BACKUP)?;
    let (mut bar, mut done) = (Bar::new("backed up"), 0);
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let some = content.read(&mut buffer).map_err(|error| {
            anyhow!("the broker ended the backup before its end ({error}); its messages say why")
        })?;
        if some == 0 {
            break;
        }
        target
            .write_all(&buffer[..some])
            .map_err(|error| target.explain(upkeep::Error::Output(error)))?;
        done += some as u64;
        bar.show(done, estimated_bytes.max(done));
    }
    drop(bar);
    let mut bar = Bar::new("checked");
    let manifest = upkeep::check(target.part(), &mut |done, total| bar.show(done, total))
        .context("what the broker sent is no backup")?;
    target.finish()?;
    Ok(manifest)
}

/// Makes a data directory of a backup, or only checks the backup.
pub fn restore(args: &RestoreArgs) -> Result<()> {
    let RestoreArgs { backup, data_dir, check, json } = args;
    let mut bar = Bar::new(if *check { "checked" } else { "restored" });
    let mut progress = |done, total| bar.show(done, total);
    let manifest = match check {
        true => upkeep::check(backup, &mut progress),
        false => upkeep::restore(backup, data_dir, &mut progress),
    }?;
    drop(bar);
    if *json {
        let data_dir = (!check).then_some(data_dir);
        return output::json(&json!({"data_dir": data_dir, "manifest": manifest}));
    }
    let Manifest { version, created, position, .. } = &manifest;
    let of = format!("written by version {version} at {created}, all up to {position} of the log");
    output::line(&match check {
        true => format!("{}: whole, {of}", backup.display()),
        false => format!("{}: restored, {of}; a broker can start on it", data_dir.display()),
    })
}
