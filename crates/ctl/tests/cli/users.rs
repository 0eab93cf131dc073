use serde_json::{Value, json};

use crate::program::{Ended, end, run, start};
use crate::rest_server::{Asked, serve_json};

/// Runs a command with that standard input against a server with those answers.
fn against(answers: Vec<(u16, Value)>, arguments: &[&str], input: &str) -> (Ended, Vec<Asked>) {
    let (url, server) = serve_json(answers);
    let arguments = [&["users", "--url", &url, "--token", "secret"], arguments].concat();
    let ended = end(start(&arguments), input);
    (ended, server.join().expect("the server holds"))
}

fn asked(line: &str, body: &str) -> Asked {
    Asked {
        line: line.to_owned(),
        authorization: "Bearer secret".to_owned(),
        body: body.to_owned(),
    }
}

#[test]
fn commands_become_requests() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("password");
    std::fs::write(&file, "from a file\nand no more\n").expect("written");
    let file = file.to_str().expect("text");
    let view = || json!({"username": "a/b", "roles": ["admin", "ops"]});
    let path = "/api/v1/users/a%2Fb";
    for (arguments, input, status, body, line, sent, said) in [
        (
            &["add", "a/b", "--role", "ops", "-r", "admin", "--password-stdin"][..],
            "two words\r\nand no more\n",
            201,
            view(),
            "POST /api/v1/users".to_owned(),
            r#"{"username":"a/b","password":"two words","roles":["ops","admin"]}"#,
            "user 'a/b' added",
        ),
        (
            &["add", "a/b", "--password-file", file],
            "",
            201,
            view(),
            "POST /api/v1/users".to_owned(),
            r#"{"username":"a/b","password":"from a file","roles":[]}"#,
            "user 'a/b' added",
        ),
        (
            &["passwd", "a/b", "--password-stdin"],
            "new",
            200,
            view(),
            format!("PATCH {path}"),
            r#"{"password":"new"}"#,
            "password of user 'a/b' set",
        ),
        (&["rm", "a/b"], "", 204, Value::Null, format!("DELETE {path}"), "", "user 'a/b' removed"),
    ] {
        let (ended, requests) = against(vec![(status, body)], arguments, input);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        assert_eq!(requests, [asked(&line, sent)], "{arguments:?}");
        assert!(ended.stdout.starts_with(said), "{ended:?}");
    }
}

#[test]
fn a_list_takes_all_pages_as_table_or_json() {
    let (admin, ada) =
        (json!({"username": "admin", "roles": ["admin"]}), json!({"username": "ada", "roles": []}));
    let pages = || {
        let first = json!({"data": [ada], "next": "6164"});
        vec![(200, first), (200, json!({"data": [admin], "next": null}))]
    };
    let lines = ["GET /api/v1/users?limit=1000", "GET /api/v1/users?limit=1000&cursor=6164"];
    let (ended, requests) = against(pages(), &["ls"], "");
    assert_eq!(requests, lines.map(|line| asked(line, "")));
    let words: Vec<Vec<&str>> =
        ended.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words, [["USER", "ROLES"], ["ada", "-"], ["admin", "admin"]]);
    let (ended, _) = against(pages(), &["ls", "--json"], "");
    let list: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(list, json!([ada, admin]));
}

#[test]
fn what_cannot_be_is_said_and_fails() {
    let words = "user 'admin' is the last with the role admin";
    let body = json!({"code": "conflict", "message": words, "details": {}});
    let (ended, _) = against(vec![(409, body)], &["rm", "admin"], "");
    assert_eq!((ended.code, ended.stderr), (Some(1), format!("weir: {words}\n")));
    for (arguments, code, words) in [
        (&["users", "add", "ada", "--token", "x", "--password-stdin"][..], 2, "password is empty"),
        (
            &["users", "add", "ada", "--token", "x", "--password-file", "/nonexistent"],
            1,
            "the password file /nonexistent cannot be read",
        ),
        (&["users", "add", "ada", "--password", "secret"], 2, "unexpected argument"),
        (&["users", "add"], 2, "<USERNAME>"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {ended:?}");
    }
}
