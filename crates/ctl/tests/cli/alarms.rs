use serde_json::{Value, json};

use crate::program::run;
use crate::rest_server::serve;

fn against(answer: &Value, arguments: &[&str]) -> (String, String) {
    let (url, server) = serve(vec![(200, answer.to_string())]);
    let ended = run(&[&["alarms", "ls", "--url", &url, "--token", "secret"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let asked = server.join().expect("the server holds");
    (ended.stdout, asked[0].line.clone())
}

#[test]
fn alarms_are_a_table_or_json() {
    let alarm = json!({
        "name": "disk_full", "resource": "log", "since": "2026-11-24T10:37:00.000Z",
        "reason": "no space",
    });
    let page = json!({"data": [alarm], "next": null});
    let (text, line) = against(&page, &[]);
    assert_eq!(line, "GET /api/v1/alarms?limit=1000");
    let words: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["ALARM", "RESOURCE", "SINCE", "REASON"]);
    assert_eq!(words[1], ["disk_full", "log", "2026-11-24T10:37:00.000Z", "no", "space"]);
    let (text, _) = against(&page, &["--json"]);
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), json!([alarm]));
    let (text, _) = against(&json!({"data": [], "next": null}), &[]);
    assert_eq!(text, "no alarms\n");
}
