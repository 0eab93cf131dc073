//! Nothing is left undone without an issue that says so.

use super::Finding;
use crate::workspace::Workspace;

/// Words that mark something undone, in comments.
const WORDS: &[&str] = &["TODO", "FIXME", "XXX"];

/// Code that stands for something undone.
const CODE: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &workspace.files {
        let Some(scanned) = &file.scanned else { continue };
        let views = scanned.comments.lines().zip(scanned.code.lines());
        for ((number, line), (comment, code)) in file.text.lines().enumerate().zip(views) {
            let word = WORDS.iter().find(|word| has_word(comment, word));
            let marker = word.or_else(|| CODE.iter().find(|marker| code.contains(*marker)));
            let Some(marker) = marker.filter(|_| !names_issue(line)) else { continue };
            let message = format!("`{marker}` needs the number of an issue, such as #12");
            findings.push(Finding::at(&file.path, number + 1, message));
        }
    }
    findings
}

fn has_word(comment: &str, word: &str) -> bool {
    comment.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|part| part == word)
}

fn names_issue(line: &str) -> bool {
    line.split('#').skip(1).any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::finding::expect;
    use super::*;
    use crate::workspace::File;

    #[test]
    fn what_is_undone_needs_an_issue() {
        let text = "\
// TODO later
// TODO #12 later
let a = \"TODO\"; // TODOS
fn f() { todo!() }
fn g() { unimplemented!() } // #3
#[ignore]
#[ignore = \"slow, #7\"]
let b = dbg!(c); /* FIXME */
";
        let files = vec![File::new("a.rs", text), File::new("a.md", "TODO")];
        let workspace = Workspace { files, ..Workspace::default() };
        expect(
            &check(&workspace),
            &[
                "a.rs:1: `TODO` needs the number of an issue, such as #12",
                "a.rs:4: `todo!` needs the number of an issue, such as #12",
                "a.rs:6: `#[ignore` needs the number of an issue, such as #12",
                "a.rs:8: `FIXME` needs the number of an issue, such as #12",
            ],
        );
    }
}
