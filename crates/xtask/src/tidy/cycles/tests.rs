use super::super::finding::expect;
use super::*;

fn run(files: &[(&str, &str)]) -> Vec<Finding> {
    let crates = vec![Crate { name: "x".into(), folder: "crates/x".into(), ..Crate::default() }];
    let file = |(path, text): &(&str, &str)| File::new(&format!("crates/x/src/{path}"), text);
    check(&Workspace { crates, files: files.iter().map(file).collect() })
}

const ROOT: (&str, &str) = ("lib.rs", "mod a;\nmod b;\nmod c;\npub use c::{inner::Deep, Thing};\n");

#[test]
fn modules_that_can_be_read_in_an_order_pass() {
    let files = [
        ROOT,
        (
            "a.rs",
            "use crate::b;\nuse super::c::X;\nuse crate::Thing;\n#[cfg(test)]\nmod tests { use crate::a; }",
        ),
        (
            "b.rs",
            "// use crate::a;\nconst T: &str = \"crate::a\";\nfn f() -> crate::c::X {}\nmod d;",
        ),
        ("b/d.rs", "use super::a; use super::super::c;"),
        ("b/tests.rs", "use crate::a;"),
        ("c.rs", "use crate::c::inner; use std::a;"),
    ];
    expect(&run(&files), &[]);
}

#[test]
fn every_way_to_name_a_module_counts() {
    for (b, line) in [
        ("use crate::c;", 1),
        ("\nuse crate::c::Thing;", 2),
        ("use crate::{a, c::{self, X}};", 1),
        ("use crate::{\n    a::{Y, Z as W},\n    c::X,\n};", 3),
        ("fn f() {\n    crate::c::f();\n}", 2),
        ("fn f(x: &super::c::X) {}", 1),
        ("pub(crate) use super::{c};", 1),
    ] {
        let found = run(&[ROOT, ("a.rs", ""), ("b.rs", b), ("c.rs", "use crate::b::Y;")]);
        let expected = format!("crates/x/src/b.rs:{line}: modules in a cycle: b -> c -> b");
        expect(&found, &[&expected]);
    }
}

#[test]
fn a_name_that_the_root_passes_on_counts_as_its_module() {
    for name in ["Thing", "Deep"] {
        let user = format!("fn f(x: crate::{name}) {{}}");
        let found = run(&[ROOT, ("a.rs", &user), ("b.rs", ""), ("c.rs", "use crate::a::X;")]);
        expect(&found, &["crates/x/src/a.rs:1: modules in a cycle: a -> c -> a"]);
    }
}

#[test]
fn a_long_cycle_is_shown_whole_and_files_below_count_for_their_module() {
    let files = [
        ROOT,
        ("a.rs", "mod deep;"),
        ("a/deep.rs", "use super::super::b::X;"),
        ("b.rs", "use crate::c;"),
        ("c.rs", "use crate::a;"),
    ];
    expect(&run(&files), &["crates/x/src/a/deep.rs:1: modules in a cycle: a -> b -> c -> a"]);
}
