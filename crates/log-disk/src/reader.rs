//! The thread that reads bodies back, many at a time. It must not know what is in them.

mod open_files;
mod run;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use crossbeam_channel::Receiver;
use log_api::{LogEvent, Position, ReadError, ShardId};

use crate::host::Host;
use crate::shared::Shared;
use open_files::OpenFiles;

/// How much is read of a body in two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BodyPart {
    Whole,
    Head,
}

/// What the thread is asked to do.
pub(crate) enum ReaderCommand {
    /// Read the bodies at these positions.
    Read { shard: ShardId, token: u64, positions: Vec<Position>, part: BodyPart },
    /// The segment has been trimmed.
    Forget { segment: u32 },
    /// Answer what came before, and end.
    Stop,
}

/// The thread that reads bodies.
pub(crate) struct Reader {
    shared: Arc<Shared>,
    commands: Receiver<ReaderCommand>,
    files: OpenFiles,
}

impl Reader {
    pub(crate) fn new(
        shared: Arc<Shared>,
        host: Arc<dyn Host>,
        commands: Receiver<ReaderCommand>,
    ) -> Self {
        Self { shared, commands, files: OpenFiles::new(host) }
    }

    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        while let Ok(command) = self.commands.recv()
            && self.obey(command)
        {}
        self.shared.reader_ended.store(true, Ordering::SeqCst);
        refuse_reads(&self.shared, &self.commands);
    }

    /// Does what has been asked first, without waiting. Says whether there was something.
    pub(crate) fn step(&mut self) -> bool {
        self.commands.try_recv().is_ok_and(|command| self.obey(command))
    }

    /// Does what is asked. False when that is the end.
    fn obey(&mut self, command: ReaderCommand) -> bool {
        match command {
            ReaderCommand::Read { shard, token, positions, part } => {
                let records = self.read(&positions, part);
                self.shared.deliver(shard, LogEvent::Read { token, records });
            }
            ReaderCommand::Forget { segment } => self.files.forget(segment),
            ReaderCommand::Stop => return false,
        }
        true
    }

    fn read(&mut self, positions: &[Position], part: BodyPart) -> Vec<Result<Bytes, ReadError>> {
        let mut records = Vec::with_capacity(positions.len());
        let mut rest = positions;
        while let Some(first) = rest.first() {
            let (some, others) = rest.split_at(run::length(rest, part));
            rest = others;
            match self.shared.segments.get(first.segment()) {
                None => records.extend(
                    some.iter().map(|position| Err(ReadError::NotFound { position: *position })),
                ),
                Some(segment) => match self.files.get(&segment) {
                    Ok(file) => run::read(file, &segment, some, part, &mut records),
                    Err(error) => run::refuse(&segment, some, &error, &mut records),
                },
            }
        }
        self.shared.totals.read_records.add(records.len() as u64);
        let is_damaged =
            |record: &&Result<Bytes, ReadError>| matches!(record, Err(ReadError::Damaged { .. }));
        for error in records.iter().filter(is_damaged).filter_map(|record| record.as_ref().err()) {
            self.shared.totals.damaged_reads.add(1);
            tracing::error!("{error}");
        }
        records
    }
}

/// Answers what has been sent to a reader that has ended.
pub(crate) fn refuse_reads(shared: &Shared, commands: &Receiver<ReaderCommand>) {
    while let Ok(command) = commands.try_recv() {
        if let ReaderCommand::Read { shard, token, positions, .. } = command {
            let records = positions.iter().map(|_| Err(ReadError::ShutDown)).collect();
            shared.deliver(shard, LogEvent::Read { token, records });
        }
    }
}
