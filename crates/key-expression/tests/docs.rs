//! Runs the examples of docs/key-expressions.md.

use key_expression::{Facts, KeyExpression, Scratch};

const PAGE: &str = include_str!("../../../docs/key-expressions.md");

/// The fenced blocks of the page.
fn blocks() -> impl Iterator<Item = &'static str> {
    PAGE.split("```text\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```").map(|(block, _)| block))
}

/// The rows of the table with that head; cells without their backticks.
fn rows(head: &str) -> Vec<Vec<&'static str>> {
    let (_, table) = PAGE.split_once(&format!("{head}\n")).expect("the page has the table");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect()
    })
    .collect()
}

fn fact(name: &str) -> &'static str {
    let message =
        blocks().find(|block| block.starts_with("topic ")).expect("the page has a message");
    let line =
        message.lines().find_map(|line| line.strip_prefix(name)).expect("the message has it");
    line.trim()
}

#[test]
fn the_tables_are_true() {
    let (property, value) = fact("user property").split_once('=').expect("a name and a value");
    let facts = Facts {
        topic: fact("topic"),
        client_id: Some(fact("client id")),
        username: Some(fact("username")),
        user_property: &|name| (name == property).then_some(value),
        payload: fact("payload").as_bytes(),
    };
    let mut keys = rows("| expression | key |");
    assert!(keys.len() > 10, "{keys:?}");
    let problems = rows("| expression | key | counted as |");
    assert!(problems.len() > 3, "{problems:?}");
    keys.extend(problems);
    let mut scratch = Scratch::default();
    for row in keys {
        let expression = KeyExpression::parse(row[0]).unwrap_or_else(|error| panic!("{error}"));
        let evaluation = expression.evaluate(&facts, &mut scratch);
        assert_eq!(evaluation.key(), row[1], "{}", row[0]);
        assert_eq!(
            evaluation.problem().map(key_expression::Problem::name),
            row.get(2).copied(),
            "{}",
            row[0]
        );
    }
}

#[test]
fn each_form_of_the_language_is_one() {
    for row in rows("| form | value |") {
        for form in row[0].split("`, `") {
            let form =
                form.replace(", …", "").replace("level(n)", "level(1)").replace(", n)", ", 2)");
            let form = form.replace("(x", "(topic").replace("y)", "topic)");
            KeyExpression::parse(&form).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

#[test]
fn the_error_is_what_one_sees() {
    let shown = blocks().find(|block| block.starts_with("column ")).expect("an error");
    let text = shown.lines().nth(1).expect("the expression").trim();
    assert_eq!(KeyExpression::parse(text).expect_err("an error").to_string(), shown);
}
