//! All rules, run over the workspace.
//! It must not know how a rule decides.

pub(crate) mod conformance;
mod cycles;
mod engine_bans;
mod finding;
mod length;
mod manifest;
mod marker;
mod place;
mod rank;
mod reachable;

use crate::workspace::Workspace;

pub(crate) use finding::Finding;

/// Everything that breaks a rule.
pub(crate) fn run(workspace: &Workspace) -> Vec<Finding> {
    let rules: &[fn(&Workspace) -> Vec<Finding>] = &[
        rank::check,
        cycles::check,
        length::check,
        reachable::check,
        marker::check,
        manifest::check,
        engine_bans::check,
        place::check,
        conformance::check,
    ];
    rules.iter().flat_map(|rule| rule(workspace)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let workspace = Workspace::load().expect("the workspace can be read");
        let findings: Vec<String> = run(&workspace).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "\n{}", findings.join("\n"));
    }
}
