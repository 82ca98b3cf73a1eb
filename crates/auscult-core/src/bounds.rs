//! Every limit of the core, each with its reason.

/// Bytes in the name of a target or signal: fits a DNS label chain that people write, a metric
/// label and one datagram with room to spare.
pub const ID_BYTES_MAX: usize = 128;

/// Samples in a detector's window. Above it a decayed estimator answers the same question in 20
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

/// Members that a member keeps a record of, dead ones included: some 10 MiB of records, and four
/// times what anybody runs in one gossip pool.
pub const MEMBERS_MAX: usize = 65_536;

/// The greatest incarnation: an attacker who claims it cannot make a member run out of greater
/// ones in a field of 64 bits, and it takes at most nine bytes on the wire.
pub const INCARNATION_MAX: u64 = (1 << 62) - 1;

/// Bytes of a membership datagram that is decoded: a jumbo frame. What is sent is bounded by the
/// configuration.
pub const MEMBERSHIP_DATAGRAM_BYTES_MAX: usize = 9_000;

/// The least bound of a membership datagram that can be configured: the longest update fits
/// beside the longest body.
pub const MEMBERSHIP_DATAGRAM_BYTES_MIN: usize = 256;

/// Bytes of a message on a membership stream: the records of [`MEMBERS_MAX`] members.
pub const MEMBERSHIP_FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Members asked to probe in our place: beyond it another opinion changes nothing.
pub const RELAYS_PER_PROBE_MAX: usize = 8;

/// Probes that we make for others at a time; beyond it the one who asks is told at once that
/// there was no answer.
pub const RELAYED_PROBES_MAX: usize = 256;

/// Probes of our own at a time: one of the period, and those that confirm or refute a suspicion.
pub const PROBES_MAX: usize = 16;

/// Accusers of one suspicion that are told apart.
pub const ACCUSERS_MAX: usize = 8;

/// Streams that we ask for at a time.
pub const EXCHANGES_MAX: usize = 64;

/// Members that one member watches, and that watch one: 32 heartbeats cost less than the gossip of
/// a change.
pub const WATCHES_MAX: usize = 32;

/// Addresses to join through.
pub const SEEDS_MAX: usize = 64;

/// Bytes in the metadata of one member, keys and values together: a page that describes a process,
/// and one stream brings it.
pub const METADATA_BYTES_MAX: usize = 64 * 1_024;

/// Keys in the metadata of one member.
pub const METADATA_KEYS_MAX: usize = 1_024;

/// Removed keys of one member that are remembered, so that a copy which is behind is told of them
/// one by one. A copy that is further behind gets everything.
pub const METADATA_REMOVED_MAX: usize = 64;

/// What the copies of all members' metadata may weigh together: 1,000 members with as much as they
/// may have. Beyond it nothing more is taken.
pub const METADATA_WEIGHT_MAX: usize = 64 * 1_024 * 1_024;

/// Bytes of metadata in one answer, about: what is left is asked for again, so that nobody sends
/// for long without being asked.
pub const METADATA_ANSWER_BYTES_MAX: usize = 1_024 * 1_024;

/// Streams on which metadata is asked for at a time.
pub const METADATA_ASKS_MAX: usize = 4;

/// News about members that waits to be sent on, and as much about their metadata: a tenth of ten
/// thousand members failing at once, some 100 KiB, and half a minute of telling. What is more than
/// that travels faster in the comparison of whole views.
pub const NEWS_QUEUED_MAX: usize = 1_024;

/// Broadcasts that wait to be sent on: 128 KiB at the usual size of a datagram.
pub const BROADCASTS_QUEUED_MAX: usize = 128;

/// Numbers of one member's broadcasts that are remembered, to deliver each once. Twice the queue,
/// so that none is taken for an old one while its sender still sends it.
pub const BROADCAST_WINDOW: u64 = 256;

/// The longest update: an id or a name, an address, two numbers.
pub const UPDATE_BYTES_MAX: usize = 1 + 1 + ID_BYTES_MAX + 19 + 9;

