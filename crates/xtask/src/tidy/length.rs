//! The size ratchet: files and functions that one can read, tests apart. It knows no exceptions.

use super::Finding;
use crate::workspace::Workspace;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in workspace.files.iter().filter(|file| !file.is_test()) {
        let Some(scanned) = &file.scanned else { continue };
        let blanked = scanned.code.lines().zip(scanned.shipped.lines());
        let in_tests = blanked.filter(|(code, shipped)| code != shipped).count();
        let lines = file.text.lines().count() - in_tests;
        if lines > FILE_LINES_MAX {
            let message = format!("{lines} lines without tests; {FILE_LINES_MAX} are the most");
            findings.push(Finding::new(&file.path, message));
        }
        for function in scanned.functions() {
            if function.lines > FUNCTION_LINES_MAX {
                let message = format!(
                    "fn {} has {} lines; {FUNCTION_LINES_MAX} are the most",
                    function.name, function.lines
                );
                findings.push(Finding::at(&file.path, function.line, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::expect;
    use super::*;
    use crate::workspace::File;

    #[test]
    fn long_files_and_functions_are_found_and_tests_are_not_counted() {
        let lines = |n: usize| "x;\n".repeat(n);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(600));
        let files = vec![
            File::new("crates/a/src/fits.rs", &(lines(600) + &tests)),
            File::new("crates/a/src/long.rs", &lines(601)),
            File::new("crates/a/src/long/tests.rs", &lines(601)),
            File::new("crates/a/tests/long.rs", &lines(601)),
            File::new("crates/a/src/f.rs", &format!("fn f() {{\n{}}}\n", lines(69))),
            File::new("crates/a/src/g.rs", &format!("fn f() {{\n{}}}\n", lines(68))),
        ];
        let workspace = Workspace { files, ..Workspace::default() };
        expect(
            &check(&workspace),
            &[
                "crates/a/src/long.rs: 601 lines without tests; 600 are the most",
                "crates/a/src/f.rs:1: fn f has 71 lines; 70 are the most",
            ],
        );
    }
}
