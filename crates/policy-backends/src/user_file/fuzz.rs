//! Files of users that somebody has edited: each is taken as it stands, or refused without a word of its secrets.

use policy::ScramKeys;
use stdx::testing::{Dice, runs};

use super::*;

fn file(dice: &mut Dice) -> UserFile {
    let keys = ScramKeys::of(b"secret", b"salt", 4_096);
    let mut users = Users::default();
    for _ in 0..dice.below(4) {
        let letters = ['a', '=', 'ä', ','];
        let name: String = (0..=dice.below(4)).map(|_| *dice.one_of(&letters)).collect();
        let roles = if dice.one_in(2) { vec!["admin".to_owned()] } else { Vec::new() };
        let scram = dice.one_in(2).then(|| keys.clone());
        let user = User::new(&name, &roles, password::NOBODY.into(), scram);
        users = users.with(user, usize::MAX).unwrap_or(users);
    }
    UserFile { users, secret: [7; 32] }
}

/// Lines left out, doubled, in another order; bytes changed.
fn edited(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for _ in 0..dice.below(3) {
        let (from, to) = (dice.below(lines.len()), dice.below(lines.len()));
        match dice.below(3) {
            0 => lines.swap(from, to),
            1 => lines.insert(to, lines[from]),
            _ if lines.len() > 1 => _ = lines.remove(from),
            _ => {}
        }
    }
    let mut bytes = lines.join("\n").into_bytes();
    if dice.one_in(2) {
        dice.mutate(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn each_file_is_taken_or_refused_without_its_secrets() {
    runs(300, |_, dice| {
        let whole = file(dice);
        let text = whole.to_text();
        assert_eq!(UserFile::parse(&text).as_ref(), Ok(&whole));
        let text = edited(&text, dice);
        match UserFile::parse(&text) {
            Ok(read) => assert_eq!(UserFile::parse(&read.to_text()), Ok(read), "{text}"),
            // A piece of each secret that is in the file.
            Err(error) => {
                for secret in ["AAAAAAAA", "BwcHBwcH", "c2FsdA"] {
                    assert!(!error.contains(secret), "{error}");
                }
            }
        }
        let _ = UserFile::parse_json(&text, [1; 32]);
    });
}

#[test]
fn a_secret_in_the_wrong_place_is_not_said() {
    let text =
        "version = 1\nsecret = \"AAAA\"\n[[users]]\nusername = \"ada\"\nroles = \"hunter2\"\n";
    let error = UserFile::parse(text).expect_err("roles are a list");
    assert_eq!(error, "line 5: invalid type: string \"…\", expected a sequence");
}
