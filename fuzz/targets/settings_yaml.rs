//! Fuzzes the reader of settings files.
#![no_main]

#[path = "../harness/settings_yaml.rs"]
mod settings_yaml;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| settings_yaml::check(bytes));
