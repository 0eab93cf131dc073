//! `weir top`: once, and live in a terminal of its own.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::program::{PROGRAM, run};
use crate::rest_server::serve;

const METRICS: &str = "weir_build_info{version=\"1.2.3\"} 1\nweir_node_ready 1\nweir_mqtt_connections 4\n\
    weir_mqtt_messages_received_total 100\n\
    weir_queue_ready{queue=\"jobs\"} 7\nweir_queue_enqueued_total{queue=\"jobs\"} 9\n\
    weir_queue_ready{queue=\"sensor/+\"} 12\n\
    weir_stream_kept{stream=\"logs\"} 5\nweir_stream_reader_lag{stream=\"logs\"} 3\n";

/// So many looks at a broker that does nothing.
fn looks(count: usize) -> Vec<(u16, String)> {
    let alarm = json!({
        "name": "disk_full", "resource": "log", "since": "2026-11-24T10:37:00.000Z", "reason": "no room",
    });
    let alarms = json!({"data": [alarm], "next": null}).to_string();
    (0..count).flat_map(|_| [(200, METRICS.to_owned()), (200, alarms.clone())]).collect()
}

#[test]
fn without_a_terminal_it_is_shown_once() {
    for flags in [&[][..], &["--once"]] {
        let (url, server) = serve(looks(2));
        let ended =
            run(&[&["top", "--url", &url, "--token", "secret", "-d", "100ms"], flags].concat());
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        let asked: Vec<_> = server.join().expect("the server holds");
        assert_eq!(asked[2].line, "GET /metrics");
        assert_eq!(asked[2].authorization, "Bearer secret");
        let lines: Vec<Vec<&str>> =
            ended.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0].join(" "), format!("weir 1.2.3 at {url}: ready"));
        assert!(ended.stdout.contains("messages in 0/s"), "{}", ended.stdout);
        assert!(ended.stdout.contains("ALARM disk_full log: no room"), "{}", ended.stdout);
        let first = |name: &str| lines.iter().position(|words| words.first() == Some(&name));
        let places = ["QUEUE", "sensor/+", "jobs", "STREAM", "logs"].map(first);
        assert!(places.is_sorted() && places[0].is_some(), "{}", ended.stdout);
    }
}

#[test]
fn json_has_all_of_it_or_as_many_as_are_wanted() {
    for (flags, count) in [(&[][..], 2), (&["-n", "1"], 1)] {
        let (url, server) = serve(looks(2));
        let top = ["top", "--json", "--url", &url, "--token", "x", "-d", "100ms"];
        let ended = run(&[&top[..], flags].concat());
        server.join().expect("the server holds");
        let seen: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        assert_eq!((&seen["version"], &seen["connections"]), (&json!("1.2.3"), &json!(4)));
        assert_eq!(seen["queues"].as_array().map(Vec::len), Some(count));
        let queue = &seen["queues"][0];
        assert_eq!((&queue["name"], &queue["ready"]), (&json!("sensor/+"), &json!(12)));
        assert_eq!(
            (&seen["streams"][0]["lag"], &seen["alarms"][0]["name"]),
            (&json!(3), &json!("disk_full"))
        );
        assert_eq!(seen["messages_in_per_second"], json!(0.0));
    }
}

#[test]
fn what_cannot_be_is_said() {
    let ended = run(&["top", "--once", "--token", "x", "-d", "1ms"]);
    assert_eq!(
        (ended.code, ended.stderr.contains("100ms or longer")),
        (Some(2), true),
        "{ended:?}"
    );
    let refused = json!({"code": "unauthorized", "message": "token is unknown", "details": {}});
    let (url, server) = serve(vec![(401, refused.to_string())]);
    let ended = run(&["top", "--once", "--url", &url, "--token", "x"]);
    server.join().expect("the server holds");
    assert_eq!((ended.code, ended.stderr.contains("not signed in")), (Some(1), true), "{ended:?}");
}

/// What is done at a terminal of that name; gives the keys to press.
type Step = Box<dyn FnOnce(&str) -> Vec<u8>>;

/// Runs it in a terminal, does something once the screen shows that, and gives all that came to the terminal.
fn in_a_terminal(flags: &str, mut steps: Vec<(&str, Step)>) -> String {
    let (url, _server) = serve(looks(2));
    let line = format!(
        "tty; stty -g; {PROGRAM} top --url {url} --token x {flags}; echo \"code $?\"; stty -g"
    );
    let mut child = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script makes a terminal");
    let mut output = child.stdout.take().expect("it is piped");
    let mut input = child.stdin.take().expect("it is piped");
    let mut all = String::new();
    steps.reverse();
    loop {
        let mut bytes = [0; 4_096];
        let count = output.read(&mut bytes).expect("it can be read");
        if count == 0 {
            break;
        }
        all.push_str(&String::from_utf8_lossy(&bytes[..count]));
        if let Some((_, step)) = steps.pop_if(|(shows, _)| all.contains(*shows)) {
            let keys = step(all.lines().next().unwrap_or_default().trim());
            input.write_all(&keys).and_then(|()| input.flush()).expect("it reads");
        }
    }
    assert!(child.wait().expect("it ends").success());
    all
}

/// Presses these keys.
fn press(keys: &'static [u8]) -> Step {
    Box::new(|_| keys.to_vec())
}

#[test]
fn in_a_terminal_it_goes_on_until_a_key_ends_it_and_leaves_the_terminal_as_it_was() {
    for (keys, shows) in [
        (&b"q"[..], "sensor/+"),
        (b"x\x03", "logs"),
        // The broker has gone: what was seen stays, with what is wrong.
        (b"q", "does not answer"),
    ] {
        let all = in_a_terminal("-d 100ms", vec![(shows, press(keys))]);
        let (before, rest) = all.split_once("\x1b[?1049h").expect("to the other screen");
        let (screen, after) = rest.split_once("\x1b[?1049l").expect("and back");
        assert!(screen.contains("weir 1.2.3 at ") && screen.contains("jobs"), "{all:?}");
        let lines: Vec<&str> = after.split_whitespace().collect();
        assert_eq!(lines[..2], ["code", "0"], "{all:?}");
        assert_eq!(before.lines().last(), Some(lines[2]), "the terminal is as it was");
    }
}

#[test]
fn a_terminal_of_another_size_is_drawn_anew() {
    let resize = Box::new(|terminal: &str| {
        let mut stty = Command::new("stty");
        let status = stty.args(["-F", terminal, "cols", "10", "rows", "2"]).status();
        assert!(status.expect("stty runs").success());
        Vec::new()
    });
    // Nothing else draws it anew for an hour.
    let steps: Vec<(&str, Step)> =
        vec![("sensor/+", resize), ("\x1b[1mweir 1.2.3\x1b[0m", press(b"q"))];
    let all = in_a_terminal("-d 1h", steps);
    let (_, small) = all.split_once("\x1b[1mweir 1.2.3\x1b[0m\x1b[K").expect("a small screen");
    assert!(small.trim_start().starts_with("messages i\x1b[K\x1b[J"), "{all:?}");
}
