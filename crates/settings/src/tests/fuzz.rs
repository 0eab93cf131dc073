//! Configs that are nearly right, in all three sources: each is taken, or refused in words that show where.

use std::path::Path;

use stdx::testing::{Dice, corpus, runs};

use crate::{Loaded, Sources, keys};

const VALUES: [&str; 22] = [
    "true",
    "0",
    "-1",
    "1e9",
    "18446744073709551616",
    "\"\"",
    "\"10s\"",
    "\"64KiB\"",
    "\"never\"",
    "[]",
    "[1, \"a\"]",
    "{ a = 1 }",
    "\"127.0.0.1:1883\"",
    "\"[::]:0\"",
    "\"file:///nowhere\"",
    "'''\n\u{e4}'''",
    "1979-05-27",
    "nan",
    "\"\u{1f980}\"",
    "[\"10.0.0.0/8\"]",
    "\"reject_publish\"",
    "\"0.1ms\"",
];
const SECTIONS: [&str; 8] = [
    "mqtt",
    "http",
    "listeners.ws",
    "listeners.\"\u{e4}\"",
    "queues.defaults",
    "listeners",
    "nothing",
    "auth",
];

fn key(dice: &mut Dice) -> String {
    let all: Vec<&str> = keys::all().map(|key| key.name).collect();
    let listener: Vec<&str> = keys::LISTENER.keys.iter().map(|key| key.name).collect();
    let mut name = match dice.below(4) {
        0 => format!("listeners.{}.{}", dice.one_of(&["mqtt", "wss", "x"]), dice.one_of(&listener)),
        1 => (*dice.one_of(&listener)).to_owned(),
        _ => (*dice.one_of(&all)).to_owned(),
    };
    match dice.below(8) {
        0 => _ = name.pop(),
        1 => name = name.rsplit('.').next().unwrap_or_default().to_owned(),
        _ => {}
    }
    name
}

fn value(name: &str, dice: &mut Dice) -> String {
    let default = keys::find(name).map(|key| key.default);
    match (default, dice.below(3)) {
        (Some(default), 0) => format!("\"{default}\""),
        (Some(default), 1) if !default.is_empty() => default.to_owned(),
        _ => (*dice.one_of(&VALUES)).to_owned(),
    }
}

fn file(kept: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut text = if dice.one_in(6) { dice.one_of(kept).clone() } else { Vec::new() };
    for _ in 0..dice.below(8) {
        let line = match dice.below(6) {
            0 => format!("[{}]\n", dice.one_of(&SECTIONS)),
            1 => "# \u{e4} comment\r\n".to_owned(),
            _ => {
                let name = key(dice);
                format!("{name} = {}\n", value(&name, dice))
            }
        };
        text.extend_from_slice(line.as_bytes());
    }
    if dice.one_in(3) {
        dice.mutate(&mut text);
    }
    text
}

/// A few entries of another source; what is no text does not come that far.
fn entries(dice: &mut Dice) -> Vec<(String, String)> {
    let mut made = Vec::new();
    for _ in 0..dice.below(3) {
        let name = key(dice);
        let text = value(&name, dice).trim_matches('"').to_owned();
        let mut both = [name.into_bytes(), text.into_bytes()];
        for bytes in &mut both {
            if dice.one_in(6) {
                dice.mutate(bytes);
            }
        }
        let [name, text] = both.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        made.push((name, text));
    }
    made
}

fn values(loaded: &Loaded) -> Vec<String> {
    loaded.effective().map(|value| format!("{value:?}")).collect()
}

#[test]
fn each_config_is_taken_or_refused_in_words() {
    let kept = corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"));
    let kept: Vec<_> = kept.into_iter().map(|(_, pieces)| pieces.concat()).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weir.toml");
    runs(400, |_, dice| {
        std::fs::write(&path, file(&kept, dice)).expect("written");
        let upper = |name: &str| format!("WEIR_{}", name.to_uppercase().replace('.', "__"));
        let environment = entries(dice).into_iter().map(|(name, text)| (upper(&name), text));
        let flags = entries(dice).into_iter().map(|(name, text)| format!("{name}={text}"));
        let sources = Sources {
            file: Some(path.clone()),
            environment: environment.collect(),
            flags: flags.collect(),
        };
        match (sources.load(), sources.load()) {
            (Ok(once), Ok(again)) => assert_eq!(values(&once), values(&again)),
            (Err(once), Err(again)) => {
                let text = once.to_string();
                assert_eq!(text, again.to_string());
                assert!(once.iter().next().is_some(), "it says what is wrong");
                for error in once.iter() {
                    assert!(!error.message().is_empty() && text.contains("error"), "{text}");
                }
                assert!(!once.to_styled_text().is_empty());
            }
            (once, again) => panic!("{once:?} is not {again:?}"),
        }
    });
}

#[test]
fn what_is_kept_is_taken_or_refused_in_words() {
    for (name, pieces) in corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weir.toml");
        std::fs::write(&path, pieces.concat()).expect("written");
        if let Err(errors) = (Sources { file: Some(path), ..Sources::default() }).load() {
            assert!(errors.to_string().contains("error"), "{name}");
        }
    }
}
