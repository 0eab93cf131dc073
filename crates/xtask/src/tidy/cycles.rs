//! No cycle among the top-level modules of a crate: one can read them in an order.

mod path;

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::scan::tokens;
use crate::workspace::{Crate, File, Workspace};
use path::{Path, paths};

/// For each module the modules it names, with the file and line where it first does.
type Graph = BTreeMap<String, BTreeMap<String, (String, usize)>>;

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    workspace.crates.iter().filter_map(|member| check_crate(workspace, member)).collect()
}

fn check_crate(workspace: &Workspace, member: &Crate) -> Option<Finding> {
    let graph = graph(workspace, member);
    let cycle = find_cycle(&graph)?;
    let (path, line) = &graph[&cycle[0]][&cycle[1]];
    let message = format!("modules in a cycle: {}", cycle.join(" -> "));
    Some(Finding::at(path, *line, message))
}

fn graph(workspace: &Workspace, member: &Crate) -> Graph {
    let src = format!("{}/src", member.folder);
    let roots = ["lib.rs", "main.rs"].map(|root| format!("{src}/{root}"));
    let roots: Vec<&File> = roots.iter().filter_map(|path| workspace.file(path)).collect();
    let scanned = roots.iter().filter_map(|root| root.scanned.as_ref());
    let modules: BTreeSet<String> = scanned.flat_map(|root| root.declared_modules()).collect();
    let names = re_exports(&roots, &modules);
    let mut graph = Graph::new();
    for file in workspace.below(&src).filter(|file| !file.is_test()) {
        let Some(scanned) = &file.scanned else { continue };
        let inner = &file.path[src.len() + 1..];
        let steps: Vec<&str> = inner.trim_end_matches(".rs").split('/').collect();
        let Some(own) = modules.get(steps[0]) else { continue };
        for path in paths(&tokens(&scanned.shipped)) {
            let Some(first) = path.below_crate_root(steps.len()) else { continue };
            let named = modules.get(first).or_else(|| names.get(first));
            if let Some(named) = named.filter(|named| *named != own) {
                let uses = graph.entry(own.clone()).or_default();
                uses.entry(named.clone()).or_insert((file.path.clone(), path.line));
            }
        }
    }
    graph
}

/// The names that a root takes from its modules, with their module.
fn re_exports(roots: &[&File], modules: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for scanned in roots.iter().filter_map(|root| root.scanned.as_ref()) {
        for Path { steps, .. } in path::used(&tokens(&scanned.shipped)) {
            let steps: Vec<&str> = steps.iter().copied().filter(|step| *step != "crate").collect();
            if let ([first, ..], Some(last)) = (&steps[..], steps.last())
                && modules.contains(*first)
            {
                names.insert((*last).to_owned(), (*first).to_owned());
            }
        }
    }
    names
}

/// The shortest way from a module back to itself, its name at both ends.
fn find_cycle(graph: &Graph) -> Option<Vec<String>> {
    let cycles = graph.keys().filter_map(|start| way_back(graph, start));
    cycles.min_by_key(Vec::len)
}

fn way_back(graph: &Graph, start: &str) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut ways = std::collections::VecDeque::from([vec![start.to_owned()]]);
    while let Some(way) = ways.pop_front() {
        let next = way.last().and_then(|last| graph.get(last));
        for module in next.into_iter().flat_map(BTreeMap::keys) {
            let longer: Vec<String> = way.iter().chain([module]).cloned().collect();
            if module == start {
                return Some(longer);
            }
            if seen.insert(module.clone()) {
                ways.push_back(longer);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
