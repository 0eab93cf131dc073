//! Which test functions name which statements.
//! A test names what its text names: its body, and the comments and attributes right above it.

use std::collections::BTreeMap;

use super::citation::citations;
use crate::scan::{Token, body_end, tokens};
use crate::workspace::{File, Workspace};

/// The tests by what they cite, each as `crate::module::function`.
#[derive(Default)]
pub(crate) struct Tests(BTreeMap<String, Vec<String>>);

impl Tests {
    pub(crate) fn of(workspace: &Workspace) -> Self {
        let mut tests = Self::default();
        for file in workspace
            .files
            .iter()
            .filter(|file| file.path.starts_with("crates/") && !file.path.starts_with(super::OWN))
        {
            tests.read(file);
        }
        tests
    }

    /// The tests that name that statement.
    pub(crate) fn naming(&self, cited: &str) -> &[String] {
        self.0.get(cited).map_or(&[], Vec::as_slice)
    }

    fn read(&mut self, file: &File) {
        let Some(scanned) = &file.scanned else { return };
        let code = tokens(&scanned.code);
        let marks = code.windows(4).enumerate().filter(|(_, w)| {
            [w[0].text, w[1].text, w[2].text, w[3].text] == ["#", "[", "test", "]"]
        });
        for (mark, _) in marks {
            let Some(at) = code[mark..].iter().position(|token| token.text == "fn") else {
                continue;
            };
            let function = &code[mark + at..];
            let (Some(name), Some(end)) = (function.get(1), body_end(function)) else { continue };
            let path = [module(&file.path), inner_modules(&code[..mark]), vec![name.text]].concat();
            let path = path.join("::");
            for cited in citations(text_between(file, code[mark].line, end.line)) {
                let tests = self.0.entry(cited.to_owned()).or_default();
                if !tests.contains(&path) {
                    tests.push(path.clone());
                }
            }
        }
    }
}

/// The lines of a test, from the comments above its mark to the end of its body.
fn text_between(file: &File, mark: usize, end: usize) -> &str {
    let lines: Vec<&str> = file.text.split_inclusive('\n').collect();
    let above = lines[..mark - 1].iter().rev();
    let above = above.take_while(|line| {
        let line = line.trim_start();
        line.starts_with("//") && !line.starts_with("//!") || line.starts_with("#[")
    });
    let start = mark - 1 - above.count();
    let offset = |line: usize| lines[..line].iter().map(|line| line.len()).sum::<usize>();
    &file.text[offset(start)..offset(end)]
}

/// `crates/net/src/wire/tests.rs` is `net::wire::tests`, `crates/net/tests/sockets.rs` is `net::sockets`.
fn module(path: &str) -> Vec<&str> {
    let path = path.trim_start_matches("crates/").trim_end_matches(".rs");
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.len() > 1 {
        parts.remove(1);
    }
    if parts.len() > 1 && matches!(parts.last(), Some(&"lib" | &"main")) {
        parts.pop();
    }
    parts
}

/// The modules of a file that are open after those tokens.
fn inner_modules<'a>(before: &[Token<'a>]) -> Vec<&'a str> {
    let mut open = Vec::new();
    for (at, token) in before.iter().enumerate() {
        match token.text {
            "{" => {
                let is_module = at >= 2 && before[at - 2].text == "mod";
                open.push(is_module.then(|| before[at - 1].text));
            }
            "}" => {
                open.pop();
            }
            _ => {}
        }
    }
    open.into_iter().flatten().collect()
}
