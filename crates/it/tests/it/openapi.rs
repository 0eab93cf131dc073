//! The OpenAPI document, as a validator that is not ours sees it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use it::{Options, Weir};

/// The validator's verdict on a document, and what it says.
fn validate(document: &str) -> (bool, String) {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    let mut child = Command::new(python)
        .args(["-m", "openapi_spec_validator", "--schema", "3.1", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("scripts/setup-test.sh installs the validator");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(document.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_document_is_openapi_3_1() {
    let weir = Weir::start(Options::new());
    let document = weir.rest().openapi();
    let (valid, said) = validate(&document);
    assert!(valid, "{said}");
    let broken = document.replacen("\"responses\"", "\"answers\"", 1);
    assert_ne!(broken, document);
    assert!(!validate(&broken).0, "the validator would find a fault");
}
