//! A key expression: its text, and what it was compiled to.

use std::fmt;
use std::str::FromStr;

use crate::error::ParseError;
use crate::evaluation::{Evaluation, Scratch};
use crate::facts::Facts;
use crate::limits::KEY_BYTES_MAX;
use crate::parser;
use crate::problem::Problem;
use crate::term::Term;
use crate::text::{Text, text_of, written};

/// A compiled key expression. It keeps its text, and two are equal if their texts are.
#[derive(Clone, Debug)]
pub struct KeyExpression {
    text: Box<str>,
    term: Term,
}

impl KeyExpression {
    /// Compiles a text.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match parser::parse(text) {
            Ok(term) => Ok(Self { text: text.into(), term }),
            Err(fault) => Err(ParseError::new(text, fault.at, fault.problem)),
        }
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) const fn term(&self) -> &Term {
        &self.term
    }

    /// The key of a message. It costs no memory but what `scratch` may grow by.
    pub fn evaluate<'k, 'm: 'k>(
        &'k self,
        facts: &Facts<'m>,
        scratch: &'k mut Scratch,
    ) -> Evaluation<'k> {
        scratch.text.clear();
        let key = match text_of(&self.term, facts, &mut scratch.text) {
            Ok(Text::Borrowed(text)) => Ok(text),
            Ok(Text::Written) => Ok(written(&scratch.text, 0)),
            Err(problem) => Err(problem),
        };
        match key {
            Ok(key) if key.len() <= KEY_BYTES_MAX => Evaluation { key, problem: None },
            Ok(_) => Evaluation { key: facts.topic, problem: Some(Problem::TooLong) },
            Err(problem) => Evaluation { key: facts.topic, problem: Some(problem) },
        }
    }
}

impl Default for KeyExpression {
    /// `topic`.
    fn default() -> Self {
        Self { text: "topic".into(), term: Term::Topic }
    }
}

impl PartialEq for KeyExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for KeyExpression {}

impl FromStr for KeyExpression {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl fmt::Display for KeyExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
