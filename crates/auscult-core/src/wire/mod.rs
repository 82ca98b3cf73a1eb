//! What travels between processes, as bounded bytes.
