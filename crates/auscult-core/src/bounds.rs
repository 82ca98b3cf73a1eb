//! Every limit of the core, each with its reason.

/// Bytes in the name of a target or signal: fits a DNS label chain that people write, a metric
/// label and one datagram with room to spare.
pub const ID_BYTES_MAX: usize = 128;

/// Samples in a detector's window. Above it a decayed estimator answers the same question in 16
/// bytes.
pub const WINDOW_SAMPLES_MAX: usize = 65_536;

/// Targets in one machine.
pub const TARGETS_MAX: usize = 4_000_000;

/// Signals of one target: a person still reads them on one page.
pub const SIGNALS_PER_TARGET_MAX: usize = 16;

/// Labels of one target: more than that is a database.
pub const LABELS_PER_TARGET_MAX: usize = 32;

/// Arrivals in a row that may be asked for before a target counts as up again: a day of checks made
/// every 6 minutes, and countable in one byte.
pub const RECOVERY_ARRIVALS_MAX: u32 = 255;

const _: () = assert!(TARGETS_MAX * SIGNALS_PER_TARGET_MAX <= u32::MAX as usize);

/// Bytes in a heartbeat datagram: some 60 heartbeats in the text form, and below every receive
/// buffer.
pub const HEARTBEAT_DATAGRAM_BYTES_MAX: usize = 8_192;

/// Heartbeats in one datagram of the text form: what one datagram can cost us stays small.
pub const HEARTBEAT_LINES_MAX: usize = 64;
