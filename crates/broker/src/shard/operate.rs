//! What operators do to queues and streams that are hosted here: each step is a bounded part, and the next one comes when the record of
//! the one before is stored, or its bodies are read.

use std::sync::Arc;

use bytes::Bytes;
use log_api::{AppendError, LogState, ReadError};
use mqtt_router::SinkId;
use mqtt_types::{Message, TopicFilter, TopicName};
use queue_engine::{MessageState, Offset, Peeked, Scope};
use slab::Slab;
use stdx::UnixMillis;
use stream_engine::{ReaderName, Start};

use super::Shard;
use crate::control::{Reply, SinkKind};
use crate::hosting::operate::{Found, positions};
use crate::listing::Page;
use crate::mail::{Letter, Mail, Moved};
use crate::operate::{
    Attached, Look, Looked, Meant, OFFSETS_MAX, OperateError, Operation, QueueConsumer,
    QueueLetter, QueueMessage, SeekTo, Sought, step,
};
use crate::record::PublishRecord;

/// Tells the tokens of records that somebody waits for here.
const OPERATE_TOKEN: u64 = 1 << 58;
/// Tells reads for a purge by filter.
const PURGE_READ: u64 = 1 << 59;
/// Tells reads for somebody who looks at messages.
const PEEK_READ: u64 = 1 << 58;
/// Parts of a queue with nothing in them that are passed over in one turn.
const EMPTY_STEPS_MAX: usize = 16;

/// Whose record it is, if it is one of these.
pub(super) const fn operation_of(token: u64) -> Option<usize> {
    if token >> 58 == OPERATE_TOKEN >> 58 { Some((token & !OPERATE_TOKEN) as usize) } else { None }
}

/// The purge whose bodies were read, if they are one's.
pub(super) const fn purge_of(read_token: u64) -> Option<usize> {
    if read_token >> 59 == PURGE_READ >> 59 {
        Some((read_token & !PURGE_READ) as usize)
    } else {
        None
    }
}

/// The look whose bodies were read, if they are one's.
pub(super) const fn peek_of(read_token: u64) -> Option<usize> {
    if read_token >> 58 == PEEK_READ >> 58 {
        Some((read_token & !PEEK_READ) as usize)
    } else {
        None
    }
}

/// What is under way.
#[derive(Default)]
pub(crate) struct Operations {
    jobs: Slab<Job>,
    peeks: Slab<Peek>,
}

/// A purge or a seek.
struct Job {
    what: SinkKind,
    sink: SinkId,
    name: Arc<str>,
    stage: Stage,
    /// Where a seek leads to.
    target: Offset,
    /// Messages whose bodies are being read.
    reading: Vec<Offset>,
    purged: u64,
    restored: u64,
    /// What it has made of a reader.
    moved: Option<Moved>,
    answer: Answer,
}

/// What a job does next.
///
/// ```text
/// seek: Rewind, from the end down to the target ──▶ Purge, from the start up to it ──▶ Seal ──▶ answered
/// purge: Purge, from the start up to what was the end ──▶ Seal ──▶ answered
/// a reader: Reader ──▶ Stored ──▶ answered
/// ```
/// The record of `Seal` is behind all that has left the queue, by whatever hand: when that is stored, nothing of it comes
/// back.
enum Stage {
    Rewind {
        down_from: Offset,
    },
    Purge {
        next: Offset,
        end: Offset,
        meant: Meant,
    },
    /// A reader of a stream goes on there, or is forgotten.
    Reader {
        reader: ReaderName,
        to: Option<Start>,
    },
    /// What has left is logged.
    Seal,
    /// The record is all that is waited for.
    Stored,
}

/// Who waits for a job.
enum Answer {
    Purge(Reply<Result<u64, OperateError>>),
    Seek(Reply<Result<Sought, OperateError>>),
    SeekReader(Reply<Result<u64, OperateError>>),
    ForgetReader(Reply<Result<(), OperateError>>),
}

