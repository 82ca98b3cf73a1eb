//! The simulator from outside: its network, its faults, its time, and that a seed means one course
//! of events.
#![cfg(test)]

mod bad_script;
mod faults;
mod same;
mod scenarios;
mod seeds;
mod world;
