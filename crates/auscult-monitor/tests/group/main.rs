//! Groups of monitors in one process, on disks and in a network that fail as a seed has it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod boundary;
mod disk;