/// The queue or stream that a request is about.
struct Of {
    what: SinkKind,
    sink: SinkId,
    name: Arc<str>,
}

impl Of {
    fn not_found(&self) -> OperateError {
        OperateError::NotFound(self.what, self.name.to_string())
    }
}

/// A look at messages whose bodies are being read.
struct Peek {
    sink: SinkId,
    /// The next one last.
    open: Vec<Peeked>,
    page: Page<QueueMessage, u64>,
    reply: Reply<Looked>,
}

/// What a step came to.
enum Progress {
    /// A record or a read is on its way.
    Waits,
    /// There was nothing to do: the next one may be done at once.
    Idle,
    /// That was all.
    Done,
    /// It cannot be done.
    Refused(OperateError),
}

impl Operations {
    /// Answers that somebody waits for.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn len(&self) -> usize {
        self.jobs.len() + self.peeks.len()
    }
}

impl Shard {
    pub(super) fn queue_letter(&mut self, letter: QueueLetter) {
        match letter {
            QueueLetter::Operate { what, sink, name, operation } => {
                self.operate(Of { what, sink, name }, operation);
            }
            QueueLetter::Consumers { attached, reply } => {
                reply(attached.iter().filter_map(|one| self.queue_consumer(one)).collect());
            }
        }
    }

    fn operate(&mut self, of: Of, operation: Operation) {
        let sink = of.sink;
        match operation {
            Operation::Look { look, reply } => self.look_at_messages(&of, look, reply),
            Operation::Purge { meant, reply } => {
                let Some(end) = self.hosting.end_of(sink) else {
                    return reply(Err(of.not_found()));
                };
                let end = meant.before.map_or(end, |before| before.min(end));
                let stage = Stage::Purge { next: Offset(0), end, meant };
                self.begin_job(of, stage, end, Answer::Purge(reply));
            }
            Operation::Seek { to, reply } => self.seek(of, to, reply),
            Operation::Consumers { after, limit, reply } => {
                let (data, next) = self.hosting.consumers(sink, after, limit);
                reply(Page { data, next });
            }
            Operation::Readers { after, limit, reply } => {
                let Some(stream) = self.hosting.stream(sink) else {
                    return reply(Err(of.not_found()));
                };
                let (data, is_cut) = stream.readers(after.as_ref(), limit);
                let last = data.last().map(|reader| reader.name.clone());
                reply(Ok(Page { data, next: last.filter(|_| is_cut) }));
            }
            Operation::SeekReader { reader, to, reply } => {
                let stage = Stage::Reader { reader, to: Some(start_of(to)) };
                self.begin_job(of, stage, Offset(0), Answer::SeekReader(reply));
            }
            Operation::ForgetReader { reader, reply } => {
                let stage = Stage::Reader { reader, to: None };
                self.begin_job(of, stage, Offset(0), Answer::ForgetReader(reply));
            }
            Operation::Continue { key } => self.continue_job(key),
        }
    }

    fn seek(&mut self, of: Of, to: SeekTo, reply: Reply<Result<Sought, OperateError>>) {
        let sink = of.sink;
        let Some(queue) = self.hosting.hosted(sink) else {
            return reply(Err(of.not_found()));
        };
        if queue.is_seeking {
            return reply(Err(OperateError::Seeking(of.name.to_string())));
        }
        let end = queue.engine.next_offset();
        let target = match to {
            SeekTo::Offset(offset) => Offset(offset).max(queue.engine.earliest()).min(end),
            SeekTo::Time(time) => queue.engine.offset_at(time),
            SeekTo::Earliest => queue.engine.earliest(),
            SeekTo::Latest => end,
        };
        self.hosting.set_seeking(sink, true, &mut self.turn);
        let stage = Stage::Rewind { down_from: end };
        self.begin_job(of, stage, target, Answer::Seek(reply));
    }

    fn begin_job(&mut self, of: Of, stage: Stage, target: Offset, answer: Answer) {
        let Of { what, sink, name } = of;
        let (reading, purged, restored) = (Vec::new(), 0, 0);
        let moved = None;
        let job = Job { what, sink, name, stage, target, reading, purged, restored, moved, answer };
        let key = self.operations.jobs.insert(job);
        self.continue_job(key);
    }

