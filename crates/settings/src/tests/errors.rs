//! What a user sees: exact text, one case each.

mod cases;

use super::layers::load_named;

/// A wrong config and the exact text of its errors.
struct Case {
    file: &'static str,
    environment: &'static [(&'static str, &'static str)],
    flags: &'static [&'static str],
    text: &'static str,
}

#[test]
fn every_error_shows_its_line_and_the_next_step() {
    for case in cases::CASES {
        let (outcome, path) = load_named(case.file, case.environment, case.flags);
        let errors = outcome.expect_err(case.text);
        let text = errors.to_string().replace(&path, "weir.toml");
        assert_eq!(text.trim_end(), case.text.trim(), "\n{text}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let sources =
        crate::Sources { file: Some("/does/not/exist.toml".into()), ..Default::default() };
    let text = sources.load().expect_err("missing").to_string();
    assert!(
        text.starts_with("error: cannot read the config file /does/not/exist.toml: "),
        "{text}"
    );
}

#[test]
fn a_terminal_gets_colours() {
    let (outcome, _) = load_named("x = 1\n", &[], &[]);
    let errors = outcome.expect_err("an unknown key");
    assert!(errors.to_styled_text().contains("\u{1b}["));
    assert!(!errors.to_string().contains("\u{1b}["));
    let messages: Vec<&str> = errors.iter().map(crate::ConfigError::message).collect();
    assert_eq!(messages, ["unknown key `x`"]);
}
