//! Names and places: no `mod.rs`, no path of somebody's machine, an ARCHITECTURE.md that one reads to its end.

use super::Finding;
use crate::workspace::Workspace;

const ARCHITECTURE_LINES_MAX: usize = 300;

/// How paths on somebody's machine begin; spelled in halves so that this file does not hold them.
const MACHINE_PATHS: &[&str] =
    &[concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/"), concat!("/ho", "me/")];

/// Module names that say nothing.
const EMPTY_NAMES: &[&str] = &["common", "util", "utils", "helper", "helpers", "impls", "misc"];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &workspace.files {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if name == "mod.rs" {
            findings.push(Finding::new(&file.path, "write foo.rs beside foo/, not foo/mod.rs"));
        }
        if name.strip_suffix(".rs").is_some_and(|stem| EMPTY_NAMES.contains(&stem)) {
            findings.push(Finding::new(&file.path, "the name says nothing; name what it holds"));
        }
        if name.ends_with(".lock") || name == "package-lock.json" {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            if MACHINE_PATHS.iter().any(|start| is_path(line, start)) {
                let message = "holds a path of somebody's machine";
                findings.push(Finding::at(&file.path, number + 1, message));
            }
        }
    }
    let architecture =
        workspace.file("ARCHITECTURE.md").map_or(0, |file| file.text.lines().count());
    if architecture > ARCHITECTURE_LINES_MAX {
        let message = format!("{architecture} lines; {ARCHITECTURE_LINES_MAX} are the most");
        findings.push(Finding::new("ARCHITECTURE.md", message));
    }
    findings
}

/// Whether `start` begins a path, and is not the middle of one or of an address.
fn is_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"/.-_*+$}{>".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::expect;
    use super::*;
    use crate::workspace::File;

    #[test]
    fn names_and_places_are_held() {
        let root = MACHINE_PATHS[0];
        let files = vec![
            File::new("crates/a/src/b/mod.rs", ""),
            File::new("crates/a/src/util.rs", ""),
            File::new("docs/a.md", &format!("see\n`{root}x`\n")),
            File::new("docs/b.md", &format!("see https://example.org{root}x")),
            File::new("ARCHITECTURE.md", &"x\n".repeat(301)),
        ];
        let workspace = Workspace { files, ..Workspace::default() };
        expect(
            &check(&workspace),
            &[
                "crates/a/src/b/mod.rs: write foo.rs beside foo/, not foo/mod.rs",
                "crates/a/src/util.rs: the name says nothing; name what it holds",
                "docs/a.md:2: holds a path of somebody's machine",
                "ARCHITECTURE.md: 301 lines; 300 are the most",
            ],
        );
    }
}