    /// Does the next step of a job, or ends it.
    fn continue_job(&mut self, key: usize) {
        for _ in 0..EMPTY_STEPS_MAX {
            let Some(job) = self.operations.jobs.get(key) else { return };
            if self.hosting.end_of(job.sink).is_none() {
                let error = OperateError::NotFound(job.what, job.name.to_string());
                return self.end_job(key, Some(error));
            }
            if let LogState::Failed { reason } = &self.log_state {
                let error = job.not_stored(reason.clone());
                return self.end_job(key, Some(error));
            }
            match self.step_job(key) {
                Progress::Waits => return,
                Progress::Idle => {}
                Progress::Done => return self.end_job(key, None),
                Progress::Refused(error) => return self.end_job(key, Some(error)),
            }
        }
        // The rest in another turn, behind whatever has come meanwhile.
        if let Some(job) = self.operations.jobs.get(key) {
            let (what, sink, name) = (job.what, job.sink, Arc::clone(&job.name));
            let operation = Operation::Continue { key };
            let letter = QueueLetter::Operate { what, sink, name, operation };
            self.shared.post.send(self.id, Mail(Letter::Queue(letter)));
        }
    }

    /// Goes on with purges by key that waited until there were keys. False when there were none.
    pub(super) fn continue_keyed_jobs(&mut self) -> bool {
        let mut is_any = false;
        while let Some(key) = self.hosting.next_keyed_job() {
            is_any = true;
            self.continue_job(key);
        }
        is_any
    }

    fn step_job(&mut self, key: usize) -> Progress {
        let token = OPERATE_TOKEN | key as u64;
        let Some(job) = self.operations.jobs.get_mut(key) else { return Progress::Done };
        let done = match &mut job.stage {
            Stage::Rewind { down_from } if *down_from <= job.target => {
                let meant = Meant::default();
                job.stage = Stage::Purge { next: Offset(0), end: job.target, meant };
                return Progress::Idle;
            }
            Stage::Rewind { down_from } => {
                let to = Offset(down_from.0.saturating_sub(OFFSETS_MAX)).max(job.target);
                *down_from = to;
                let restored = self.hosting.rewind(job.sink, to, token, &mut self.turn);
                job.restored += restored;
                restored
            }
            Stage::Purge { meant, .. }
                if meant.key.is_some() && self.hosting.awaits_keys(job.sink) =>
            {
                self.hosting.await_keys(job.sink, key);
                return Progress::Waits;
            }
            Stage::Purge { next, end, meant } => {
                let from = self.hosting.first_here(job.sink, *next).filter(|from| from < end);
                let Some(from) = from else {
                    job.stage = Stage::Seal;
                    return Progress::Idle;
                };
                if meant.filter.is_some() {
                    return self.read_to_purge(key, from);
                }
                let range = step(from, *end);
                *next = range.end;
                let scope = match meant.key {
                    Some(key) => Scope::Key(range, key),
                    None => Scope::Range(range),
                };
                let purged = self.hosting.purge(job.sink, scope, token, &mut self.turn);
                job.purged += purged;
                purged
            }
            Stage::Seal => {
                job.stage = Stage::Stored;
                let is_written = self.hosting.seal(job.sink, token, &mut self.turn);
                return if is_written { Progress::Waits } else { Progress::Done };
            }
            Stage::Reader { .. } => return self.step_reader(key),
            Stage::Stored => return Progress::Done,
        };
        if done > 0 { Progress::Waits } else { Progress::Idle }
    }

