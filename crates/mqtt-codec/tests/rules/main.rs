//! One row for each rule of the specification: a packet and the verdict on it, under the clause that decides.

mod acks;
mod connack;
mod connect;
mod disconnect;
mod fixed_header;
mod properties;
mod publish;
mod subscribe;
mod verdict;
