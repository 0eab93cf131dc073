//! Socket tests: the real binary, in one test program.

mod both_roads;
mod configuration;
mod crash;
mod damage;
mod full_disk;
mod overlap;
mod shutdown;
mod sign_in;
mod strategies;
mod transports;
