//! The OpenAPI document, as a validator that is not ours sees it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use it::{Options, Weir};

/// A program of the Python environment.
fn python(program: &str) -> Command {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin");
    Command::new(bin.join(program))
}

/// The validator's verdict on a document, and what it says.
fn validate(document: &str) -> (bool, String) {
    let mut child = python("python")
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

/// Requests made of the schemas, right ones and wrong ones: no answer of 5xx, none of another status or form than the
/// document says, no request accepted that the schemas refuse. That every request which suits the schemas is accepted
/// is not asked for: no schema says what a topic filter is. Signing in is left out, since it is slowed down on purpose.
#[test]
fn the_answers_are_as_the_document_says() {
    let weir = Weir::start(Options::new());
    let rest = weir.rest();
    let (address, authorization) = rest.address_and_authorization();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let document = folder.path().join("openapi.json");
    std::fs::write(&document, rest.openapi()).expect("written");
    let output = python("schemathesis")
        .current_dir(folder.path())
        .args(["run", "--url", &address, "--header", &format!("Authorization: {authorization}")])
        .args(["--exclude-path", "/api/v1/login", "--exclude-checks", "positive_data_acceptance"])
        .args(["--generation-deterministic"])
        .args(["--max-examples", "20", "--no-color", "--warnings", "off"])
        .arg(&document)
        .output()
        .expect("scripts/setup-test.sh installs schemathesis");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("generated, "), "{said}");
}
