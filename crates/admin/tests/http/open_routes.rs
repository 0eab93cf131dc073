use admin_api::Health;

use crate::client::World;

#[test]
fn health_readiness_and_the_start_page_are_open() {
    let world = World::start();
    assert_eq!(world.request("GET", "/healthz", "", None).status, 200);
    let page = world.request("GET", "/", "", None);
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.text.contains("WeirMQ 9.9.9"));
    let outside = page.text.replace("http://127.0.0.1:18083", "");
    assert!(!outside.contains("http"), "the page loads nothing from elsewhere");

    *world.backend.health.lock().expect("not poisoned") =
        Health { ready: false, reasons: vec!["log is recovering".to_owned()] };
    let reply = world.request("GET", "/readyz", "", None);
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert!(reply.text.contains("log is recovering"));
    *world.backend.health.lock().expect("not poisoned") =
        Health { ready: true, reasons: Vec::new() };
    assert_eq!(world.request("GET", "/readyz", "", None).status, 200);
}

#[test]
fn metrics_are_plain_prometheus_text_without_a_sign_in_from_loopback() {
    let world = World::start();
    world.call("POST", "/api/v1/queues", r#"{"topic_filter": "sensor/+/data"}"#);
    let reply = world.request("GET", "/metrics", "", None);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "# TYPE weir_queue_enqueued_total counter",
        "weir_queue_enqueued_total{queue=\"sensor/+/data\"} 5",
        "weir_queue_ready{queue=\"sensor/+/data\"} 5",
        "weir_queue_lag_seconds{queue=\"sensor/+/data\"} 1.500",
        "weir_mqtt_connections 3",
        "weir_node_ready 0",
    ] {
        assert!(
            reply.text.lines().any(|found| found == line),
            "{line} is missing in\n{}",
            reply.text
        );
    }
}

#[test]
fn unknown_paths_outside_the_api_say_so_to_anyone() {
    let world = World::start();
    let reply = world.request("GET", "/favicon.ico", "", None);
    assert_eq!(reply.outcome(), (404, "not_found".into(), String::new()));
    assert_eq!(world.request("POST", "/healthz", "", None).outcome().0, 405);
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
}
