//! The log on files that fail: what is promised when the disk does not do what it is asked.

mod faults;
mod faulty;
mod power_cuts;
mod repairs;
