use serde_json::{Value, json};

use crate::client::World;

const USERS: &str = "/api/v1/users";

fn create(world: &World, username: &str, roles: &Value) {
    let body = json!({"username": username, "password": "secret", "roles": roles});
    let reply = world.call("POST", USERS, &body.to_string());
    assert_eq!(reply.status, 201, "{}", reply.text);
}

#[test]
fn users_are_created_shown_changed_and_deleted() {
    let world = World::start();
    let body = json!({"username": "ada/1", "password": "secret", "roles": ["ops", "a"]});
    let created = world.call("POST", USERS, &body.to_string());
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.header("location"), Some("/api/v1/users/ada%2F1"));
    let view = json!({"username": "ada/1", "roles": ["a", "ops"]});
    assert_eq!(created.json(), view);
    let path = "/api/v1/users/ada%2F1";
    assert_eq!(world.call("GET", path, "").json(), view);
    let changed = world.call("PATCH", path, r#"{"roles": []}"#);
    let view = json!({"username": "ada/1", "roles": []});
    assert_eq!((changed.status, changed.json()), (200, view.clone()));
    let changed = world.call("PATCH", path, r#"{"password": "another"}"#);
    assert_eq!((changed.status, changed.json()), (200, view));
    assert_eq!(world.call("DELETE", path, "").status, 204);
    assert_eq!(world.call("GET", path, "").status, 404);
    assert_eq!(world.call("DELETE", path, "").outcome(), (404, "not_found".into(), "".into()));
}

#[test]
fn a_list_comes_by_pages_and_without_passwords() {
    let world = World::start();
    create(&world, "bob", &json!([]));
    create(&world, "ada", &json!(["ops"]));
    let first = world.call("GET", "/api/v1/users?limit=2", "").json();
    let expected = json!([
        {"username": "ada", "roles": ["ops"]},
        {"username": "admin", "roles": ["admin"]},
    ]);
    assert_eq!(first["data"], expected);
    let next = first["next"].as_str().expect("there are more");
    let second = world.call("GET", &format!("/api/v1/users?limit=2&cursor={next}"), "");
    let expected = json!({"data": [{"username": "bob", "roles": []}], "next": null});
    assert_eq!(second.json(), expected);
    let text = world.call("GET", USERS, "").text;
    assert!(!text.contains("argon2") && !text.contains("SCRAM"), "{text}");
}

#[test]
fn what_cannot_be_is_refused_with_the_field_named() {
    let world = World::start();
    let long = "x".repeat(2_000);
    for (method, path, body, status, code, field) in [
        ("POST", USERS, json!({"username": "admin", "password": "x"}), 409, "conflict", ""),
        ("POST", USERS, json!({"username": "", "password": "x"}), 400, "invalid", "username"),
        ("POST", USERS, json!({"username": "a\n", "password": "x"}), 400, "invalid", "username"),
        ("POST", USERS, json!({"username": "a"}), 400, "invalid", "password"),
        ("POST", USERS, json!({"username": "a", "password": ""}), 400, "invalid", "password"),
        ("POST", USERS, json!({"username": "a", "password": long}), 400, "invalid", "password"),
        ("POST", USERS, json!({"password": "x"}), 400, "invalid", "username"),
        (
            "POST",
            USERS,
            json!({"username": "a", "password": "x", "roles": ["a b"]}),
            400,
            "invalid",
            "roles",
        ),
        (
            "POST",
            USERS,
            json!({"username": "a", "password": "x", "colour": 1}),
            400,
            "invalid",
            "colour",
        ),
        ("PATCH", "/api/v1/users/admin", json!({"username": "b"}), 400, "invalid", "username"),
        ("PATCH", "/api/v1/users/nobody", json!({"password": "x"}), 404, "not_found", ""),
        ("PATCH", "/api/v1/users/admin", json!({"roles": ["ops"]}), 409, "conflict", ""),
        ("DELETE", "/api/v1/users/admin", json!({}), 409, "conflict", ""),
    ] {
        let reply = world.call(method, path, &body.to_string());
        let expected = (status, code.to_owned(), field.to_owned());
        assert_eq!(reply.outcome(), expected, "{method} {path} {body}: {}", reply.text);
        assert!(!reply.text.contains(&long));
    }
}

#[test]
fn only_who_has_the_role_signs_in_here_and_no_longer_than_that() {
    let world = World::start();
    create(&world, "ada", &json!(["admin"]));
    create(&world, "bob", &json!(["ops"]));
    let login = |username: &str, password: &str| {
        let body = json!({"username": username, "password": password}).to_string();
        world.request("POST", "/api/v1/login", &body, None)
    };
    assert_eq!(login("bob", "secret").outcome(), (403, "forbidden".into(), "".into()));
    assert_eq!(login("bob", "wrong").outcome(), (401, "unauthorized".into(), "".into()));
    let token = login("ada", "secret").json()["token"].as_str().expect("a token").to_owned();
    let list = || world.request("GET", USERS, "", Some(&format!("Bearer {token}"))).status;
    assert_eq!(list(), 200);
    assert_eq!(world.call("PATCH", "/api/v1/users/ada", r#"{"password": "new"}"#).status, 200);
    assert_eq!(list(), 401);
}

#[test]
fn guessing_is_held_back() {
    let world = World::start();
    let body = json!({"username": "admin", "password": "guess"}).to_string();
    let login = || world.request("POST", "/api/v1/login", &body, None);
    let statuses: Vec<u16> = (0..11).map(|_| login().status).collect();
    assert_eq!(statuses[..10], [401; 10]);
    let limited = login();
    assert_eq!(limited.outcome(), (429, "too_many_requests".into(), "".into()));
    assert!(limited.header("retry-after").is_some());
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_that_names_it() {
    let world = World::start();
    std::fs::write(world.data_dir.path().join("users.toml"), "version = ").expect("ours");
    let body = json!({"username": "ada", "password": "secret"}).to_string();
    let reply = world.call("POST", USERS, &body);
    assert_eq!(reply.outcome(), (500, "internal".into(), "".into()));
    assert!(reply.text.contains("users.toml is damaged"), "{}", reply.text);
    assert_eq!(world.call("GET", "/api/v1/users/admin", "").status, 200, "what was, stays");
}