/// Settings that monitors share: a process that watches a million targets shards them.
pub const SETTINGS_MAX: usize = 1_000_000;

/// Bytes of one setting's document: a check with a body and headers, ten times over.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

/// Settings that one document refers to.
pub const REFERENCES_PER_DOCUMENT_MAX: usize = 64;

/// Edits that are made together: a file of so many targets is applied as one.
pub const EDITS_PER_CHANGE_MAX: usize = 200_000;

/// Changes that can be looked up: some months of a busy team.
pub const HISTORY_ENTRIES_MAX: usize = 10_000;

/// Settings that are named in one entry of the history; the others are counted.
pub const EDITS_PER_HISTORY_ENTRY_MAX: usize = 100;

/// Answers to changes that are remembered, so that one who asks again is answered the same: what
/// a client that gives up after a minute can have asked before, at ten changes a second and more.
pub const ANSWERED_CHANGES_MAX: usize = 1_024;

/// Alerts that are kept at a time: every target of a large site down at once, with two rules. Some
/// 200 MB.
pub const ALERTS_MAX: usize = 262_144;

/// Rules that make alerts. Each is looked at whenever a status changes.
pub const ALERT_RULES_MAX: usize = 256;

/// Receivers of alerts.
pub const RECEIVERS_MAX: usize = 256;

/// Receivers of one rule, and those that one alert was told to by rules that have changed since.
pub const RECEIVERS_PER_ALERT_MAX: usize = 32;

/// Silences at a time: above it they are a second monitoring system.
pub const SILENCES_MAX: usize = 4_096;

/// Conditions of one rule or silence, all of which must hold.
pub const MATCHERS_MAX: usize = 32;

/// Bytes of what one condition compares a label with.
pub const MATCHER_BYTES_MAX: usize = 1_024;

/// Targets on which one depends.
pub const PARENTS_MAX: usize = 16;

/// Bytes of the reason that an alert carries; what is longer is cut.
pub const REASON_BYTES_MAX: usize = 1_024;

/// Alerts that are told in one message: half a megabyte of JSON, and more than anybody reads.
pub const NOTICES_PER_MESSAGE_MAX: usize = 1_000;

/// Alerts in one letter to another monitor: about half a megabyte of JSON.
pub const ALERTS_PER_LETTER_MAX: usize = 500;

/// Messages to one receiver at a time.
pub const MESSAGES_IN_FLIGHT_MAX: usize = 32;

/// Episodes of one alert that are remembered to tell whether it flaps.
pub const FLAP_EPISODES_MAX: usize = 16;

/// Names of metrics that peers publish: a page of them, and a label of a metric family.
pub const METRIC_NAMES_MAX: usize = 1_024;

/// Peers that publish metrics.
pub const METRIC_PEERS_MAX: usize = 65_536;

/// Pairs of a metric and a peer.
pub const METRIC_SERIES_MAX: usize = 1_048_576;

/// Readings that are kept of one metric of one peer.
pub const METRIC_WINDOW_MAX: usize = 1_024;

/// Bytes of one value: a number, a word, a small document.
pub const METRIC_VALUE_BYTES_MAX: usize = 4_096;

/// What all values that are kept may weigh together.
pub const METRIC_VALUES_BYTES_MAX: usize = 256 * 1_024 * 1_024;

const _: () = assert!(UPDATE_BYTES_MAX + 48 <= MEMBERSHIP_DATAGRAM_BYTES_MIN);
const _: () = assert!(MEMBERS_MAX * (UPDATE_BYTES_MAX + 22) <= MEMBERSHIP_FRAME_BYTES_MAX);
const _: () = assert!(METADATA_ANSWER_BYTES_MAX * 8 <= MEMBERSHIP_FRAME_BYTES_MAX);
const _: () = assert!(2 * BROADCASTS_QUEUED_MAX as u64 <= BROADCAST_WINDOW);
const _: () = assert!(SEEDS_MAX <= EXCHANGES_MAX);

/// Monitors in a group that observes together: one bit each, and more would only vote slower.
pub const MONITORS_MAX: usize = 64;
