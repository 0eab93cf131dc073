//! The thread that gathers the shards' parts, writes checkpoints, and trims. It must not know frames.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use log_api::{CheckpointPart, LogState, Part, Position, ShardId};

use super::file::Checkpoint;
use super::store::CheckpointStore;
use crate::command::Command;
use crate::host::Host;
use crate::image::{Image, ImageError, Sources};
use crate::reader::ReaderCommand;
use crate::references::{Counts, change};
use crate::segments::Segment;
use crate::shared::Shared;

/// What must be known of a checkpoint on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    pub(crate) id: u64,
    pub(crate) position: Position,
    pub(crate) counts: Counts,
}

impl Standing {
    /// Whether neither this checkpoint nor a later one needs the segment: replay begins after it, and no body in it is live.
    fn can_spare(&self, segment: u32) -> bool {
        segment < self.position.segment()
            && self.counts.get(&segment).is_none_or(|count| *count <= 0)
    }
}

/// What the thread is asked to do.
pub(crate) enum MakerCommand {
    /// A checkpoint begins; the shards' parts follow.
    Begin { id: u64, position: Position, next_index: u64 },
    /// Say what has been committed by now, for a backup.
    Image(Sender<Result<Image, ImageError>>),
    /// A shard's answer.
    Part { shard: ShardId, id: u64, part: CheckpointPart },
    /// Finish what all shards have answered, and end.
    Stop,
}

/// The thread that makes checkpoints.
///
/// Two checkpoints are kept, and a segment goes when the *older* of them can spare it. So the log is whole from either.
pub(crate) struct Maker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) store: CheckpointStore,
    pub(crate) commands: Receiver<MakerCommand>,
    pub(crate) writer: Sender<Command>,
    pub(crate) reader: Sender<ReaderCommand>,
    /// So much that could be trimmed is worth another checkpoint.
    pub(crate) worth_bytes: u64,
    pub(crate) standing: Option<Standing>,
    pub(crate) making: Option<Making>,
}

/// A checkpoint whose parts are coming in.
pub(crate) struct Making {
    id: u64,
    position: Position,
    next_index: u64,
    parts: Vec<Option<CheckpointPart>>,
}

impl Maker {
    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        self.begin();
        while let Ok(command) = self.commands.recv()
            && self.obey(command)
        {}
    }

    /// What is done before the first command.
    pub(crate) fn begin(&self) {
        self.store.keep_reserve();
    }

    /// Does what has been asked first, without waiting. Says whether there was something.
    pub(crate) fn step(&mut self) -> bool {
        self.commands.try_recv().is_ok_and(|command| self.obey(command))
    }

    /// Does what is asked. False when that is the end.
    fn obey(&mut self, command: MakerCommand) -> bool {
        match command {
            MakerCommand::Begin { id, position, next_index } => {
                let parts = (0..self.shared.shards).map(|_| None).collect();
                self.making = Some(Making { id, position, next_index, parts });
            }
            MakerCommand::Part { shard, id, part } => self.part(shard, id, part),
            MakerCommand::Image(reply) => {
                // Who asked may be gone.
                let _ = reply.send(self.image());
            }
            MakerCommand::Stop => return false,
        }
        true
    }

    fn part(&mut self, shard: ShardId, id: u64, part: CheckpointPart) {
        let Some(making) = self.making.as_mut().filter(|making| making.id == id) else { return };
        if let Some(place) = making.parts.get_mut(usize::from(shard.0)) {
            *place = Some(part);
        }
        if making.parts.iter().any(Option::is_none) {
            return;
        }
        let Some(Making { id, position, next_index, parts }) = self.making.take() else { return };
        let Some(mut counts) = self.shared.references.lock().finish(id) else { return };
        let made = parts.into_iter().flatten().map(|make| {
            let Part { bytes, held } = make();
            for (segment, count) in held {
                change(&mut counts, segment, i64::from(count));
            }
            bytes
        });
        let parts = made.collect();
        let another = self.write(Checkpoint { id, position, next_index, counts, parts });
        // The writer may have ended; then there is no further checkpoint.
        let _ = self.writer.send(Command::CheckpointDone { another });
    }

    /// Writes the checkpoint, trims, and says whether another one would let much go.
    fn write(&mut self, checkpoint: Checkpoint) -> bool {
        if let Err(error) = self.store.write(&checkpoint) {
            tracing::error!(%error, id = checkpoint.id, "a checkpoint cannot be written; the one before it stays");
            return false;
        }
        self.shared.totals.checkpoints.add(1);
        *self.shared.checkpoint.lock() = Some(checkpoint.position);
        let Checkpoint { id, position, counts, .. } = checkpoint;
        let older = self.standing.replace(Standing { id, position, counts });
        match &older {
            Some(older) => {
                self.store.keep_only(&[older.id, id]);
                self.trim(older);
            }
            None => self.store.keep_only(&[id]),
        }
        self.store.keep_reserve();
        let spare = self.spare_bytes();
        let is_full = *self.shared.state.lock() == LogState::Full;
        spare >= self.worth_bytes || is_full && spare > 0
    }

    fn trim(&self, older: &Standing) {
        for segment in self.shared.segments.before(older.position.segment()) {
            if older.can_spare(segment.number) && !self.shared.pins.has(segment.number) {
                self.remove(&segment);
            }
        }
    }

    /// What has been committed by now. Nothing is trimmed meanwhile, for that is done on this thread.
    fn image(&self) -> Result<Image, ImageError> {
        let newest = self.standing.as_ref();
        let checkpoint = newest.map(|standing| self.store.path(standing.id));
        // Whoever heard of a commit heard it after its segment began to be written and its end was moved.
        let writing = self.shared.references.lock().writing();
        let mut segments = self.shared.segments.before(writing);
        segments.extend(self.shared.segments.get(writing));
        segments.retain(|segment| newest.is_none_or(|newest| !newest.can_spare(segment.number)));
        let sources = Sources { host: &self.host, checkpoint: checkpoint.as_deref() };
        Image::new(sources, segments, &self.shared.pins)
    }

    fn remove(&self, segment: &Segment) {
        self.shared.segments.remove(segment.number);
        // An open file keeps its room on the disk.
        let _ = self.reader.send(ReaderCommand::Forget { segment: segment.number });
        match self.host.remove(&segment.path) {
            Ok(()) => self.shared.totals.trimmed_segments.add(1),
            Err(error) => {
                tracing::warn!(file = %segment.path.display(), %error, "a segment that nobody needs stays until restart");
            }
        }
    }

    /// Bytes that the newest checkpoint could spare, when it will be the older one.
    fn spare_bytes(&self) -> u64 {
        let Some(newest) = &self.standing else { return 0 };
        let before = self.shared.segments.before(newest.position.segment());
        before
            .iter()
            .filter(|segment| newest.can_spare(segment.number))
            .filter(|segment| !self.shared.pins.has(segment.number))
            .map(|segment| segment.file_bytes)
            .sum()
    }
}
