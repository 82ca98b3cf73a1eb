//! The simulator from outside: its network, its faults, its time, and that a seed means one course
//! of events.
#![cfg(test)]

mod faults;
mod same;
mod world;
