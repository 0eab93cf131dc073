//! `weir clients`, `weir subs`, `weir delayed`.

use serde_json::{Value, json};

use crate::program::{Ended, run, run_with};
use crate::rest_server::serve_json;

/// Runs a command against a server with those answers; gives the lines of the requests too.
fn against(answers: Vec<(u16, Value)>, arguments: &[&str]) -> (Ended, Vec<String>) {
    let (url, server) = serve_json(answers);
    let ended = run(&[arguments, &["--url", &url, "--token", "secret"]].concat());
    let asked = server.join().expect("the server holds");
    (ended, asked.into_iter().map(|asked| asked.line).collect())
}

fn client() -> Value {
    json!({
        "client_id": "meter/7", "connected": false, "protocol": null, "username": "ada",
        "durable": true, "session_expiry": "7d", "subscriptions": 2, "waiting_messages": 3,
        "waiting_bytes": 120, "in_flight": 1, "disconnected_at": "2026-11-24T10:37:00.000Z",
    })
}

#[test]
fn commands_become_requests() {
    let empty = || vec![(200, json!({"data": [], "next": null}))];
    for (arguments, answers, line, said) in [
        (&["clients", "ls"][..], empty(), "GET /api/v1/clients?limit=1000", "CLIENT"),
        (
            &["clients", "ls", "--connected"],
            empty(),
            "GET /api/v1/clients?limit=1000&connected=true",
            "CLIENT",
        ),
        (
            &["clients", "ls", "--disconnected"],
            empty(),
            "GET /api/v1/clients?limit=1000&connected=false",
            "CLIENT",
        ),
        (
            &["clients", "show", "meter/7"],
            vec![(200, client())],
            "GET /api/v1/clients/meter%2F7",
            "client_id",
        ),
        (
            &["clients", "rm", "meter/7"],
            vec![(204, Value::Null)],
            "DELETE /api/v1/clients/meter%2F7",
            "client 'meter/7' sent away with its session",
        ),
        (
            &["clients", "rm", "--keep-session", "meter/7"],
            vec![(204, Value::Null)],
            "DELETE /api/v1/clients/meter%2F7?session=keep",
            "client 'meter/7' sent away, its session stays",
        ),
        (&["subs", "ls"], empty(), "GET /api/v1/subscriptions?limit=1000", "CLIENT"),
        (
            &["subs", "ls", "--client", "meter/7", "--topic", "a/+"],
            empty(),
            "GET /api/v1/subscriptions?limit=1000&client_id=meter%2F7&topic=a%2F%2B",
            "CLIENT",
        ),
        (&["delayed", "ls"], empty(), "GET /api/v1/delayed?limit=1000", "ID"),
        (
            &["delayed", "rm", "18b-1"],
            vec![(204, Value::Null)],
            "DELETE /api/v1/delayed/18b-1",
            "delayed message '18b-1' cancelled",
        ),
    ] {
        let (ended, asked) = against(answers, arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        assert_eq!(asked, [line], "{arguments:?}");
        assert!(ended.stdout.starts_with(said), "{ended:?}");
    }
    let missing =
        json!({"code": "not_found", "message": "client 'a' does not exist", "details": {}});
    let (ended, _) = against(vec![(404, missing)], &["clients", "rm", "a"]);
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(1), "weir: client 'a' does not exist; `weir clients ls` lists what is there\n")
    );
}

#[test]
fn lists_are_tables_or_json() {
    let subscription = json!({
        "client_id": "a", "topic_filter": "t/#", "qos": 1, "no_local": true,
        "retain_as_published": false, "retain_handling": 2, "subscription_identifier": 7,
    });
    let delayed = json!({
        "id": "18b-1", "due": "2026-11-24T10:37:00.000Z", "topic": "a/b", "client_id": null,
        "qos": 1, "retain": false, "bytes": 12,
    });
    for (arguments, thing, heads, words) in [
        (
            ["clients", "ls"],
            client(),
            &[
                "CLIENT",
                "STATE",
                "USER",
                "MQTT",
                "SESSION",
                "SUBSCRIPTIONS",
                "WAITING",
                "IN",
                "FLIGHT",
            ][..],
            &["meter/7", "away", "ada", "-", "7d", "2", "3", "1"][..],
        ),
        (
            ["subs", "ls"],
            subscription,
            &["CLIENT", "FILTER", "QOS", "OPTIONS"],
            &["a", "t/#", "1", "no-local", "retain-handling=2", "identifier=7"],
        ),
        (
            ["delayed", "ls"],
            delayed,
            &["ID", "DUE", "TOPIC", "CLIENT", "QOS", "BYTES"],
            &["18b-1", "2026-11-24T10:37:00.000Z", "a/b", "-", "1", "12"],
        ),
    ] {
        // A list is taken to its end.
        let pages = || {
            let first = json!({"data": [thing], "next": "6164"});
            vec![(200, first), (200, json!({"data": [], "next": null}))]
        };
        let (ended, asked) = against(pages(), &arguments);
        assert!(asked[1].ends_with("?limit=1000&cursor=6164"), "{asked:?}");
        let lines: Vec<Vec<&str>> =
            ended.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines, [heads, words]);
        let (ended, _) = against(pages(), &[&arguments[..], &["--json"]].concat());
        assert_eq!(serde_json::from_str::<Value>(&ended.stdout).expect("JSON"), json!([thing]));
    }
}

#[test]
fn a_usage_line_shows_what_must_be_given_whatever_the_environment_says() {
    for (arguments, usage) in [
        (&["queue", "show"][..], "Usage: weir-ctl queue show <NAME>\n"),
        (&["backup"], "Usage: weir-ctl backup <FILE|FOLDER>\n"),
        (&["restore"], "Usage: weir-ctl restore <BACKUP>\n"),
        (
            &["stream", "forget"],
            "Usage: weir-ctl stream forget <--reader <CLIENT_ID>|--group <GROUP>> <NAME>\n",
        ),
    ] {
        let ended = run_with(
            arguments,
            &[("WEIR_URL", "http://127.0.0.1:1"), ("WEIR_TOKEN", "t"), ("WEIR_DATA_DIR", "here")],
        );
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(usage), "{arguments:?}: {ended:?}");
    }
    let help = run_with(&["repair", "--help"], &[("WEIR_DATA_DIR", "here")]).stdout;
    assert!(help.contains("(also WEIR_DATA_DIR) [default: here]"), "{help}");
    // What the environment says holds, and a flag goes before it.
    let variables = [("WEIR_URL", "ftp://one"), ("WEIR_TOKEN", "t")];
    let ended = run_with(&["queue", "ls"], &variables);
    assert!(ended.stderr.contains("ftp://one"), "{ended:?}");
    let ended = run_with(&["queue", "ls", "--url", "ftp://two"], &variables);
    assert!(ended.stderr.contains("ftp://two"), "{ended:?}");
    let ended = run_with(&["queue", "ls"], &[("WEIR_DATA_DIR", "nowhere")]);
    assert!(ended.stderr.contains("nowhere/admin.token cannot be read"), "{ended:?}");
}
