//! The limits of the language. Expressions lie on disk, so a limit may be raised and never lowered.

/// The longest expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 1024;

/// How deep functions may stand in functions.
pub const NESTING_MAX: usize = 8;

/// The most arguments of `concat` and `coalesce`.
pub const ARGUMENTS_MAX: usize = 16;

/// The most steps of a payload path.
pub const PATH_STEPS_MAX: usize = 16;

/// The longest key, in bytes: that of the longest topic name, which stands in where there is no other key.
pub const KEY_BYTES_MAX: usize = 65_535;

/// How deep arrays and objects of a payload may stand in each other.
pub const JSON_DEPTH_MAX: usize = 127;
