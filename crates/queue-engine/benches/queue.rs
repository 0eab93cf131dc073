//! What a message costs in the engine.
fn main() {
    divan::main();
}