    /// Sets a reader of a stream elsewhere, or forgets it.
    fn step_reader(&mut self, key: usize) -> Progress {
        let Some(job) = self.operations.jobs.get_mut(key) else { return Progress::Done };
        let stage = std::mem::replace(&mut job.stage, Stage::Stored);
        let Stage::Reader { reader, to } = stage else { return Progress::Done };
        let (sink, stream) = (job.sink, job.name.to_string());
        let token = OPERATE_TOKEN | key as u64;
        let known = self.hosting.stream(sink).and_then(|stream| stream.engine.reader(&reader));
        match &known {
            None => return Progress::Refused(OperateError::NoReader { stream, reader }),
            Some(known) if to.is_none() && !known.members.is_empty() => {
                return Progress::Refused(OperateError::ReaderBusy { stream, reader });
            }
            Some(_) => {}
        }
        let change = (reader.clone(), to);
        let changed = self.hosting.operate_reader(sink, change, token, &mut self.turn);
        let Some((moved, is_logged)) = changed else { return Progress::Done };
        if let Some(job) = self.operations.jobs.get_mut(key) {
            job.moved = Some(moved);
        }
        let now = self.hosting.stream(sink).and_then(|stream| stream.engine.reader(&reader));
        if let (Some(job), Some(now)) = (self.operations.jobs.get_mut(key), now) {
            job.target = now.progress.position;
        }
        if is_logged { Progress::Waits } else { Progress::Done }
    }

    /// Asks for bodies whose topics a purge has to know.
    fn read_to_purge(&mut self, key: usize, from: Offset) -> Progress {
        let Some(job) = self.operations.jobs.get_mut(key) else { return Progress::Done };
        let Stage::Purge { next, end, meant } = &mut job.stage else { return Progress::Done };
        let may_go = |message: &Peeked| {
            matches!(message.state, MessageState::Ready | MessageState::Delayed)
                && meant.key.is_none_or(|key| key == message.key)
        };
        let found = self.hosting.find(job.sink, from, usize::MAX, may_go);
        let Some(Found { mut messages, next: behind }) = found else { return Progress::Done };
        messages.retain(|message| message.offset < *end);
        *next = behind.unwrap_or(*end);
        if messages.is_empty() {
            return Progress::Idle;
        }
        job.reading = messages.iter().map(|message| message.offset).collect();
        self.turn.read(PURGE_READ | key as u64, positions(&messages));
        Progress::Waits
    }

    /// Bodies for a purge by filter: what matches goes. One that cannot be read stays, since nobody knows its topic.
    pub(super) fn purge_read(&mut self, key: usize, records: Vec<Result<Bytes, ReadError>>) {
        let Some(job) = self.operations.jobs.get_mut(key) else { return };
        let Stage::Purge { meant: Meant { filter: Some(filter), .. }, .. } = &job.stage else {
            return;
        };
        let Ok(filter) = TopicFilter::new(filter) else { return };
        let is_meant = |record: &Result<Bytes, ReadError>| {
            let message = record.as_ref().ok().and_then(message_of);
            message.is_some_and(|message| {
                TopicName::new(message.topic()).is_ok_and(|topic| filter.matches(topic))
            })
        };
        let offsets = std::mem::take(&mut job.reading).into_iter().zip(&records);
        let meant = offsets.filter(|(_, record)| is_meant(record)).map(|(offset, _)| offset);
        let meant: Vec<Offset> = meant.collect();
        let token = OPERATE_TOKEN | key as u64;
        let purged = match meant.is_empty() {
            true => 0,
            false => self.hosting.purge(job.sink, Scope::Offsets(meant), token, &mut self.turn),
        };
        job.purged += purged;
        if purged == 0 {
            self.continue_job(key);
        }
    }

    /// The record of a step is stored.
    pub(super) fn operation_stored(&mut self, token: u64) {
        if let Some(key) = operation_of(token) {
            self.continue_job(key);
        }
    }

    /// It is not. What has left here stays away, but a restart may bring it back; a reader is again as it was.
    pub(super) fn operation_not_stored(&mut self, key: usize, error: &AppendError) {
        let Some(job) = self.operations.jobs.get_mut(key) else { return };
        let error = job.not_stored(error.to_string());
        if let Some(moved) = job.moved.take() {
            let sink = job.sink;
            self.hosting.take_back(sink, moved, &mut self.turn);
        }
        self.end_job(key, Some(error));
    }

