//! Shows what is damaged in a data directory, what a repair would lose, and repairs it if that is wanted. It must not know
//! how a log is laid out, nor how a report is printed.

use std::collections::BTreeMap;
use std::path::Path;

use journal::recovery::{Doubts, RecoveredCounts, Recovery};
use journal::salvage::{Losses, Salvaged};
use log_api::Position;
use log_disk::OpenError;
use log_disk::at_rest::{AtRest, Finding, Met, NewCheckpoint, Survey};
use serde::Serialize;

use crate::Progress;
use crate::error::Error;

/// What is damaged, and what a repair loses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RepairReport {
    /// The data directory.
    pub data_dir: String,
    /// Whether nothing is damaged. A torn tail is no damage.
    pub is_whole: bool,
    /// Whether a start is refused.
    pub is_start_refused: bool,
    /// What is damaged, in the order of the log.
    pub findings: Vec<FindingReport>,
    /// An interrupted write at the end, which a start cuts by itself: nobody was told that it succeeded.
    pub torn_tail: Option<FindingReport>,
    /// Where the checkpoint stands that a start goes by, as segment and offset.
    pub checkpoint: Option<String>,
    /// Records that are whole.
    pub records: u64,
    /// What there is after a repair, or a start when nothing is damaged.
    pub state: StateReport,
    /// What a repair loses, as far as it can be told.
    pub lost: LossReport,
    /// What was done, if it was.
    pub repaired: Option<Repaired>,
}

/// Something that is damaged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FindingReport {
    /// The file.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// How many bytes it is about.
    pub bytes: u64,
    /// What is wrong there.
    pub what: String,
    /// How many records are lost by it; `null` when that cannot be told.
    pub records: Option<u64>,
    /// Whether a start is refused because of it.
    pub is_start_refused: bool,
}

/// How much there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct StateReport {
    /// Queues.
    pub queues: usize,
    /// Messages waiting in them.
    pub waiting: u64,
    /// Streams.
    pub streams: usize,
    /// Messages kept in them.
    pub kept: u64,
    /// Durable sessions.
    pub sessions: usize,
    /// Retained messages.
    pub retained: usize,
}

/// What a repair loses, as far as it can be told.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LossReport {
    /// Records that are damaged or missing; those of findings that cannot tell how many are not among them.
    pub records: u64,
    /// Whether some of them lie behind the checkpoint: then what they said is lost, and not only bodies.
    pub is_state_lost: bool,
    /// By queue, messages whose body is lost. They count as dropped.
    pub queues: BTreeMap<String, u64>,
    /// By stream, the same.
    pub streams: BTreeMap<String, u64>,
    /// By client id, messages of durable sessions whose body is lost.
    pub sessions: BTreeMap<String, u64>,
    /// Topics whose retained message is lost.
    pub retained: Vec<String>,
    /// Messages that were to be published later.
    pub delayed: u64,
    /// By queue, messages that are delivered again if they were settled: records that said so may be lost, or speak of others.
    pub again_queues: BTreeMap<String, u64>,
    /// By client id, the same of durable sessions.
    pub again_sessions: BTreeMap<String, u64>,
    /// Messages for queues that are not known: deleted ones, or such whose definition is lost.
    pub orphans: u64,
}

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Repaired {
    /// Where the original files are.
    pub originals: String,
    /// Those that were changed or removed.
    pub files: Vec<String>,
}

/// Looks at a data directory that no broker uses; and repairs what is damaged, if `apply` says so.
///
/// # Errors
/// When a broker uses it, a newer version wrote it, or the system refuses.
pub fn repair(
    data_dir: &Path,
    apply: bool,
    progress: &mut Progress<'_>,
) -> Result<RepairReport, Error> {
    let log = AtRest::open(data_dir)?;
    let state_error = |what: String| Error::State { path: data_dir.to_owned(), what };
    let parts = log.checkpoint();
    let mut recovery =
        Recovery::new(parts.as_ref()).map_err(|error| state_error(error.to_string()))?;
    let mut is_state_lost = false;
    let survey = log.survey(&mut |met| {
        match met {
            Met::Record { kind, at, body } => recovery.visit(kind, at, body)?,
            Met::Lost => {
                is_state_lost = true;
                recovery.lost();
            }
            Met::Progress(done, total) => progress(done, total),
        }
        Ok(())
    })?;
    let doubts = recovery.doubts();
    let mut recovered = recovery.finish();
    let losses = recovered.drop_lost(|at| survey.has(at));
    let counts = recovered.counts();
    let checkpoint = parts.map(|parts| parts.position);
    let mut report = report(data_dir, &survey, checkpoint, counts, (losses, doubts));
    report.lost.is_state_lost = is_state_lost;
    if apply && !survey.is_whole() {
        let old = "its retained messages are of an old format; start the version that wrote it";
        let Salvaged { part, counts } =
            recovered.into_checkpoint().ok_or_else(|| state_error(old.to_owned()))?;
        report.repaired = Some(mend(log, &survey, NewCheckpoint { parts: vec![part], counts })?);
    }
    Ok(report)
}

fn mend(log: AtRest, survey: &Survey, checkpoint: NewCheckpoint) -> Result<Repaired, OpenError> {
    let mended = log.mend(survey, checkpoint)?;
    let files = mended.files.iter().map(|path| path.display().to_string());
    Ok(Repaired { originals: mended.aside.display().to_string(), files: files.collect() })
}

fn report(
    data_dir: &Path,
    survey: &Survey,
    checkpoint: Option<Position>,
    counts: RecoveredCounts,
    (losses, doubts): (Losses, Doubts),
) -> RepairReport {
    let RecoveredCounts { queues, waiting, streams, kept, sessions, retained } = counts;
    let records = survey.findings.iter().filter_map(|finding| finding.records).sum();
    let Losses {
        queues: lost_queues,
        streams: lost_streams,
        sessions: lost_sessions,
        retained: topics,
        delayed,
    } = losses;
    let Doubts { queues: again_queues, sessions: again_sessions, orphans } = doubts;
    RepairReport {
        data_dir: data_dir.display().to_string(),
        is_whole: survey.is_whole(),
        is_start_refused: survey.findings.iter().any(|finding| finding.stops_start),
        findings: survey.findings.iter().map(finding).collect(),
        torn_tail: survey.torn_tail.as_ref().map(finding),
        checkpoint: checkpoint.map(|position| position.to_string()),
        records: survey.records,
        state: StateReport { queues, waiting, streams, kept, sessions, retained },
        lost: LossReport {
            records,
            is_state_lost: false,
            queues: lost_queues,
            streams: lost_streams,
            sessions: lost_sessions,
            retained: topics,
            delayed,
            again_queues,
            again_sessions,
            orphans,
        },
        repaired: None,
    }
}

fn finding(finding: &Finding) -> FindingReport {
    FindingReport {
        file: finding.damage.file.display().to_string(),
        offset: finding.damage.offset,
        bytes: finding.bytes,
        what: finding.damage.what.clone(),
        records: finding.records,
        is_start_refused: finding.stops_start,
    }
}
