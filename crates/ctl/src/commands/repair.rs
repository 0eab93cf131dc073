//! `weir repair`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use upkeep::{FindingReport, LossReport, RepairReport, StateReport};

use crate::failure::Said;
use crate::output;
use crate::progress::{Bar, size};

/// Queues, sessions or topics that are named; more are counted.
const NAMES_MAX: usize = 20;

/// The arguments of `weir repair`.
#[derive(Debug, Args)]
#[command(
    long_about = "Show what is damaged in the data directory of a stopped broker, and what a repair would lose.\n\nNothing is \
                  changed without --yes. With it the original files are set aside in <data-dir>/repaired-<time>, and a \
                  broker can start on what is whole. Exit code 0: nothing is damaged, or it was repaired; 1: something is \
                  damaged, or it failed."
)]
pub struct RepairArgs {
    /// The data directory (also WEIR_DATA_DIR)
    #[arg(long, default_value_os_t = crate::rest_args::data_dir(), value_name = "DIR")]
    data_dir: PathBuf,
    /// Repair what is damaged
    #[arg(long, visible_alias = "apply")]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Shows, and repairs if that is wanted.
pub fn run(args: &RepairArgs) -> Result<()> {
    let mut bar = Bar::new("read");
    let report =
        upkeep::repair(&args.data_dir, args.yes, &mut |done, total| bar.show(done, total))?;
    drop(bar);
    if args.json {
        output::json(&report)?;
    } else {
        output::line(&text(&report).join("\n"))?;
    }
    if report.is_whole || report.repaired.is_some() { Ok(()) } else { Err(Said.into()) }
}

fn text(report: &RepairReport) -> Vec<String> {
    let mut lines: Vec<String> = report.findings.iter().map(finding).collect();
    if let Some(tail) = &report.torn_tail {
        lines.push(format!(
            "a torn tail of {} in {} at offset {}, which a start cuts by itself: nobody was told that it was stored",
            size(tail.bytes),
            tail.file,
            tail.offset
        ));
    }
    let StateReport { queues, waiting, streams, kept, sessions, retained } = report.state;
    let there = format!(
        "{} with {}, {} with {}, {}, {}",
        counted(queues as u64, "queue"),
        counted(waiting, "message"),
        counted(streams as u64, "stream"),
        counted(kept, "message"),
        counted(sessions as u64, "durable session"),
        counted(retained as u64, "retained message"),
    );
    if report.is_whole {
        lines.push(format!("nothing is damaged in {}: {there}", report.data_dir));
        return lines;
    }
    lines.push(match report.is_start_refused {
        true => "a broker does not start on this".to_owned(),
        false => "a broker starts on this, and stops a queue where it meets the damage".to_owned(),
    });
    let tense = if report.repaired.is_some() { "was" } else { "would be" };
    lines.push(format!("what {tense} left: {there}"));
    losses(&report.lost, if report.repaired.is_some() { "were" } else { "would be" }, &mut lines);
    lines.push(match &report.repaired {
        Some(repaired) => {
            let files = counted(repaired.files.len() as u64, "original file");
            format!("repaired; {files} in {}", repaired.originals)
        }
        None => "nothing has been changed; to repair it, add --yes".to_owned(),
    });
    lines
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn finding(finding: &FindingReport) -> String {
    let FindingReport { file, offset, bytes, what, records, .. } = finding;
    let lost = match records {
        Some(0) => "no record is lost".to_owned(),
        Some(1) => "1 record is lost".to_owned(),
        Some(records) => format!("{} are lost", counted(*records, "record")),
        None => "nobody can tell how many records are lost".to_owned(),
    };
    format!("damaged: {file} at offset {offset}, {}: {what}; {lost}", size(*bytes))
}

fn losses(lost: &LossReport, tense: &str, lines: &mut Vec<String>) {
    let bodies = |what: &str, named: &BTreeMap<String, u64>, lines: &mut Vec<String>| {
        let all = named.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        list(&format!("lost messages {tense} those of {what}"), all, lines);
    };
    bodies("queues", &lost.queues, lines);
    bodies("streams", &lost.streams, lines);
    bodies("durable sessions", &lost.sessions, lines);
    list(&format!("lost retained messages {tense} those of"), lost.retained.clone(), lines);
    if lost.delayed > 0 {
        lines.push(format!(
            "{} messages that were to be published later {tense} lost",
            lost.delayed
        ));
    }
    if !lost.is_state_lost {
        return;
    }
    lines.push(
        "lost records lie behind the checkpoint: what they said is not known, be it messages, what was settled, \
         changes of queues, sessions and retained messages"
            .to_owned(),
    );
    let again = |what: &str, named: &BTreeMap<String, u64>, lines: &mut Vec<String>| {
        let all = named.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        list(
            &format!("delivered again, even if they were settled, {tense} messages of {what}"),
            all,
            lines,
        );
    };
    again("queues", &lost.again_queues, lines);
    again("durable sessions", &lost.again_sessions, lines);
    if lost.orphans > 0 {
        lines.push(format!(
            "{} messages are for queues that are not known: deleted ones, or such whose definition is lost",
            lost.orphans
        ));
    }
}

fn list(what: &str, mut names: Vec<String>, lines: &mut Vec<String>) {
    let more = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    if !names.is_empty() {
        lines.push(format!("{what}: {}", names.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> RepairReport {
        RepairReport {
            data_dir: "weir-data".to_owned(),
            is_whole: true,
            is_start_refused: false,
            findings: Vec::new(),
            torn_tail: None,
            checkpoint: None,
            records: 7,
            state: StateReport {
                queues: 1,
                waiting: 5,
                streams: 1,
                kept: 7,
                sessions: 2,
                retained: 3,
            },
            lost: LossReport::default(),
            repaired: None,
        }
    }

    const THERE: &str = "1 queue with 5 messages, 1 stream with 7 messages, 2 durable sessions, 3 retained messages";

    #[test]
    fn a_report_says_what_is_lost_and_what_to_do() {
        assert_eq!(text(&report()), [format!("nothing is damaged in weir-data: {THERE}")]);
        let damage = FindingReport {
            file: "weir-data/log/00000001.wlog".to_owned(),
            offset: 64,
            bytes: 2048,
            what: "the checksum of a record does not match".to_owned(),
            records: Some(1),
            is_start_refused: true,
        };
        let many: BTreeMap<String, u64> = (10..40).map(|n| (format!("q{n}"), n)).collect();
        let lost = LossReport {
            records: 1,
            is_state_lost: true,
            queues: [("jobs".to_owned(), 2)].into(),
            retained: vec!["a/b".to_owned(), "c".to_owned()],
            again_queues: many,
            orphans: 4,
            ..LossReport::default()
        };
        let damaged = RepairReport {
            is_whole: false,
            is_start_refused: true,
            findings: vec![damage.clone(), FindingReport { records: None, ..damage }],
            lost,
            ..report()
        };
        let lines = text(&damaged);
        let head = "damaged: weir-data/log/00000001.wlog at offset 64, 2.0 KiB: the checksum of a record does not match; ";
        assert_eq!(lines[0], format!("{head}1 record is lost"));
        assert_eq!(lines[1], format!("{head}nobody can tell how many records are lost"));
        assert_eq!(lines[2], "a broker does not start on this");
        assert_eq!(lines[3], format!("what would be left: {THERE}"));
        assert_eq!(lines[4], "lost messages would be those of queues: jobs (2)");
        assert_eq!(lines[5], "lost retained messages would be those of: a/b, c");
        assert!(lines[7].ends_with("q28 (28), q29 (29), and 10 more"), "{}", lines[7]);
        assert!(lines[8].starts_with("4 messages are for queues"));
        assert_eq!(lines[9], "nothing has been changed; to repair it, add --yes");
        assert_eq!(lines.len(), 10);
    }
}
