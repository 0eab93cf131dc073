//! The key of a message: a small language that is compiled once and evaluated for each message. It must not know
//! queues, nor what a key is for.
//!
//! ```
//! use key_expression::{Facts, KeyExpression, Problem, Scratch};
//!
//! let expression = KeyExpression::parse("concat(level(1), \":\", payload.vehicle.id)").expect("legal");
//! let mut scratch = Scratch::default();
//!
//! let good = br#"{"vehicle": {"id": "WBA-4711"}}"#;
//! let facts = Facts { payload: good, ..Facts::of_topic("fleet/17/position") };
//! assert_eq!(expression.evaluate(&facts, &mut scratch).key(), "fleet:WBA-4711");
//!
//! let facts = Facts { payload: b"<xml/>", ..facts };
//! let evaluation = expression.evaluate(&facts, &mut scratch);
//! assert_eq!(evaluation.key(), "fleet/17/position");
//! assert_eq!(evaluation.problem(), Some(Problem::NotJson));
//! ```
//!
//! What a key is must never change, since keys decide which messages a last-value queue replaces and their hashes lie on
//! disk: no case table of Unicode, no number that is read and written again, no hash function of the standard library.

mod error;
mod evaluation;
mod expression;
mod facts;
mod hash;
mod json;
mod limits;
mod needs;
mod parser;
mod problem;
mod term;
mod text;

pub use error::{ParseError, ParseProblem};
pub use evaluation::{Evaluation, Scratch};
pub use expression::KeyExpression;
pub use facts::Facts;
pub use hash::{KeyHash, KeySeed};
pub use limits::{
    ARGUMENTS_MAX, EXPRESSION_BYTES_MAX, JSON_DEPTH_MAX, KEY_BYTES_MAX, NESTING_MAX, PATH_STEPS_MAX,
};
pub use needs::Needs;
pub use problem::Problem;
