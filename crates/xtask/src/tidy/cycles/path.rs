//! Paths in code, with the groups of `use` unfolded.
//! It must not know which modules there are.

use crate::scan::Token;

/// One path, such as `crate::a::b`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Path<'a> {
    pub(super) steps: Vec<&'a str>,
    pub(super) line: usize,
}

impl<'a> Path<'a> {
    /// The first step below the crate's root, seen from a module `depth` deep.
    pub(super) fn below_crate_root(&self, depth: usize) -> Option<&'a str> {
        let ups = self.steps.iter().take_while(|step| **step == "super").count();
        match self.steps.first() {
            Some(&"crate") => self.steps.get(1).copied(),
            Some(&"super") if ups == depth => self.steps.get(ups).copied(),
            _ => None,
        }
    }
}

/// Every path that begins with `crate` or `super`, wherever it stands.
pub(super) fn paths<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let starts = tokens.iter().enumerate().filter(|(at, token)| {
        let begins = matches!(token.text, "crate" | "super");
        let inside = at.checked_sub(1).is_some_and(|before| tokens[before].text == "::");
        begins && !inside
    });
    starts.flat_map(|(at, _)| unfold(&tokens[at..])).collect()
}

/// Every path of every `use`.
pub(super) fn used<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let uses = tokens.iter().enumerate().filter(|(_, token)| token.text == "use");
    uses.flat_map(|(at, _)| unfold(&tokens[at + 1..])).collect()
}

/// The paths of the tree that comes first.
fn unfold<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let mut out = Vec::new();
    tree(tokens, &[], &mut out);
    out
}

/// Reads one tree below `prefix` and says how many tokens it took.
fn tree<'a>(tokens: &[Token<'a>], prefix: &[&'a str], out: &mut Vec<Path<'a>>) -> usize {
    let mut steps = prefix.to_vec();
    let mut at = 0;
    let line = tokens.first().map_or(1, |token| token.line);
    while let Some(token) = tokens.get(at) {
        if token.text == "{" {
            return at + group(&tokens[at..], &steps, out);
        }
        if !token.is_word() && token.text != "*" {
            break;
        }
        steps.push(token.text);
        at += 1;
        if tokens.get(at).is_none_or(|next| next.text != "::") {
            break;
        }
        at += 1;
    }
    if steps.len() > prefix.len() {
        if steps.last() == Some(&"self") {
            steps.pop();
        }
        out.push(Path { steps, line });
    }
    at
}

/// Reads `{tree, tree}` and says how many tokens it took.
fn group<'a>(tokens: &[Token<'a>], prefix: &[&'a str], out: &mut Vec<Path<'a>>) -> usize {
    let mut at = 1;
    while let Some(token) = tokens.get(at) {
        match token.text {
            "}" => return at + 1,
            _ if token.is_word() && tokens[at - 1].text != "as" => {
                at += tree(&tokens[at..], prefix, out).max(1);
            }
            _ => at += 1,
        }
        if tokens.get(at).is_some_and(|next| next.text == "as") {
            at += 2;
        }
    }
    at
}
