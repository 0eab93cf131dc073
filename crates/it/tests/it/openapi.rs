//! The OpenAPI document, as a validator that is not ours sees it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use it::{Options, Rest, Weir};
use serde_json::{Value, json};

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

const QUEUES: [&str; 5] = ["jobs", "state", "full", "dead:full", "filter/+/named"];
const STREAMS: [&str; 2] = ["plant", "log/#"];

/// Queues and streams of several kinds, with messages, one with dead letters.
fn stock(rest: &Rest) {
    for (path, body) in [
        ("/queues", json!({"name": "jobs", "topic_filter": "jobs/#", "keep_settled": "1h"})),
        ("/queues", json!({"name": "state", "topic_filter": "jobs/+", "last_value": true})),
        (
            "/queues",
            json!({
                "name": "full", "topic_filter": "jobs/#", "max_messages": 1,
                "overflow": "drop_oldest", "dead_letter_dropped": true,
            }),
        ),
        ("/queues", json!({"topic_filter": "filter/+/named"})),
        ("/streams", json!({"name": "plant", "topic_filter": "#", "key_expression": "level(1)"})),
        ("/streams", json!({"topic_filter": "log/#"})),
    ] {
        assert_eq!(rest.post(path, &body).status, 201, "{body}");
    }
    for topic in ["jobs/a", "jobs/b", "filter/x/named", "log/x", "$delayed/3600/jobs/later"] {
        let message = json!({"topic": topic, "payload": topic, "qos": 1});
        assert_eq!(rest.post("/publish", &message).status, 200, "{topic}");
    }
}

/// The document with the names that are there wherever one is asked for, but to delete it.
fn on_what_is_there(document: &str) -> String {
    let mut document: Value = serde_json::from_str(document).expect("JSON");
    let paths = document["paths"].as_object_mut().expect("paths");
    let mut changed = 0;
    for (path, operations) in paths {
        let names: &[&str] = match path.split('/').nth(3) {
            Some("queues") => &QUEUES,
            Some("streams") => &STREAMS,
            _ => continue,
        };
        let operations = operations.as_object_mut().into_iter().flatten();
        for (_, operation) in operations.filter(|(method, _)| *method != "delete") {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            let names_of = parameters.into_iter().flatten();
            for name in names_of.filter(|one| one["name"] == "name" && one["in"] == "path") {
                name["schema"] = json!({"type": "string", "enum": names});
                changed += 1;
            }
        }
    }
    assert!(changed > 15, "{changed} places for names");
    document.to_string()
}

/// Asks as schemathesis thinks of it, and fails when it finds something wrong.
fn ask(rest: &Rest, document: &str, arguments: &[&str]) {
    let (address, authorization) = rest.address_and_authorization();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("openapi.json");
    std::fs::write(&path, document).expect("written");
    let output = python("schemathesis")
        .current_dir(folder.path())
        .args(["run", "--url", &address, "--header", &format!("Authorization: {authorization}")])
        .args(["--generation-deterministic"])
        .args(["--max-examples", "20", "--no-color", "--warnings", "off"])
        .args(arguments)
        .arg(&path)
        .output()
        .expect("scripts/setup-test.sh installs schemathesis");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("generated, "), "{said}");
}

/// Requests made of the schemas, right ones and wrong ones: no answer of 5xx, none of another status or form than the
/// document says, no request accepted that the schemas refuse. That every request which suits the schemas is accepted
/// is not asked for: no schema says what a topic filter is. Signing in is left out, since it is slowed down on purpose.
#[test]
fn the_answers_are_as_the_document_says() {
    let weir = Weir::start(Options::new());
    let rest = weir.rest();
    let checks = ["--exclude-checks", "positive_data_acceptance"];
    ask(&rest, &rest.openapi(), &[&["--exclude-path", "/api/v1/login"], &checks[..]].concat());
}

/// The same of queues and streams that are there. Names that are not among them are no wrong ones.
#[test]
fn the_answers_about_what_is_there_are_as_the_document_says() {
    let weir = Weir::start(Options::new());
    let rest = weir.rest();
    stock(&rest);
    let arguments = [
        ["--include-path-regex", "/(queues|streams)/"],
        ["--phases", "coverage,fuzzing"],
        ["--exclude-checks", "positive_data_acceptance,negative_data_rejection"],
        // Few names are right, and none is wrong by its schema alone.
        ["--suppress-health-check", "filter_too_much"],
    ];
    ask(&rest, &on_what_is_there(&rest.openapi()), &arguments.concat());
}
