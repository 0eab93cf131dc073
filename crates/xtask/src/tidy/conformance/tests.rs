use super::super::finding::expect;
use super::*;
use crate::workspace::File;

const PAGE_TEXT: &str =
    "Above.\n\n<!-- from here to the end: written by cargo xtask conformance -->\nold\n";

fn workspace(page: &str) -> Workspace {
    let five = "\
\"1.1.1-1\" = [\"both\", \"one\"]
\"1.1.1-2\" = [\"client\", \"two\"]
\"1.1.1-3\" = [\"server\", \"three\", \"it is so\"]
\"1.1.1-4\" = [\"server\", \"four\"]
";
    let tests = "\
//! [MQTT-1.1.1-4] of a file is nobody's.

mod tests {
    /// `[MQTT-1.1.1-1]`
    #[test]
    fn a() {
        f(\"[MQTT311-1.1.1-1]\");
    }

    fn helper() {
        f(\"[MQTT-1.1.1-2] [MQTT-9.9.9-9] [MQTT-x.y.z-n]\");
    }
}
";
    let files = vec![
        File::new("crates/c/src/d.rs", tests),
        File::new("crates/xtask/conformance/mqtt31.toml", ""),
        File::new("crates/xtask/conformance/mqtt311.toml", "\"1.1.1-1\" = [\"server\", \"e\"]\n"),
        File::new("crates/xtask/conformance/mqtt5.toml", five),
        File::new(PAGE, page),
    ];
    Workspace { files, ..Workspace::default() }
}

const FRESH: &str = "\
Above.

<!-- from here to the end: written by cargo xtask conformance -->

| edition | statements | tested | not applicable | bind the client only | open |
|---|---|---|---|---|---|
| MQTT 5.0 | 4 | 1 | 1 | 1 | 1 |
| MQTT 3.1.1 | 1 | 1 | 0 | 0 | 0 |
| MQTT 3.1 | 0 | 0 | 0 | 0 | 0 |

### MQTT 5.0

| statement | what it is about | verdict | tests |
|---|---|---|---|
| [MQTT-1.1.1-1] | one | tested | `c::d::tests::a` |
| [MQTT-1.1.1-2] | two | binds the client only |  |
| [MQTT-1.1.1-3] | three | not applicable: it is so |  |
| [MQTT-1.1.1-4] | four | **open** |  |

### MQTT 3.1.1

| statement | what it is about | verdict | tests |
|---|---|---|---|
| [MQTT311-1.1.1-1] | e | tested | `c::d::tests::a` |

### MQTT 3.1

| statement | what it is about | verdict | tests |
|---|---|---|---|
";

#[test]
fn a_test_names_what_stands_in_it_and_right_above() {
    assert_eq!(page(&workspace(PAGE_TEXT)).expect("it can be made"), FRESH);
}

#[test]
fn what_is_unknown_open_or_stale_is_found() {
    let open = "crates/xtask/conformance/mqtt5.toml: [MQTT-1.1.1-4] binds a server and no test \
                names it: four";
    let unknown = "crates/c/src/d.rs:11: no edition of MQTT has [MQTT-9.9.9-9]";
    let stale = "docs/conformance.md: its table is not fresh; run cargo xtask conformance";
    expect(&check(&workspace(PAGE_TEXT)), &[unknown, open, stale]);
    expect(&check(&workspace(FRESH)), &[unknown, open]);
}
