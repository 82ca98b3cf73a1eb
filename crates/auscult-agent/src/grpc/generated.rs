//! What `cargo run -p xtask -- regenerate` makes of the files under `api/`.

/// `api/swim.proto`.
#[rustfmt::skip]
#[expect(unused_qualifications, unreachable_pub, reason = "a generator wrote it")]
#[path = "generated/swim.rs"]
pub(super) mod swim;

/// `api/auscult.proto`.
#[rustfmt::skip]
#[expect(unused_qualifications, unreachable_pub, reason = "a generator wrote it")]
#[path = "generated/auscult.v1.rs"]
pub(super) mod auscult_v1;

/// Both files, for reflection.
pub(super) const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");
