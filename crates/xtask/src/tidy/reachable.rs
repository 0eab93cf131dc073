//! No dead files: every `.rs` below `src` is reached from the crate's root by `mod`.

use std::collections::BTreeSet;

use super::Finding;
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in &workspace.crates {
        let src = format!("{}/src", member.folder);
        let reached = reached(workspace, &src);
        let files = workspace.below(&src).filter(|file| file.path.ends_with(".rs"));
        let dead = files.filter(|file| !reached.contains(&file.path));
        findings.extend(dead.map(|file| Finding::new(&file.path, "no `mod` reaches this file")));
    }
    findings
}

/// Every file that a root of the crate reaches.
fn reached(workspace: &Workspace, src: &str) -> BTreeSet<String> {
    let bin = format!("{src}/bin");
    let bins = workspace.below(&bin).map(|file| file.path.clone());
    let roots = bins.chain([format!("{src}/lib.rs"), format!("{src}/main.rs")]);
    let mut waiting: Vec<String> = roots.collect();
    let mut reached = BTreeSet::new();
    while let Some(path) = waiting.pop() {
        let Some(file) = workspace.file(&path) else { continue };
        let Some(scanned) = &file.scanned else { continue };
        if !reached.insert(path.clone()) {
            continue;
        }
        let folder = match path.strip_suffix("/lib.rs").or_else(|| path.strip_suffix("/main.rs")) {
            Some(folder) => folder,
            None => path.trim_end_matches(".rs"),
        };
        let children = scanned.declared_modules();
        waiting.extend(children.iter().map(|module| format!("{folder}/{module}.rs")));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::finding::expect;
    use super::*;
    use crate::workspace::{Crate, File};

    #[test]
    fn files_that_no_mod_reaches_are_found() {
        let crates =
            vec![Crate { name: "a".into(), folder: "crates/a".into(), ..Crate::default() }];
        let files = vec![
            File::new("crates/a/src/lib.rs", "mod b;\n// mod dead;\n"),
            File::new("crates/a/src/b.rs", "mod c;\n#[cfg(test)]\nmod tests;\n"),
            File::new("crates/a/src/b/c.rs", ""),
            File::new("crates/a/src/b/tests.rs", ""),
            File::new("crates/a/src/dead.rs", "mod under;\n"),
            File::new("crates/a/src/dead/under.rs", ""),
            File::new("crates/a/tests/it.rs", ""),
        ];
        expect(
            &check(&Workspace { crates, files }),
            &[
                "crates/a/src/dead.rs: no `mod` reaches this file",
                "crates/a/src/dead/under.rs: no `mod` reaches this file",
            ],
        );
    }
}
