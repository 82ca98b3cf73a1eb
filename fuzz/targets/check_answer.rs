//! Fuzzes the readers of what a checked target sends: HTTP/1.1 answers and certificates.
#![no_main]

#[path = "../harness/check_answer.rs"]
mod check_answer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check_answer::check(bytes));
