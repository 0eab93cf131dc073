//! `cargo xtask conformance`: which test holds which numbered statement of MQTT, as a table in `docs/conformance.md`.
//! It must not know what a statement means.

mod citation;
mod edition;
mod page;
mod tests_of;

use std::path::Path;

use anyhow::{Context as _, Result};

use super::Finding;
use crate::workspace::Workspace;
use citation::citations;
use edition::{EDITIONS, Edition};
use page::PAGE;
use tests_of::Tests;

/// Where citations are only examples.
const OWN: &str = "crates/xtask/src/";

/// Writes the table anew.
pub(crate) fn write(workspace: &Workspace, root: &Path) -> Result<()> {
    let text = page(workspace)?;
    std::fs::write(root.join(PAGE), text).with_context(|| format!("{PAGE} can be written"))
}

/// Numbers that no edition has, statements that nothing holds, and a table that is not fresh.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    if workspace.file(PAGE).is_none() {
        return vec![];
    }
    let editions = match editions(workspace) {
        Ok(editions) => editions,
        Err(error) => return vec![Finding::new(PAGE, format!("{error:#}"))],
    };
    let mut findings = unknown(workspace, &editions);
    let tests = Tests::of(workspace);
    for edition in &editions {
        for statement in edition.without_test(&tests) {
            let cite = edition.cite(&statement.number);
            let message =
                format!("{cite} binds a server and no test names it: {}", statement.words);
            findings.push(Finding::new(edition.path(), message));
        }
    }
    if page(workspace).ok().as_deref() != workspace.file(PAGE).map(|file| file.text.as_str()) {
        findings.push(Finding::new(PAGE, "its table is not fresh; run cargo xtask conformance"));
    }
    findings
}

fn editions(workspace: &Workspace) -> Result<Vec<Edition>> {
    EDITIONS.iter().map(|kind| Edition::load(kind, workspace)).collect()
}

fn page(workspace: &Workspace) -> Result<String> {
    let page = workspace.file(PAGE).with_context(|| format!("{PAGE} is there"))?;
    page::with_table(&page.text, &editions(workspace)?, &Tests::of(workspace))
}

fn unknown(workspace: &Workspace, editions: &[Edition]) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The tests of this rule cite what there is not.
    let files = workspace.files.iter().filter(|file| !file.path.starts_with(OWN));
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            for cited in citations(line) {
                if !editions.iter().any(|edition| edition.has(cited)) {
                    let message = format!("no edition of MQTT has {cited}");
                    findings.push(Finding::at(&file.path, number + 1, message));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests;
