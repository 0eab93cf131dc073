//! The table as a page.

use anyhow::{Context as _, Result};

use super::edition::{Edition, Statement};
use super::tests_of::Tests;

/// Where the table stands.
pub(crate) const PAGE: &str = "docs/conformance.md";

const BEGIN: &str = "<!-- from here to the end: written by cargo xtask conformance -->\n";

/// Tests that are listed for one statement; the rest is counted.
const LISTED_TESTS: usize = 3;

/// The page with its table anew; what stands above stays.
pub(crate) fn with_table(page: &str, editions: &[Edition], tests: &Tests) -> Result<String> {
    let end = page.find(BEGIN).with_context(|| format!("{PAGE} has no line `{}`", BEGIN.trim()))?;
    let mut out = page[..end + BEGIN.len()].to_owned();
    out += "\n| edition | statements | tested | not applicable | bind the client only | open |\n";
    out += "|---|---|---|---|---|---|\n";
    for edition in editions {
        out += &sum(edition, tests);
    }
    for edition in editions {
        out += &format!("\n### {}\n\n", edition.kind.name);
        out += "| statement | what it is about | verdict | tests |\n|---|---|---|---|\n";
        for statement in &edition.statements {
            out += &row(edition, statement, tests);
        }
    }
    Ok(out)
}

fn sum(edition: &Edition, tests: &Tests) -> String {
    let verdicts: Vec<Verdict<'_>> = edition
        .statements
        .iter()
        .map(|statement| Verdict::of(statement, tests.naming(&edition.cite(&statement.number))))
        .collect();
    let count =
        |is: fn(&Verdict<'_>) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
    format!(
        "| {} | {} | {} | {} | {} | {} |\n",
        edition.kind.name,
        verdicts.len(),
        count(|verdict| matches!(verdict, Verdict::Tested)),
        count(|verdict| matches!(verdict, Verdict::NotApplicable(_))),
        count(|verdict| matches!(verdict, Verdict::ClientOnly)),
        count(|verdict| matches!(verdict, Verdict::Open)),
    )
}

fn row(edition: &Edition, statement: &Statement, tests: &Tests) -> String {
    let cite = edition.cite(&statement.number);
    let tests = tests.naming(&cite);
    let listed: Vec<String> =
        tests.iter().take(LISTED_TESTS).map(|test| format!("`{test}`")).collect();
    let more = match tests.len().saturating_sub(LISTED_TESTS) {
        0 => String::new(),
        more => format!(", {more} more"),
    };
    let verdict = Verdict::of(statement, tests).words();
    format!("| {cite} | {} | {verdict} | {}{more} |\n", statement.words, listed.join(", "))
}

enum Verdict<'a> {
    Tested,
    ClientOnly,
    NotApplicable(&'a str),
    Open,
}

impl<'a> Verdict<'a> {
    fn of(statement: &'a Statement, tests: &[String]) -> Self {
        match &statement.not_applicable {
            Some(why) => Self::NotApplicable(why),
            None if !tests.is_empty() => Self::Tested,
            None if statement.binds_server => Self::Open,
            None => Self::ClientOnly,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Tested => "tested".to_owned(),
            Self::ClientOnly => "binds the client only".to_owned(),
            Self::NotApplicable(why) => format!("not applicable: {why}"),
            Self::Open => "**open**".to_owned(),
        }
    }
}
