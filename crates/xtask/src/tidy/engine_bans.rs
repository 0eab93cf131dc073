//! Engine crates ban clocks, randomness, threads and I/O by a clippy.toml of their own.
//!
//! clippy takes the nearest file and does not merge, so each engine's file must repeat the root's lines, and all
//! engines must ban the same.

use super::Finding;
use crate::workspace::Workspace;

const ENGINES: &[&str] = &[
    "mqtt-codec",
    "mqtt-router",
    "message-index",
    "queue-engine",
    "stream-engine",
    "key-expression",
    "mqtt-session",
    "policy",
];

/// What every engine must ban.
const BANNED: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::fs::File",
    "std::fs::read",
    "std::net::TcpStream",
    "std::thread::spawn",
    "std::env::var",
    "getrandom::fill",
];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let shared = workspace.file("clippy.toml").map_or("", |file| &file.text);
    let mut findings = Vec::new();
    let mut first: Option<(&str, &str)> = None;
    for engine in workspace.crates.iter().filter(|c| ENGINES.contains(&c.name.as_str())) {
        let path = format!("{}/clippy.toml", engine.folder);
        let Some(file) = workspace.file(&path) else {
            findings.push(Finding::new(&path, "an engine crate needs its bans"));
            continue;
        };
        let text = file.text.as_str();
        for line in shared.lines().filter(|line| !text.lines().any(|own| own == *line)) {
            findings.push(Finding::new(&path, format!("lacks the root's line `{line}`")));
        }
        for banned in BANNED.iter().filter(|banned| !text.contains(&format!("\"{banned}\""))) {
            findings.push(Finding::new(&path, format!("does not ban {banned}")));
        }
        let (other, bans) = *first.get_or_insert((&engine.name, text));
        if bans != text {
            let message = format!("differs from the one of {other}; all engines ban the same");
            findings.push(Finding::new(&path, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::expect;
    use super::*;
    use crate::workspace::{Crate, File};

    fn run(codec: Option<&str>, router: &str) -> Vec<Finding> {
        let member = |name: &str| Crate {
            name: name.to_owned(),
            folder: format!("crates/{name}"),
            ..Crate::default()
        };
        let mut files = vec![
            File::new("clippy.toml", "allow-unwrap-in-tests = true\n"),
            File::new("crates/mqtt-router/clippy.toml", router),
        ];
        files.extend(codec.map(|text| File::new("crates/mqtt-codec/clippy.toml", text)));
        let crates = vec![member("mqtt-codec"), member("mqtt-router"), member("net")];
        check(&Workspace { crates, files })
    }

    #[test]
    fn engines_ban_the_same_and_keep_the_shared_lines() {
        let bans: Vec<String> = BANNED.iter().map(|banned| format!("  \"{banned}\",")).collect();
        let good = format!("allow-unwrap-in-tests = true\nx = [\n{}\n]\n", bans.join("\n"));
        expect(&run(Some(&good), &good), &[]);
        expect(
            &run(None, &good),
            &["crates/mqtt-codec/clippy.toml: an engine crate needs its bans"],
        );
        let lax = good.replace("  \"std::thread::spawn\",\n", "");
        let differs = "crates/mqtt-router/clippy.toml: differs from the one of mqtt-codec; all engines ban the same";
        let expected = ["crates/mqtt-router/clippy.toml: does not ban std::thread::spawn", differs];
        expect(&run(Some(&good), &lax), &expected);
        let own = good.replace("allow-unwrap-in-tests = true\n", "");
        let expected = [
            "crates/mqtt-router/clippy.toml: lacks the root's line `allow-unwrap-in-tests = true`",
            differs,
        ];
        expect(&run(Some(&good), &own), &expected);
    }
}
