use serde_json::json;

use crate::client::World;

const LOGIN: &str = "/api/v1/login";

#[test]
fn every_route_of_the_api_needs_a_sign_in() {
    let world = World::start();
    let wrong = "0".repeat(64);
    let basic = format!("Basic {}", world.token);
    for (method, path) in [
        ("GET", "/api/v1/queues"),
        ("POST", "/api/v1/queues"),
        ("GET", "/api/v1/queues/a"),
        ("PATCH", "/api/v1/queues/a"),
        ("DELETE", "/api/v1/queues/a"),
        ("PUT", "/api/v1/queues/a"),
        ("GET", "/api/v1/users"),
        ("POST", "/api/v1/users"),
        ("GET", "/api/v1/users/admin"),
        ("PATCH", "/api/v1/users/admin"),
        ("DELETE", "/api/v1/users/admin"),
        ("GET", "/api/v1/anything"),
        ("GET", "/api"),
    ] {
        for authorization in [None, Some("Bearer "), Some(&format!("Bearer {wrong}")), Some(&basic)]
        {
            let reply = world.request(method, path, r#"{"topic_filter": "a"}"#, authorization);
            assert_eq!(reply.outcome().0, 401, "{method} {path} {authorization:?}");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"weir\""));
        }
    }
    assert!(world.backend.queues.lock().expect("not poisoned").is_empty());
}

#[test]
fn a_password_gives_a_token_that_opens_the_api() {
    let world = World::start();
    let body = json!({"username": "admin", "password": world.password}).to_string();
    let reply = world.request("POST", LOGIN, &body, None);
    assert_eq!(reply.status, 200, "{}", reply.text);
    let token = reply.json()["token"].as_str().expect("a text").to_owned();
    assert!(token.len() >= 64 && token != world.token);
    let opened = world.request("GET", "/api/v1/queues", "", Some(&format!("Bearer {token}")));
    assert_eq!(opened.status, 200);
}

#[test]
fn a_token_ends() {
    let world = World::start_with(|config| config.token_lifetime = std::time::Duration::ZERO);
    let body = json!({"username": "admin", "password": world.password}).to_string();
    let token = world.request("POST", LOGIN, &body, None).json()["token"]
        .as_str()
        .expect("a text")
        .to_owned();
    let reply = world.request("GET", "/api/v1/queues", "", Some(&format!("Bearer {token}")));
    assert_eq!(reply.outcome().0, 401);
}

#[test]
fn a_wrong_login_is_refused_without_telling_why() {
    let world = World::start();
    let long = "x".repeat(2_000);
    for (body, status, code, field) in [
        (json!({"username": "admin", "password": "admin"}), 401, "unauthorized", ""),
        (json!({"username": "nobody", "password": world.password}), 401, "unauthorized", ""),
        (json!({"username": "", "password": ""}), 401, "unauthorized", ""),
        (json!({"username": "admin", "password": long}), 400, "invalid", "password"),
        (json!({"username": "admin"}), 400, "invalid", "password"),
        (json!({"username": 1, "password": "x"}), 400, "invalid", "username"),
    ] {
        let reply = world.request("POST", LOGIN, &body.to_string(), None);
        assert_eq!(reply.outcome(), (status, code.to_owned(), field.to_owned()), "{}", reply.text);
        assert!(!reply.text.contains(&world.password));
    }
    assert_eq!(world.request("GET", LOGIN, "", None).status, 405);
}
