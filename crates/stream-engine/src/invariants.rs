//! What must hold in a stream whatever was done to it. For tests and the simulator: it looks at everything, so it is slow.
//! It must not change anything.

use std::fmt;

use crate::Stream;

/// Something that must hold and does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation(String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

/// Checks a stream.
///
/// # Errors
/// Something does not hold: the stream has a bug.
pub fn check(stream: &Stream) -> Result<(), Violation> {
    stream.check().map_err(Violation)
}
