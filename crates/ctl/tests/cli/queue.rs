use admin_api::{QueueProperties, QueueStats, QueueView};
use serde_json::{Value, json};

use crate::program::{Ended, run};
use crate::rest_server::{Asked, serve, serve_json};

fn view(name: &str) -> Value {
    let view = QueueView {
        name: name.to_owned(),
        topic_filter: Some(name.to_owned()),
        properties: QueueProperties::default(),
        stats: QueueStats { ready: 7, ..QueueStats::default() },
    };
    serde_json::to_value(view).expect("JSON")
}

/// Runs a command against a server with those answers; gives what it left behind and what it asked.
fn against(answers: Vec<(u16, Value)>, arguments: &[&str]) -> (Ended, Vec<Asked>) {
    let (url, server) = serve_json(answers);
    let ended = run(&[&["queue", "--url", &url, "--token", "secret"], arguments].concat());
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
    let name = "sensor/+/data";
    let path = "/api/v1/queues/sensor%2F%2B%2Fdata";
    for (arguments, status, body, line, sent) in [
        (
            &["create", name][..],
            201,
            view(name),
            "POST /api/v1/queues".to_owned(),
            r#"{"name":"sensor/+/data"}"#,
        ),
        (
            &[
                "create",
                "billing",
                "-f",
                "orders/#",
                "-s",
                "max_inflight=5",
                "-s",
                "ack_timeout=1m",
            ],
            201,
            view("billing"),
            "POST /api/v1/queues".to_owned(),
            r#"{"max_inflight":5,"ack_timeout":"1m","name":"billing","topic_filter":"orders/#"}"#,
        ),
        (
            &["create", "pool", "--unbound"],
            201,
            view("pool"),
            "POST /api/v1/queues".to_owned(),
            r#"{"name":"pool","topic_filter":null}"#,
        ),
        (
            &["create", "-f", name],
            201,
            view(name),
            "POST /api/v1/queues".to_owned(),
            r#"{"topic_filter":"sensor/+/data"}"#,
        ),
        (&["show", name], 200, view(name), format!("GET {path}"), ""),
        (
            &["set", name, "paused=true"],
            200,
            view(name),
            format!("PATCH {path}"),
            r#"{"paused":true}"#,
        ),
        (&["rm", name], 204, Value::Null, format!("DELETE {path}"), ""),
    ] {
        let (ended, requests) = against(vec![(status, body)], arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        assert_eq!(requests, [asked(&line, sent)], "{arguments:?}");
        assert!(!ended.stdout.is_empty());
    }
}

#[test]
fn a_list_takes_all_pages_as_table_or_json() {
    let pages = || {
        let first = json!({"data": [view("a/+")], "next": "612f2b"});
        vec![(200, first), (200, json!({"data": [view("b/+")], "next": null}))]
    };
    let lines = ["GET /api/v1/queues?limit=1000", "GET /api/v1/queues?limit=1000&cursor=612f2b"];
    let (ended, requests) = against(pages(), &["ls"]);
    assert_eq!(requests, lines.map(|line| asked(line, "")));
    let words: Vec<Vec<&str>> =
        ended.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((words.len(), words[1][0], words[2][0]), (3, "a/+", "b/+"), "{}", ended.stdout);

    let (ended, _) = against(pages(), &["ls", "--json"]);
    let list: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(list, json!([view("a/+"), view("b/+")]));
}

#[test]
fn refusals_say_the_brokers_words_and_fail() {
    for (status, message, words) in [
        (
            404,
            "queue 'x' does not exist",
            "weir: queue 'x' does not exist; `weir queue ls` lists what is there\n",
        ),
        (
            401,
            "token is unknown",
            "weir: not signed in: token is unknown; is --data-dir that of this broker?\n",
        ),
    ] {
        let body = json!({"code": "c", "message": message, "details": {}});
        let (ended, _) = against(vec![(status, body)], &["show", "x"]);
        assert_eq!(
            (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
            (Some(1), "", words)
        );
    }
}

#[test]
fn the_token_is_found_in_the_data_directory() {
    let data_dir = tempfile::tempdir().expect("temporary directory");
    std::fs::write(data_dir.path().join("admin.token"), "from-file\n").expect("written");
    let data_dir = data_dir.path().to_str().expect("text");
    let (url, server) = serve(vec![(200, view("a").to_string())]);
    let ended = run(&["queue", "show", "a", "--url", &url, "--data-dir", data_dir]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(server.join().expect("the server holds")[0].authorization, "Bearer from-file");
}

#[test]
fn what_is_missing_is_said_with_a_next_step() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", nobody.local_addr().expect("bound"));
    drop(nobody);
    for (arguments, code, words) in [
        (&["queue", "ls", "--data-dir", "/nonexistent"][..], 1, "give --data-dir or --token"),
        (&["queue", "ls", "--token", "x", "--url", &url], 1, "start one with `weir serve`"),
        (&["queue", "ls", "--token", "x", "--url", "https://x"], 2, "http:// only"),
        (&["queue", "create"], 2, "--filter"),
        (&["queue", "create", "a"], 2, "give --filter FILTER, or --unbound"),
        (&["queue", "create", "a", "-s", "name=b"], 2, "not with --set"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {ended:?}");
    }
}

/// A script has to notice that not all have gone back.
#[test]
fn a_redrive_that_stops_has_failed() {
    let answer = json!({"redriven": 3, "stopped": "queue 'jobs' is full"});
    let (ended, _) = against(vec![(200, answer)], &["redrive", "dead:jobs"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "queue 'dead:jobs': 3 dead letters sent back\n");
    assert!(
        ended.stderr.contains("redrive of queue 'dead:jobs' stopped: queue 'jobs' is full"),
        "{ended:?}"
    );
}
