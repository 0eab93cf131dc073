//! Why a text is no key expression.

use std::fmt;

use crate::limits::{ARGUMENTS_MAX, EXPRESSION_BYTES_MAX, NESTING_MAX, PATH_STEPS_MAX};

/// Why a text is no key expression, and where. It is shown with the text and a mark below the place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    expression: Box<str>,
    position: usize,
    problem: ParseProblem,
}

/// What is wrong at a place of an expression.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseProblem {
    /// Something else should stand there.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What should.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// A name that the language does not have.
    #[error(
        "unknown name '{0}'; there are topic, level(n), client_id, username, user_property(\"name\"), payload.a.b[0], \
         \"text\", concat(…), coalesce(…), lower(x) and hash(x, n)"
    )]
    UnknownName(String),
    /// A text without its closing quote.
    #[error("the text has no closing quote")]
    OpenText,
    /// A backslash before something else than a quote or a backslash.
    #[error("in a text, '\\' stands only before a quote or another '\\'")]
    Escape,
    /// `level(0)`.
    #[error("levels count from 1 for the first, or from -1 for the last")]
    LevelZero,
    /// `hash(x, 0)`.
    #[error("a hash needs at least one bucket")]
    NoBuckets,
    /// A number that does not fit.
    #[error("the number is too large; {0} is the most")]
    Number(i64),
    /// The expression is too long.
    #[error("the expression is longer than {EXPRESSION_BYTES_MAX} bytes")]
    TooLong,
    /// Functions stand too deep in each other.
    #[error("functions stand more than {NESTING_MAX} deep in each other")]
    TooDeep,
    /// A function has too many arguments.
    #[error("more than {ARGUMENTS_MAX} arguments")]
    TooManyArguments,
    /// A path is too long.
    #[error("the path has more than {PATH_STEPS_MAX} steps")]
    TooManySteps,
}

impl ParseError {
    /// Of an expression that is too long, only what is legal of it is kept.
    pub(crate) fn new(text: &str, position: usize, problem: ParseProblem) -> Self {
        let end = text.floor_char_boundary(EXPRESSION_BYTES_MAX);
        let expression = text.get(..end).unwrap_or_default().into();
        Self { expression, position: position.min(end), problem }
    }

    /// The place, in bytes from the start of the expression.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// What is wrong there.
    #[must_use]
    pub const fn problem(&self) -> &ParseProblem {
        &self.problem
    }

    /// The place as people count: characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.expression.get(..self.position).map_or(0, |before| before.chars().count()) + 1
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.column();
        writeln!(f, "column {column}: {}", self.problem)?;
        // Line ends and other control characters would tear the text from the mark below it.
        let line = self.expression.replace(char::is_control, " ");
        writeln!(f, "  {line}")?;
        write!(f, "  {:>column$}", '^')
    }
}

impl std::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None
    }
}
