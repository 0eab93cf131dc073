use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

#[test]
fn the_first_start_makes_a_token_and_the_second_keeps_it() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let first = AdminToken::load_or_create(dir.path()).expect("created");
    let path = dir.path().join("admin.token");
    assert_eq!(mode(&path), 0o600);
    let token = TokenDigest::of(fs::read_to_string(&path).expect("readable").trim());
    assert!(first.is(&token) && !first.is(&TokenDigest::of("")));
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("ours");
    assert!(AdminToken::load_or_create(dir.path()).expect("read").is(&token));
    assert_eq!(mode(&path), 0o600, "it is made private again");
}

#[test]
fn what_is_no_token_is_refused_with_the_file_named() {
    for text in ["\n", "short\n"] {
        let dir = tempfile::tempdir().expect("temporary directory");
        fs::write(dir.path().join("admin.token"), text).expect("ours");
        let error = AdminToken::load_or_create(dir.path()).expect_err(text).to_string();
        assert!(error.contains("admin.token has no token"), "{error}");
    }
    let error = AdminToken::load_or_create(Path::new("/nonexistent"))
        .expect_err("no directory")
        .to_string();
    assert!(error.contains("/nonexistent/admin.token"), "{error}");
}
