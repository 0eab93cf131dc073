//! Sources in, settings or rendered faults out.

mod defaults;
mod errors;
mod fuzz;
mod layers;
