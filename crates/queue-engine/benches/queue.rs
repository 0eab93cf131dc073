//! What a message costs.

fn main() {}
