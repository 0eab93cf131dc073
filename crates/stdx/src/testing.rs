//! Random runs that a seed brings back, and inputs that are kept in files: for the fuzz tests of all crates.

mod dice;

use std::path::Path;
use std::time::{Duration, Instant};

pub use dice::Dice;

/// Runs with seeds from 0 on, as many as `count` and as long as `WEIR_FUZZ_SECONDS` says; with the one of
/// `WEIR_FUZZ_SEED` if that is set. A run that panics says its seed.
pub fn runs(count: u64, mut run: impl FnMut(u64, &mut Dice)) {
    let mut one = |seed| {
        let told = Told(seed);
        run(seed, &mut Dice::new(seed));
        drop(told);
    };
    if let Some(seed) = number("WEIR_FUZZ_SEED") {
        return one(seed);
    }
    let end = Instant::now() + Duration::from_secs(number("WEIR_FUZZ_SECONDS").unwrap_or(0));
    let mut seed = 0;
    while seed < count || Instant::now() < end {
        one(seed);
        seed += 1;
    }
    println!("{seed} seeds");
}

/// Says on the way out of a panic how to come back to it.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat with WEIR_FUZZ_SEED={}", self.0);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// The files of a folder by name, each with what stands in its lines: hexadecimal bytes, a piece of input a line, in
/// files that end in `.hex`; in others the whole is one piece. Lines with `#` in the former say what it is about.
#[must_use]
pub fn corpus(folder: &Path) -> Vec<(String, Vec<Vec<u8>>)> {
    let files = std::fs::read_dir(folder).expect("the corpus is there");
    let paths = files.map(|file| file.expect("it can be listed").path());
    let mut corpus: Vec<_> = paths
        .filter(|path| path.file_name().is_some_and(|name| name != "README.md"))
        .map(|path| {
            let bytes = std::fs::read(&path).expect("it can be read");
            let is_hex = path.extension().is_some_and(|extension| extension == "hex");
            let pieces =
                if is_hex { pieces(&String::from_utf8_lossy(&bytes)) } else { vec![bytes] };
            (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), pieces)
        })
        .collect();
    corpus.sort();
    assert!(!corpus.is_empty(), "the corpus has files");
    corpus
}

fn pieces(text: &str) -> Vec<Vec<u8>> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let byte = |word: &str| u8::from_str_radix(word, 16).expect("hexadecimal");
    lines.map(|line| line.split_whitespace().map(byte).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_brings_its_choices_back() {
        let choices = |seed| {
            let mut dice = Dice::new(seed);
            let mut bytes = dice.bytes(50);
            dice.mutate(&mut bytes);
            let pieces = dice.cut(&bytes);
            assert_eq!(pieces.concat(), bytes);
            pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>()
        };
        assert_eq!(choices(7), choices(7));
        assert!((0..20).any(|seed| choices(seed) != choices(7)), "another seed, other choices");
    }

    #[test]
    fn files_of_a_corpus_come_in_pieces() {
        assert_eq!(pieces("# about\n10 ff\n\n00\n"), [vec![0x10, 0xFF], vec![0]]);
    }
}
