//! What hostile clients send: legal packets in any order, damaged ones, pieces of the corpus.

use std::path::Path;

use mqtt_types::ProtocolVersion;

use super::super::client::{Words, connect, packet};
use stdx::testing::{self, Dice};

const TOPICS: &[&str] = &["t/a", "t/b", "q", "q/x", "decent/x", "$mine/x", "$SYS/x", "a/b/c/d/e/f"];
const FILTERS: &[&str] = &[
    "t/a",
    "t/+",
    "#",
    "+/+",
    "$q/q",
    "$q/q/+",
    "$q/t/+",
    "$queue/jobs",
    "$queue/jobs/q",
    "$queue/-",
    "$share/g/t/+",
    "$share/g/#",
    "$share/h/q",
    "$share/g/$q/q",
    "$dead/q",
    "$stream/s",
    "$stream/log/t/+",
    "$stream/log",
    "$s/earliest/q",
    "$s/next/t/+",
    "$s/3/t/+",
    "$SYS/#",
    "$mine/#",
    "a/#/b",
];
const CODES: &[&str] = &["00", "00", "00", "10", "80", "87", "92", "97", "99"];

/// The corpus.
pub(super) struct Inputs(Vec<(String, Vec<Vec<u8>>)>);

impl Inputs {
    pub(super) fn load() -> Self {
        Self(testing::corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")))
    }

    /// Each connection with its name.
    pub(super) fn corpus(&self) -> impl Iterator<Item = (&str, &[Vec<u8>])> {
        self.0.iter().map(|(name, pieces)| (name.as_str(), pieces.as_slice()))
    }

    fn piece(&self, dice: &mut Dice) -> Vec<u8> {
        let (_, pieces) = dice.one_of(&self.0);
        dice.one_of(pieces).clone()
    }

    /// A CONNECT, mostly legal.
    pub(super) fn connect(&self, dice: &mut Dice) -> Vec<u8> {
        if dice.one_in(20) {
            return self.0[dice.below(self.0.len())].1[0].clone();
        }
        let mut line = format!("x connect id=c{}", dice.below(4));
        let version = dice.one_of(&["5", "5", "5", "3.1.1", "3.1"]);
        let mut word = |dice: &mut Dice, cases: usize, text: String| {
            if dice.one_in(cases) {
                line += &format!(" {text}");
            }
        };
        word(dice, 1, format!("v={version}"));
        word(dice, 2, "keep".to_owned());
        word(dice, 10, "noid".to_owned());
        let expiry = *dice.one_of(&[0, 5, 100, u32::MAX]);
        word(dice, 2, format!("expiry={expiry}"));
        let window = 1 + dice.below(4);
        word(dice, 2, format!("rm={window}"));
        let size = *dice.one_of(&[5, 20, 40, 100, 1000]);
        word(dice, 4, format!("mps={size}"));
        word(dice, 3, "keepalive=10".to_owned());
        let aliases = dice.below(4);
        word(dice, 3, format!("aliases={aliases}"));
        word(dice, 8, "noproblems".to_owned());
        let (topic, qos) = (*dice.one_of(TOPICS), dice.below(3));
        word(dice, 3, format!("will={topic}:gone:{qos}"));
        word(dice, 6, "delay=3".to_owned());
        word(dice, 6, "retainwill".to_owned());
        word(dice, 40, "auth=M".to_owned());
        let mut bytes = connect("x", &Words::of(&line));
        if dice.one_in(12) {
            dice.mutate(&mut bytes);
        }
        bytes
    }

    /// Some packets, most of them legal.
    pub(super) fn packets(&self, version: ProtocolVersion, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..=dice.below(4) {
            let mut one = match dice.below(20) {
                0 => self.piece(dice),
                _ => packet(version, &Words::of(&line(dice))),
            };
            if dice.one_in(25) {
                dice.mutate(&mut one);
            }
            bytes.extend(one);
        }
        bytes
    }
}

/// A command of a client, in the words of the transcripts.
fn line(dice: &mut Dice) -> String {
    let id = 1 + dice.below(8);
    let theirs = *dice.one_of(&[1, 2, 3, 4, 32_768, 32_769, 32_770]);
    let code = *dice.one_of(CODES);
    match dice.below(20) {
        0..8 => publish(dice, id),
        8..11 => {
            let mut line = format!("x subscribe {id}");
            for _ in 0..=dice.below(2) {
                let option = dice.one_of(&["", "", ",nl", ",rap", ",rh1", ",rh2"]);
                let filter = *dice.one_of(FILTERS);
                // No Local on a shared subscription is not legal: the packet cannot be made from words.
                let option = if filter.starts_with("$share") { "" } else { option };
                line += &format!(" {filter},{}{option}", dice.below(3));
            }
            if dice.one_in(3) {
                line += &format!(" sid={}", 1 + dice.below(300));
            }
            if dice.one_in(4) {
                let start = dice.one_of(&["next", "earliest", "latest", "2", "soon"]);
                line += &format!(" up=stream-offset:{start}");
            }
            line += if dice.one_in(6) { " up=stream-group:g" } else { "" };
            line += if dice.one_in(4) { " metadata" } else { "" };
            line
        }
        11..13 => format!("x unsubscribe {id} {} {}", dice.one_of(FILTERS), dice.one_of(FILTERS)),
        13 => format!("x puback {theirs} {code}"),
        14 => format!("x pubrec {theirs} {code}"),
        15 => format!("x pubcomp {theirs}"),
        16..18 => format!("x pubrel {id}"),
        18 if dice.one_in(20) => format!("x auth {} METHOD data", dice.one_of(&["00", "18", "19"])),
        18 if dice.one_in(4) => format!("x disconnect {}", dice.one_of(&["00", "04", "00"])),
        _ => "x ping".to_owned(),
    }
}

fn publish(dice: &mut Dice, id: usize) -> String {
    let qos = dice.below(3);
    let topic = *dice.one_of(TOPICS);
    let mut line = format!("x publish {qos} {topic} payload");
    if qos > 0 {
        line += &format!(" id={id}");
        line += if dice.one_in(4) { " dup" } else { "" };
    }
    let mut word = |cases: usize, text: String| {
        if dice.one_in(cases) {
            line += &format!(" {text}");
        }
    };
    word(5, "retain".to_owned());
    word(8, "size=3000".to_owned());
    word(50, "size=9000".to_owned());
    word(8, "expiry=2".to_owned());
    word(10, "alias=1".to_owned());
    word(20, "alias=4".to_owned());
    word(8, "up=k:v".to_owned());
    line
}
