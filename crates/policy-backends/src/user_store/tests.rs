use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;

const ITERATIONS: u32 = 4_096;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

fn open(dir: &Path) -> (UserStore, Option<FirstPassword>) {
    UserStore::open(dir, ITERATIONS).expect("usable")
}

#[test]
fn the_first_start_makes_admin_and_the_second_keeps_it() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (first, password) = open(dir.path());
    let password = password.expect("the first start has a password");
    let admin = first.get("admin").expect("is there");
    assert!(password::verifies(&admin.password, password.reveal().as_bytes()));
    assert!(!password::verifies(&admin.password, b"admin"));
    assert!(admin.is_admin() && admin.scram.is_some() && first.get("root").is_none());
    let path = dir.path().join(USERS_FILE);
    assert_eq!(mode(&path), 0o600);
    let text = fs::read_to_string(&path).expect("readable");
    assert!(text.contains("$argon2id$") && !text.contains(password.reveal()));
    let (second, none) = open(dir.path());
    assert!(none.is_none());
    assert_eq!(second.users(), first.users());
}

#[test]
fn a_change_is_on_disk_and_starts_from_the_file() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (store, _) = open(dir.path());
    let add = |name: &str| {
        let user = user(name, "secret", &[], ITERATIONS).expect("hashed");
        store.change(|users| users.with(user, 10))
    };
    add("ada").expect("added");
    let path = dir.path().join(USERS_FILE);
    let text = fs::read_to_string(&path).expect("readable");
    fs::write(&path, text.replace("\"ada\"", "\"bob\"")).expect("edited by hand");
    assert!(store.get("ada").is_some(), "not read yet");
    add("eve").expect("added");
    let names: Vec<String> =
        open(dir.path()).0.users().iter().map(|user| user.username().to_owned()).collect();
    assert_eq!(names, ["admin", "bob", "eve"]);
    assert!(store.get("ada").is_none() && store.get("bob").is_some());
    assert!(matches!(add("eve"), Err(StoreError::User(UserError::Exists(_)))));
    fs::remove_file(&path).expect("removed by hand");
    add("zoe").expect("added");
    assert_eq!(open(dir.path()).0.users().len(), 4);
}

#[test]
fn a_file_that_is_damaged_changes_nothing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (store, _) = open(dir.path());
    fs::write(dir.path().join(USERS_FILE), "version = ").expect("ours");
    let before = store.users();
    for error in [
        store.reload().expect_err("damaged"),
        store.change(|users| Ok(users.clone())).expect_err("damaged"),
        UserStore::open(dir.path(), ITERATIONS).expect_err("damaged"),
    ] {
        let error = error.to_string();
        assert!(error.contains("users.toml is damaged: line 1"), "{error}");
    }
    assert_eq!(store.users(), before);
}

#[test]
fn a_file_open_to_others_is_made_private() {
    let dir = tempfile::tempdir().expect("temporary directory");
    drop(open(dir.path()));
    let path = dir.path().join(USERS_FILE);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("ours");
    drop(open(dir.path()));
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn the_users_of_an_older_version_are_taken_over() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let hash = password::hashed("secret").expect("hashed");
    let json = format!(
        r#"{{"version":1,"users":[{{"username":"admin","password":"{hash}","roles":["admin"]}}]}}"#
    );
    let old = dir.path().join(JSON_FILE);
    fs::write(&old, json).expect("ours");
    let (store, none) = open(dir.path());
    assert!(none.is_none() && !old.exists());
    let admin = store.get("admin").expect("taken over");
    assert!(admin.is_admin() && password::verifies(&admin.password, b"secret"));
    assert_eq!(open(dir.path()).0.users(), store.users());
    fs::remove_file(dir.path().join(USERS_FILE)).expect("ours");
    fs::write(&old, "{").expect("ours");
    let error = UserStore::open(dir.path(), ITERATIONS).expect_err("damaged").to_string();
    assert!(error.contains("users.json is damaged"), "{error}");
}
