//! Random packets and random bytes, bounded in number: what is written is read again, here and by other codecs, and
//! nothing panics.

mod fuzz;
mod packets;
mod peers;
mod roundtrip;
