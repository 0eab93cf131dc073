//! Transcripts: what a stream is told, and what it asks for, line by line.
//!
//! ```text
//! append 2              ->
//! attach a x 2 earliest -> a0 a1 x@0/2    a0: deliver offset 0 to a; x@0/2: position 0, delivered up to 2
//! attach b g:y 2 next   ->                g:y is a group
//! accept a 0            -> x@1/2
//! release a 1           ->
//! wait 1s               -> a1#2           the second time; time passes, then a tick
//! later 1s              ->                time passes, and nobody says so
//! reject a 1            -> x@2/2!1        one rejected; ?1: one skipped
//! accept a 3            -> x+3            settled behind something that is not
//! purge 0 1             -> purged:0
//! remember x            ->                how x is now
//! put_back x            -> x@1/2          it is so again
//! asks                  ->                from now on nothing is delivered for the first time without a permit
//! permit x 3            -> a2             messages below 3 may be
//! outlook x             -> 3 hungry       given up to 3, and would take what comes; or withheld, or full
//! ```

use std::collections::BTreeMap;

use stdx::{Instant, UnixMillis};
use stream_engine::{
    Action, Behind, Input, InputError, Key, Ledger, Losses, MemberId, NewMessage, Offset, Outcome,
    Outlook, Progress, ReaderName, ReaderStanding, Report, Scope, Start, StoredAt, Stream,
    StreamConfig, invariants,
};

const EPOCH: u64 = 1_800_000_000_000;

/// Runs a transcript; each line must give what stands behind its arrow.
pub(crate) fn check(config: StreamConfig, transcript: &str) {
    let mut player = Player {
        stream: Stream::new(config),
        now: Instant::from_millis(1_000_000),
        size: 100,
        remembered: Report::default(),
    };
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (command, expected) = line.split_once("->").expect("each line has an arrow");
        let words: Vec<&str> = command.split_whitespace().collect();
        let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(player.play(&words), expected, "in `{line}` of\n{transcript}");
        invariants::check(&player.stream)
            .unwrap_or_else(|violation| panic!("{violation} after `{line}`"));
    }
}

/// Where the harness stores the body of an offset.
pub(crate) const fn stored_at(offset: u64) -> StoredAt {
    StoredAt(((offset / 100) << 32) | (offset % 100 * 512))
}

struct Player {
    stream: Stream,
    now: Instant,
    size: u32,
    /// How a reader was.
    remembered: Report,
}

fn member(name: &str) -> MemberId {
    MemberId(u64::from(name.as_bytes()[0]))
}

fn offset(text: &str) -> Offset {
    Offset(text.parse().expect("an offset"))
}

fn reader(text: &str) -> ReaderName {
    text.strip_prefix("g:").map_or_else(|| ReaderName::client(text), ReaderName::group)
}

fn start(text: &str) -> Start {
    match text {
        "earliest" => Start::Earliest,
        "latest" => Start::Latest,
        "next" => Start::Next,
        _ => match text.strip_prefix('@') {
            Some(seconds) => {
                Start::Time(UnixMillis(EPOCH + 1000 * seconds.parse::<u64>().expect("seconds")))
            }
            None => Start::Offset(offset(text)),
        },
    }
}

impl Player {
    fn wall(&self) -> UnixMillis {
        UnixMillis(EPOCH + self.now.as_millis() - 1_000_000)
    }