    fn end_job(&mut self, key: usize, error: Option<OperateError>) {
        let Some(job) = self.operations.jobs.try_remove(key) else { return };
        match job.answer {
            Answer::Purge(reply) => reply(error.map_or(Ok(job.purged), Err)),
            Answer::Seek(reply) => {
                self.hosting.set_seeking(job.sink, false, &mut self.turn);
                let Job { target, purged, restored, .. } = job;
                let sought = Sought { offset: target.0, purged, restored };
                reply(error.map_or(Ok(sought), Err));
            }
            Answer::SeekReader(reply) => reply(error.map_or(Ok(job.target.0), Err)),
            Answer::ForgetReader(reply) => reply(error.map_or(Ok(()), Err)),
        }
    }

    /// Reads the next messages for somebody who looks.
    fn look_at_messages(&mut self, of: &Of, look: Look, reply: Reply<Looked>) {
        let sink = of.sink;
        let wanted = |message: &Peeked| look.state.is_none_or(|wanted| wanted == message.state);
        let found = self.hosting.find(sink, Offset(look.from), look.limit, wanted);
        let Some(Found { messages: mut open, next }) = found else {
            return reply(Err(of.not_found()));
        };
        let page = Page { data: Vec::new(), next: next.map(|offset| offset.0) };
        if open.is_empty() {
            return reply(Ok(page));
        }
        let positions = positions(&open);
        open.reverse();
        let key = self.operations.peeks.insert(Peek { sink, open, page, reply });
        self.turn.read(PEEK_READ | key as u64, positions);
    }

    /// Bodies for somebody who looks.
    pub(super) fn peek_read(&mut self, key: usize, records: Vec<Result<Bytes, ReadError>>) {
        let Some(peek) = self.operations.peeks.get_mut(key) else { return };
        for record in records {
            let Some(peeked) = peek.open.pop() else { continue };
            // It may have left meanwhile, and its body with it.
            let stands = self.hosting.state_of(peek.sink, peeked.offset);
            let Some((state, attempts)) = stands else { continue };
            let message = record.as_ref().ok().and_then(message_of);
            let text = |message| self.hosting.key_text(peek.sink, message, peeked.key);
            peek.page.data.push(QueueMessage {
                key: message.as_ref().and_then(text),
                offset: peeked.offset.0,
                state,
                attempts,
                stored: peeked.stored,
                message,
            });
        }
        if peek.open.is_empty() {
            let Peek { page, reply, .. } = self.operations.peeks.remove(key);
            reply(Ok(page));
        }
    }

    fn queue_consumer(&self, attached: &Attached) -> Option<QueueConsumer> {
        let consumer = self.consumers.get(attached.consumer)?;
        let session = &self.sessions.get(consumer.session)?.session;
        Some(QueueConsumer {
            number: attached.consumer.0,
            client_id: session.client_id().to_owned(),
            address: consumer.address.to_string(),
            qos: consumer.record.qos,
            in_flight: attached.in_flight,
            max_inflight: attached.max_inflight,
            is_resting: attached.is_resting,
            since: UnixMillis(consumer.since_ms),
        })
    }
}

impl Job {
    fn not_stored(&self, reason: String) -> OperateError {
        if matches!(self.answer, Answer::SeekReader(_) | Answer::ForgetReader(_)) {
            return OperateError::ReaderNotStored(reason);
        }
        OperateError::NotStored { reason, purged: self.purged, restored: self.restored }
    }
}

/// Where readers of a stream are set.
const fn start_of(to: SeekTo) -> Start {
    match to {
        SeekTo::Offset(offset) => Start::Offset(Offset(offset)),
        SeekTo::Time(time) => Start::Time(time),
        SeekTo::Earliest => Start::Earliest,
        SeekTo::Latest => Start::Latest,
    }
}

fn message_of(body: &Bytes) -> Option<Message> {
    PublishRecord::decode(body.clone()).ok()?.message().ok()
}
