//! The rank table: a crate depends only on crates of lower ranks.

use super::Finding;
use crate::workspace::Workspace;

/// A new crate, or a new arrow, changes this table and wants an ADR.
const RANKS: &[(u8, &[&str])] = &[
    (0, &["stdx", "dashboard"]),
    (1, &["mqtt-types", "key-expression", "message-index"]),
    (
        2,
        &[
            "mqtt-codec",
            "mqtt-router",
            "queue-engine",
            "stream-engine",
            "policy",
            "log-api",
            "admin-api",
            "telemetry",
        ],
    ),
    (3, &["mqtt-session", "mqtt-client", "log-disk", "policy-backends", "connectors"]),
    (4, &["journal"]),
    (5, &["broker", "cluster", "upkeep"]),
    (6, &["net", "admin", "integrations", "ctl"]),
    (7, &["settings"]),
    (8, &["server"]),
    (9, &["weir"]),
    (10, &["sim", "it", "bench", "fuzz", "xtask"]),
];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in &workspace.crates {
        let Some(own) = rank(&member.name) else {
            let message =
                format!("the crate `{}` has no rank in crates/xtask/src/tidy/rank.rs", member.name);
            findings.push(Finding::new(&member.folder, message));
            continue;
        };
        for dependency in &member.dependencies {
            if let Some(other) = rank(dependency).filter(|other| *other >= own) {
                let message = format!(
                    "`{}` of rank {own} depends on `{dependency}` of rank {other}; arrows go to lower ranks only",
                    member.name
                );
                findings.push(Finding::new(&member.folder, message));
            }
        }
    }
    findings
}

fn rank(name: &str) -> Option<u8> {
    RANKS.iter().find(|(_, crates)| crates.contains(&name)).map(|(rank, _)| *rank)
}

#[cfg(test)]
mod tests {
    use super::super::finding::expect;
    use super::*;
    use crate::workspace::Crate;

    fn member(name: &str, dependencies: &[&str]) -> Crate {
        let dependencies = dependencies.iter().map(|name| String::from(*name)).collect();
        Crate { name: name.to_owned(), folder: format!("crates/{name}"), dependencies }
    }

    #[test]
    fn arrows_go_to_lower_ranks_only() {
        let crates = vec![
            member("mqtt-codec", &["stdx", "mqtt-types", "bytes"]),
            member("mqtt-router", &["mqtt-codec"]),
            member("stdx", &["broker"]),
            member("common", &[]),
        ];
        let workspace = Workspace { crates, ..Workspace::default() };
        expect(
            &check(&workspace),
            &[
                "crates/mqtt-router: `mqtt-router` of rank 2 depends on `mqtt-codec` of rank 2; arrows go to lower \
                 ranks only",
                "crates/stdx: `stdx` of rank 0 depends on `broker` of rank 5; arrows go to lower ranks only",
                "crates/common: the crate `common` has no rank in crates/xtask/src/tidy/rank.rs",
            ],
        );
    }
}
