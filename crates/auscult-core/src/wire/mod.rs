//! What travels between processes, as bounded bytes. `api/wire.md` describes it byte by byte.

pub mod heartbeat;
pub mod swim;
