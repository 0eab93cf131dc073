//! Random packets and random bytes, bounded in number: what is written is read again, and nothing panics.

mod fuzz;
mod packets;
mod roundtrip;
