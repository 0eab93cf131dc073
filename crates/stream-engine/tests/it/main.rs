//! The stream as a whole: its rules one by one, random commands against a naive twin, crashes.

mod crash;
mod model;
mod rules;
mod transcript;
mod twin;