    fn play(&mut self, words: &[&str]) -> String {
        let settle = |name: &str, at: &str, outcome| Input::Settle {
            member: member(name),
            offset: offset(at),
            outcome,
        };
        let time = |text: &str| stdx::parse_duration(text).expect("a duration");
        let input = match *words {
            ["append", count, ref with @ ..] => {
                return self.append(count.parse().expect("a count"), with);
            }
            ["ledger"] => return show_ledger(&self.stream.ledger()),
            ["peek", from] => {
                let shown =
                    self.stream.peek(offset(from)).map(|message| message.offset.to_string());
                return shown.collect::<Vec<_>>().join(" ");
            }
            ["why", of, at] => return self.why(&reader(of), offset(at)),
            ["reader", name] => return self.show_reader(&reader(name)),
            ["behind"] => return show_behind(&self.stream.behind()),
            ["losses"] => {
                return show_losses(&self.stream.losses(&self.stream.behind(), self.wall()));
            }
            ["deadline"] => {
                let left =
                    |deadline: Instant| format!("{}ms", deadline.since(self.now).as_millis());
                return self.stream.next_deadline().map_or("none".to_owned(), left);
            }
            ["clock"] => Input::Clock(self.wall()),
            ["later", by] => {
                self.now = self.now + time(by);
                return String::new();
            }
            ["wait", by] => {
                self.now = self.now + time(by);
                Input::Tick
            }
            ["attach", name, of, window, from] => Input::Attach {
                member: member(name),
                reader: reader(of),
                start: start(from),
                window: window.parse().expect("a number"),
            },
            ["detach", name, ref written @ ..] => Input::Detach {
                member: member(name),
                written: written.iter().map(|at| offset(at)).collect(),
            },
            ["accept", name, at] => settle(name, at, Outcome::Accept),
            ["release", name, at] => settle(name, at, Outcome::Release),
            ["busy", name, at] => settle(name, at, Outcome::Busy),
            ["reject", name, at] => settle(name, at, Outcome::Reject),
            ["too_large", name, at] => settle(name, at, Outcome::TooLarge),
            ["gone", name, at] => settle(name, at, Outcome::Gone),
            ["seek", of, to] => Input::Seek { reader: reader(of), to: start(to) },
            ["forget", of] => Input::Forget(reader(of)),
            ["remember", of] => {
                let id = self.stream.reader_id(&reader(of)).expect("it is known");
                self.remembered = self.stream.report(id, None).expect("it is known");
                return String::new();
            }
            ["asks"] => {
                self.stream.ask_for_permits(true);
                return String::new();
            }
            ["permit", of, to] => {
                let id = self.stream.reader_id(&reader(of)).expect("it is known");
                Input::Permit(vec![(id, offset(to))])
            }
            ["outlook", of] => {
                let id = self.stream.reader_id(&reader(of)).expect("it is known");
                return show_outlook(&self.stream.outlook(id).expect("it is known"));
            }
            ["put_back", of] => {
                Input::PutBack { reader: reader(of), report: self.remembered.clone() }
            }
            ["pause"] => Input::Pause,
            ["resume"] => Input::Resume,
            ["purge", from, to] => {
                Input::Purge { scope: Scope::Range(offset(from)..offset(to)), max: 1000 }
            }
            ["purge", from, to, key] => {
                let key = Key(key.parse().expect("a key"));
                Input::Purge { scope: Scope::Key(offset(from)..offset(to), key), max: 1000 }
            }
            ["rekey", keys] => return self.rekey(keys),
            ["set", property, value] => {
                let mut config = self.stream.config().clone();
                match property {
                    "retention" => config.retention = time(value),
                    "keep_positions" => config.keep_positions = time(value),
                    "max_messages" => config.max_messages = value.parse().ok(),
                    "max_bytes" => config.max_bytes = value.parse().ok(),
                    "max_inflight" => config.max_inflight = value.parse().expect("a number"),
                    "last_value" => config.last_value = value == "on",
                    "keyed" => config.keyed = value == "on",
                    "generation" => config.key_generation = value.parse().expect("a number"),
                    _ => panic!("unknown property {property}"),
                }
                Input::Reconfigure(Box::new(config))
            }
            _ => panic!("unknown command {words:?}"),
        };
        self.handle(input)
    }

    /// So many of the messages that are asked for get these keys, one after the other.
    fn rekey(&mut self, keys: &str) -> String {
        let keys: Vec<u64> = keys.split(',').map(|key| key.parse().expect("a key")).collect();
        let Some(part) = self.stream.to_rekey(u64::from(self.size) * keys.len() as u64) else {
            return "none".to_owned();
        };
        let made = part.bodies.iter().zip(keys).map(|((offset, ..), key)| (*offset, Key(key)));
        self.handle(Input::Rekey { round: part.round, made: made.collect() })
    }

    /// `key=1,2` gives keys in turn, `ttl=5s`, `size=7` and `of=1`, their making, the same to all.
    fn append(&mut self, count: u64, with: &[&str]) -> String {
        let with: BTreeMap<&str, &str> =
            with.iter().map(|word| word.split_once('=').expect("a name and a value")).collect();
        let keys: Vec<u64> = with.get("key").map_or(vec![0], |keys| {
            keys.split(',').map(|key| key.parse().expect("a key")).collect()
        });
        let after = |time: &&str| self.wall() + stdx::parse_duration(time).expect("a duration");
        let expires = with.get("ttl").map(after);
        let size = with.get("size").map_or(self.size, |size| size.parse().expect("a size"));
        let mut shown = Vec::new();
        for n in 0..count {
            let at = stored_at(self.stream.next_offset().0);
            let message = NewMessage {
                key: Key(keys[n as usize % keys.len()]),
                key_generation: with.get("of").map_or(0, |of| of.parse().expect("a number")),
                expires,
                ..NewMessage::new(at, size, self.wall())
            };
            shown.push(self.handle(Input::Append(message)));
        }
        shown.retain(|actions| !actions.is_empty());
        shown.join(" ")
    }

    fn handle(&mut self, input: Input) -> String {
        let mut actions = Vec::new();
        match self.stream.handle(self.now, input, &mut actions) {
            Ok(()) => {
                let shown = actions.iter().map(|action| self.show(action));
                shown.collect::<Vec<_>>().join(" ")
            }
            Err(error) => show_error(&error).to_owned(),
        }
    }

