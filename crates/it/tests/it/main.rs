//! Socket tests: the real binary, in one test program.

mod backup;
mod both_roads;
mod command_line;
mod configuration;
mod crash;
mod damage;
mod dead_letters;
mod disk_use;
mod fleet;
mod full_disk;
mod listeners;
mod openapi;
mod operator;
mod overlap;
mod pages;
mod pairs;
mod protection;
mod queue_operations;
mod repair;
mod retained;
mod sessions;
mod shared_subscriptions;
mod shutdown;
mod sign_in;
mod strategies;
mod transports;
