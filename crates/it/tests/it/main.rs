//! Socket tests: the real binary, in one test program.

mod both_roads;
mod command_line;
mod configuration;
mod crash;
mod damage;
mod dead_letters;
mod fleet;
mod full_disk;
mod half_open;
mod listeners;
mod openapi;
mod operator;
mod overlap;
mod pages;
mod pairs;
mod protection;
mod queue_operations;
mod retained;
mod sessions;
mod shared_subscriptions;
mod shutdown;
mod sign_in;
mod strategies;
mod streams;
mod transports;
