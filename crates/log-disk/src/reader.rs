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

/// A body that is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) at: Position,
    /// Of a body in two the head alone, which has about so many bytes.
    pub(crate) head_bytes: Option<u32>,
}

/// What the thread is asked to do.
pub(crate) enum ReaderCommand {
    /// Read these bodies.
    Read { shard: ShardId, token: u64, wanted: Vec<Wanted> },
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
            ReaderCommand::Read { shard, token, wanted } => {
                let records = self.read(&wanted);
                self.shared.deliver(shard, LogEvent::Read { token, records });
            }
            ReaderCommand::Forget { segment } => self.files.forget(segment),
            ReaderCommand::Stop => return false,
        }
        true
    }

    fn read(&mut self, wanted: &[Wanted]) -> Vec<Result<Bytes, ReadError>> {
        let mut records = Vec::with_capacity(wanted.len());
        let mut rest = wanted;
        while let Some(first) = rest.first() {
            let (some, others) = rest.split_at(run::length(rest));
            rest = others;
            match self.shared.segments.get(first.at.segment()) {
                None => records
                    .extend(some.iter().map(|one| Err(ReadError::NotFound { position: one.at }))),
                Some(segment) => match self.files.get(&segment) {
                    Ok(file) => run::read(file, &segment, some, &mut records),
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
        if let ReaderCommand::Read { shard, token, wanted } = command {
            let records = wanted.iter().map(|_| Err(ReadError::ShutDown)).collect();
            shared.deliver(shard, LogEvent::Read { token, records });
        }
    }
}
