//! How the binary is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // An agent runs beside every program of a fleet, and half of its memory was the
    // pages of constant tables that the loader patches when the executable can lie anywhere:
    // 340 kB of 690 kB, counted as the process's own. Libraries, heap and stack keep their random
    // places; the executable gets a fixed one.
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    let fixed = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if fixed && is("PROFILE", "release") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
