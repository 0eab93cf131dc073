//! Manifests take version, licence, lints and dependencies from the workspace.

use toml::{Table, Value};

use super::Finding;
use crate::workspace::Workspace;

const PACKAGE: &[&str] = &["version", "edition", "rust-version", "license", "publish"];
const DEPENDENCIES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in &workspace.crates {
        let path = format!("{}/Cargo.toml", member.folder);
        let manifest = workspace.file(&path).map(|file| file.text.parse::<Table>());
        match manifest {
            Some(Ok(manifest)) => {
                let messages = faults(&member.folder, &manifest);
                findings.extend(messages.into_iter().map(|message| Finding::new(&path, message)));
            }
            _ => findings.push(Finding::new(&path, "cannot be read")),
        }
    }
    findings
}

fn faults(folder: &str, manifest: &Table) -> Vec<String> {
    let mut faults = Vec::new();
    let empty = Table::new();
    let table = |name: &str| manifest.get(name).and_then(Value::as_table).unwrap_or(&empty);
    let package = table("package");
    let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
    if folder != format!("crates/{name}") {
        faults.push(format!("the crate `{name}` must lie in crates/{name}"));
    }
    for key in PACKAGE.iter().filter(|key| !from_workspace(package.get(**key))) {
        faults.push(format!("`{key}.workspace = true` is missing"));
    }
    if package.get("description").and_then(Value::as_str).is_none_or(str::is_empty) {
        faults.push("a description is missing".to_owned());
    }
    if !from_workspace(manifest.get("lints")) {
        faults.push("`[lints] workspace = true` is missing".to_owned());
    }
    let targets = table("target").values().filter_map(Value::as_table);
    for holder in std::iter::once(manifest).chain(targets) {
        for section in DEPENDENCIES {
            let dependencies = holder.get(*section).and_then(Value::as_table).unwrap_or(&empty);
            let own = dependencies.iter().filter(|(_, value)| !from_workspace(Some(value)));
            faults.extend(own.map(|(name, _)| format!("`{name}` must come from the workspace")));
        }
    }
    faults
}

/// Whether the value is `{ workspace = true, … }`.
fn from_workspace(value: Option<&Value>) -> bool {
    let own = value.and_then(Value::as_table).and_then(|table| table.get("workspace"));
    own.and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::super::finding::expect;
    use super::*;
    use crate::workspace::{Crate, File};

    fn run(manifest: &str) -> Vec<Finding> {
        let crates =
            vec![Crate { name: "a".into(), folder: "crates/a".into(), ..Crate::default() }];
        let files = vec![File::new("crates/a/Cargo.toml", manifest)];
        check(&Workspace { crates, files })
    }

    const GOOD: &str = "\
[package]
name = \"a\"
description = \"One sentence\"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true
[lints]
workspace = true
[dependencies]
bytes.workspace = true
clap = { workspace = true, features = [\"derive\"] }
";

    #[test]
    fn a_good_manifest_passes() {
        expect(&run(GOOD), &[]);
    }

    #[test]
    fn each_fault_is_named() {
        for (from, to, message) in [
            ("name = \"a\"", "name = \"b\"", "the crate `b` must lie in crates/b"),
            (
                "license.workspace = true",
                "license = \"MIT\"",
                "`license.workspace = true` is missing",
            ),
            ("description = \"One sentence\"\n", "", "a description is missing"),
            ("[lints]\nworkspace = true\n", "", "`[lints] workspace = true` is missing"),
            ("bytes.workspace = true", "bytes = \"1\"", "`bytes` must come from the workspace"),
            ("workspace = true, f", "version = \"4\", f", "`clap` must come from the workspace"),
        ] {
            let expected = format!("crates/a/Cargo.toml: {message}");
            expect(&run(&GOOD.replace(from, to)), &[&expected]);
        }
        let dev = format!("{GOOD}[target.'cfg(unix)'.dev-dependencies]\ntempfile = \"3\"\n");
        expect(&run(&dev), &["crates/a/Cargo.toml: `tempfile` must come from the workspace"]);
        expect(&run("= no TOML"), &["crates/a/Cargo.toml: cannot be read"]);
    }
}
