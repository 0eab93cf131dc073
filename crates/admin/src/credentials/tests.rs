use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

#[test]
fn the_first_start_makes_admin_and_token_and_the_second_keeps_them() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (first, password) = Credentials::load_or_create(dir.path()).expect("created");
    let password = password.expect("the first start has a password");
    assert!(first.password_of("admin").expect("is there").verifies(password.reveal()));
    assert!(!first.password_of("admin").expect("is there").verifies("admin"));
    assert!(first.password_of("root").is_none());
    for file in ["users.json", "admin.token"] {
        assert_eq!(mode(&dir.path().join(file)), 0o600, "{file}");
    }
    let users = fs::read_to_string(dir.path().join("users.json")).expect("readable");
    assert!(users.contains("$argon2id$") && !users.contains(password.reveal()));
    let token = fs::read_to_string(dir.path().join("admin.token")).expect("readable");
    assert!(first.is_admin_token(&TokenDigest::of(token.trim())));

    let (second, none) = Credentials::load_or_create(dir.path()).expect("read");
    assert!(none.is_none());
    assert!(second.is_admin_token(&TokenDigest::of(token.trim())));
    assert!(second.password_of("admin").expect("is there").verifies(password.reveal()));
}

#[test]
fn a_file_open_to_others_is_made_private() {
    let dir = tempfile::tempdir().expect("temporary directory");
    Credentials::load_or_create(dir.path()).expect("created");
    let token = dir.path().join("admin.token");
    fs::set_permissions(&token, Permissions::from_mode(0o644)).expect("ours");
    Credentials::load_or_create(dir.path()).expect("read");
    assert_eq!(mode(&token), 0o600);
}

#[test]
fn what_we_did_not_write_is_refused_with_the_file_named() {
    for (file, text, expected) in [
        ("users.json", "{", "damaged"),
        (
            "users.json",
            r#"{"version":1,"users":[{"username":"admin","password":"secret","roles":[]}]}"#,
            "damaged",
        ),
        ("users.json", r#"{"version":2,"users":[]}"#, "version 2"),
        ("admin.token", "\n", "no token"),
        ("admin.token", "short\n", "no token"),
    ] {
        let dir = tempfile::tempdir().expect("temporary directory");
        Credentials::load_or_create(dir.path()).expect("created");
        fs::write(dir.path().join(file), text).expect("ours");
        let error = Credentials::load_or_create(dir.path()).expect_err(text).to_string();
        assert!(error.contains(expected) && error.contains(file), "{error}");
    }
    let error = Credentials::load_or_create(Path::new("/nonexistent"))
        .expect_err("no directory")
        .to_string();
    assert!(error.contains("/nonexistent/users.json"), "{error}");
}