    fn show(&self, action: &Action) -> String {
        match action {
            Action::Deliver { member, offset, at, attempt } => {
                assert_eq!(*at, stored_at(offset.0));
                let again = if *attempt > 1 { format!("#{attempt}") } else { String::new() };
                format!("{}{offset}{again}", char::from(member.0 as u8))
            }
            Action::Position { reader, progress, .. } => {
                let name = self.stream.reader_name(*reader).expect("its reader is known");
                format!("{}@{}", show_name(name), show_progress(progress))
            }
            Action::Settled { reader, offset } => {
                let name = self.stream.reader_name(*reader).expect("its reader is known");
                format!("{}+{offset}", show_name(name))
            }
            Action::Forgotten { name, .. } => format!("forgot:{}", show_name(name)),
            Action::Removed { offset, at, how } => {
                assert_eq!(*at, stored_at(offset.0));
                format!("{how:?}:{offset}").to_lowercase()
            }
        }
    }

    fn why(&self, name: &ReaderName, offset: Offset) -> String {
        if offset >= self.stream.next_offset() {
            return "it has not come yet".to_owned();
        }
        if !self.stream.is_here(offset) {
            return "it is not here any more".to_owned();
        }
        match self.stream.standing(name, offset) {
            None => format!("{} is not known", show_name(name)),
            Some(ReaderStanding::InFlight(id)) => {
                format!("in flight at {}", char::from(id.0 as u8))
            }
            Some(standing) => standing.to_string(),
        }
    }

    fn show_reader(&self, name: &ReaderName) -> String {
        let Some(state) = self.stream.reader(name) else { return "unknown".to_owned() };
        let members = state.members.iter();
        let members = members.map(|(id, has)| format!("{}={has}", char::from(id.0 as u8)));
        let mut shown = vec![show_progress(&state.progress)];
        shown.extend(members);
        shown.push(format!("waiting={} lag={} {}ms", state.waiting, state.lag, state.lag_ms));
        shown.join(" ")
    }
}

fn show_outlook(outlook: &Outlook) -> String {
    let Outlook { dispatched_to, has_members, is_hungry, awaits_permit } = outlook;
    let halt = match (has_members, is_hungry, awaits_permit) {
        (false, ..) => "away",
        (_, true, _) => "hungry",
        (_, _, true) => "withheld",
        _ => "full",
    };
    format!("{dispatched_to} {halt}")
}

fn show_behind(behind: &Behind) -> String {
    let Behind { messages, bytes, oldest, readers, .. } = behind;
    let oldest = oldest.map_or("none".to_owned(), |offset| offset.to_string());
    format!("messages={messages} bytes={bytes} oldest={oldest} readers={readers}")
}

fn show_losses(losses: &Losses) -> String {
    let Losses { retention, max_messages, max_bytes } = losses;
    let limits = [("age", retention), ("messages", max_messages), ("bytes", max_bytes)];
    let shown = limits.iter().filter_map(|(what, left)| {
        left.as_ref().map(|left| format!("{what}={}ms", left.as_millis()))
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn show_name(name: &ReaderName) -> String {
    if name.is_group() { format!("g:{}", name.text()) } else { name.text().to_owned() }
}

fn show_progress(progress: &Progress) -> String {
    let mut shown = format!("{}/{}", progress.position, progress.delivered_to);
    for (mark, count) in [('!', progress.rejected), ('?', progress.skipped)] {
        if count > 0 {
            shown.push_str(&format!("{mark}{count}"));
        }
    }
    shown
}

const fn show_error(error: &InputError) -> &'static str {
    match error {
        InputError::UnknownMember(_) => "unknown member",
        InputError::AlreadyAttached(_) => "attached already",
        InputError::NoCredit(_) => "no credit",
        InputError::ReaderBusy(_) => "busy",
        InputError::UnknownReader(_) => "unknown reader",
        InputError::TooManyReaders { .. } => "too many readers",
        InputError::NotInFlight { .. } => "not in flight",
    }
}

/// What is not zero, but for what came.
fn show_ledger(ledger: &Ledger) -> String {
    let numbers = [
        ("kept", ledger.kept),
        ("expired", ledger.expired),
        ("dropped", ledger.dropped),
        ("replaced", ledger.replaced),
        ("purged", ledger.purged),
        ("redelivered", ledger.redelivered),
        ("bytes", ledger.bytes),
        ("readers", ledger.readers),
        ("members", ledger.members),
    ];
    let shown = numbers.into_iter().filter(|(_, number)| *number > 0);
    shown.map(|(name, number)| format!("{name}={number}")).collect::<Vec<_>>().join(" ")
}
