//! Every family of metrics: the one table from which `/metrics` and `api/metrics.md` are written.

use auscult_agent::families;
use auscult_agent::http::families::{HTTP_SERVER, MEMBERSHIP, PROCESS, Section};

families! {
    pub(crate),
    TARGETS: Gauge "auscult_targets" ["status"]
        "Targets by status.";
    SIGNALS: Gauge "auscult_signals" []
        "Signals watched.";
    TARGET_INFO: Info "auscult_target_info" ["target", "group", "label_*"]
        "What an operator says about the target: its group, and each of its labels as label_NAME.";
    TARGET_STATUS: Gauge "auscult_target_status" ["target"]
        "Status as seen here: 0 paused, 1 up, 2 unknown, 3 late, 4 down. Absent where only others observe.";
    TARGET_FLAPPING: Gauge "auscult_target_flapping" ["target"]
        "1 while the target changes its status too often, else 0.";
    TARGET_TRANSITIONS: Counter "auscult_target_transitions_total" ["target"]
        "Changes of the target's status.";
    TARGET_LEVEL: Gauge "auscult_target_level" ["target", "signal"]
        "Level of suspicion at the time of the scrape. What a value means is the detector's own.";
    TARGET_VERDICT: Gauge "auscult_target_verdict" ["target"]
        "The same for what several monitors find: 2 is observer isolated, too, 3 partially reachable. Absent alone.";
    TARGET_DISSENT: Gauge "auscult_target_dissent_observers" ["target"]
        "Observers that are heard and do not say what most of them say.";
    TARGET_OWNED: Gauge "auscult_target_owned" ["target"]
        "1 where this monitor finds the verdict and notifies, else 0.";
    TARGET_LAST_ARRIVAL: Gauge "auscult_target_last_arrival_timestamp_seconds" ["target", "signal"]
        "Unix time of the last arrival. Absent before the first one.";
    TARGET_ARRIVALS: Counter "auscult_target_arrivals_total" ["target", "signal"]
        "Arrivals taken: heartbeats, and checks that were answered as expected.";
    INTERVAL_MEAN: Gauge "auscult_heartbeat_interval_seconds" ["target", "signal"]
        "Mean interval between arrivals that the detector expects. Absent before the first one.";
    INTERVAL_DEVIATION: Gauge "auscult_heartbeat_interval_stddev_seconds" ["target", "signal"]
        "Standard deviation that the detector works with, its minimum applied. Absent before the first arrival.";
    TARGET_CHECK_DURATION: Summary "auscult_target_check_duration_seconds" ["target", "signal"]
        "Durations of the checks of one signal, good and failed: their sum and count.";
    TARGET_CHECK_FAILURES: Counter "auscult_target_check_failures_total" ["target", "signal"]
        "Failed checks of one signal.";
    TARGET_TLS_EXPIRY: Gauge "auscult_target_tls_expiry_timestamp_seconds" ["target", "signal"]
        "Unix time at which the certificate of the last good check expires. Absent without TLS.";

    PHI_VALUE: Gauge "server_phivalue" ["server_name"]
        "Largest phi of the target's signals at the time of the scrape. Absent without a phi detector.";
    RUNTIME: Gauge "server_runtime_seconds" ["server_name"]
        "Seconds for which this monitor has watched the target.";

    ARRIVALS: Counter "auscult_arrivals_total" []
        "Arrivals taken, from all sources.";
    ARRIVALS_REJECTED: Counter "auscult_arrivals_rejected_total" ["reason"]
        "Arrivals that were well formed and not taken, by reason.";
    TRANSITIONS: Counter "auscult_transitions_total" ["from", "to"]
        "Changes of a target's status.";
    WAKEUPS: Counter "auscult_wakeups_total" ["reason"]
        "Wake-ups of the machine that judges, by what it was woken for.";
    STALLS: Counter "auscult_stalls_total" []
        "Times at which the monitor itself did not run and judged nothing for that time.";
    CLOCK_REGRESSIONS: Counter "auscult_clock_regressions_total" []
        "Calls of the machine that judges with a time before that of an earlier call.";
    RELEARNT: Counter "auscult_relearnt_total" []
        "Times that a sender's new rhythm was learnt anew.";
    SUSPICIONS: Counter "auscult_observer_suspicions_total" []
        "Times that the monitor suspected itself instead of most of its targets.";
    SUSPECTS_ITSELF: Gauge "auscult_observer_suspects_itself" []
        "1 while the monitor suspects itself instead of most of its targets, else 0.";
    EVENTS: Counter "auscult_events_total" []
        "Events logged.";

    OBSERVERS: Gauge "auscult_observers" ["state"]
        "Monitors of the group by state: live or gone. Absent for a monitor alone.";
    OBSERVER_ISOLATED: Gauge "auscult_observer_isolated" []
        "1 while this monitor hears too few of its group to give verdicts, else 0.";
    OBSERVER_AT_FAULT: Gauge "auscult_observer_at_fault" []
        "1 while this monitor suspects itself or calls down most of what others reach, else 0.";
    OBSERVER_SERVING: Gauge "auscult_observer_serving" []
        "1 while this monitor may own targets, else 0: not at once after a start or a return.";
    OWNED_TARGETS: Gauge "auscult_owned_targets" []
        "Targets that this monitor owns.";
    TAKEOVERS: Counter "auscult_takeovers_total" []
        "Targets that this monitor came to own.";
    RULINGS_TOLD: Counter "auscult_verdicts_told_total" []
        "Verdicts that this monitor told as their owner.";
    RULINGS_REFUSED: Counter "auscult_verdicts_refused_total" []
        "Verdicts of other monitors that were not taken because another one was known here.";
    REPORT_BATCHES: Counter "auscult_report_batches_total" ["outcome"]
        "Messages between observers: sent, taken, old, lost or refused.";
    REPORT_ITEMS: Counter "auscult_report_items_total" ["outcome"]
        "Targets told of in messages between observers: sent or taken.";
    REPORT_RESYNCS: Counter "auscult_report_resyncs_total" []
        "Sessions between observers that were begun anew because something was missing.";
    REPORT_OVER_LIMIT: Counter "auscult_report_over_limit_total" []
        "Targets of other observers for which there was no room.";
    FORWARDED: Counter "auscult_forwarded_heartbeats_total" ["outcome"]
        "Heartbeats between monitors: queued, dropped (the queue was full), sent, lost (not answered) or taken.";

    ALERTS: Gauge "auscult_alerts" ["phase"]
        "Alerts by phase: pending, firing, or resolved lately.";
    ALERTS_SUPPRESSED: Gauge "auscult_suppressed_alerts" ["by"]
        "Alerts that fire and of which nobody is told at present, by what holds them back: silence or parent.";
    ALERTS_ELSEWHERE: Gauge "auscult_alerts_told_elsewhere" []
        "Alerts of which another monitor of the group tells.";
    ALERT_EPISODES: Counter "auscult_alert_episodes_total" ["phase"]
        "Times that an alert began to fire or was over: firing or resolved.";
    ALERTS_REFUSED: Counter "auscult_alerts_refused_total" []
        "Alerts that were not made because there were too many.";
    ALERT_MASS_FAILURES: Counter "auscult_alert_mass_failures_total" []
        "Messages that told of so many alerts that they likely have one cause.";
    ALERT_WRITES: Counter "auscult_alert_writes_total" ["outcome"]
        "Writes of alerts to the disk: asked or failed.";
    ALERT_UNWRITTEN: Counter "auscult_alert_unwritten_messages_total" []
        "Messages that went out before what they tell was on the disk, as the disk did not take it.";
    ALERTS_UNREADABLE: Gauge "auscult_alerts_unreadable" []
        "Alerts and silences on the disk that this version cannot read.";
    ALERT_SILENCES: Gauge "auscult_alert_silences" ["state"]
        "Silences and maintenance windows by state: active or pending.";
    ALERT_LETTERS: Counter "auscult_alert_reports_total" ["outcome"]
        "Alerts that other monitors told this one of: heard, or adopted as something was not known here.";
    ALERT_TAKEOVERS: Counter "auscult_alert_takeovers_total" []
        "Alerts of which this monitor came to have the duty to tell.";
    ALERT_UNSHARED: Gauge "auscult_alert_unshared" []
        "Alerts of which other monitors are still to be told, once for each monitor.";
    RECEIVER_QUEUED: Gauge "auscult_receiver_queued_alerts" ["receiver"]
        "Alerts of which there is something to tell the receiver: each waits once, however much happened.";
    RECEIVER_IN_FLIGHT: Gauge "auscult_receiver_messages_in_flight" ["receiver"]
        "Messages on their way.";
    RECEIVER_MESSAGES: Counter "auscult_receiver_messages_total" ["receiver", "outcome"]
        "Messages by outcome: delivered, failed (to be tried again) or refused.";
    RECEIVER_NOTICES: Counter "auscult_receiver_notices_total" ["receiver"]
        "Notices in the messages that were delivered: each says of one alert that it fires or is over.";
    RECEIVER_COALESCED: Counter "auscult_receiver_coalesced_episodes_total" ["receiver"]
        "Episodes that came and went before the receiver could be told; later notices count them.";
    RECEIVER_ABANDONED: Counter "auscult_receiver_abandoned_total" ["receiver"]
        "Ends of alerts that were given up on after a week.";
    RECEIVER_BREAKER: Gauge "auscult_receiver_breaker" ["receiver"]
        "0 while the receiver is taken to be there, 1 while one message tries it, 2 while it is left alone.";
    RECEIVER_LAST_SUCCESS: Gauge "auscult_receiver_last_success_timestamp_seconds" ["receiver"]
        "Unix time of the last message that was delivered. Absent before the first one.";
    PULSES: Counter "auscult_dead_man_pulses_total" ["outcome"]
        "Heartbeats of this monitor to the outside: sent or failed. Absent without a dead man's switch.";
    PULSE_LAST_SUCCESS: Gauge "auscult_dead_man_last_success_timestamp_seconds" []
        "Unix time of the last heartbeat that was taken. Absent before the first one.";

    DATAGRAMS_RECEIVED: Counter "auscult_datagrams_received_total" []
        "Heartbeat datagrams read from the socket.";
    DATAGRAM_READS: Counter "auscult_datagram_reads_total" []
        "Calls of the kernel that read heartbeat datagrams, many at a time.";
    DATAGRAMS_ACCEPTED: Counter "auscult_datagram_heartbeats_total" []
        "Heartbeats taken from datagrams.";
    DATAGRAMS_REJECTED: Counter "auscult_datagrams_rejected_total" ["reason"]
        "Heartbeats in datagrams that were not taken, by reason.";
    DATAGRAMS_DROPPED: Counter "auscult_datagrams_dropped_total" []
        "Heartbeat datagrams that the kernel dropped because its queue was full.";
    DATAGRAMS_QUEUED: Gauge "auscult_datagrams_queued_bytes" []
        "Memory of the heartbeat datagrams that wait in the kernel, headers included.";

    PEERS: Gauge "auscult_peers" []
        "Peers that may publish metrics at present.";
    PEER_METRIC_NAMES: Gauge "auscult_peer_metric_names" []
        "Names of metrics of which there is anything.";
    PEER_METRICS: Gauge "auscult_peer_metrics" []
        "Pairs of a metric and a peer that are kept, those of departed peers included.";
    PEER_METRICS_FAILING: Gauge "auscult_peer_metrics_failing" []
        "Metrics of present peers that have failed.";
    PEER_METRIC_VALUES: Gauge "auscult_peer_metric_values_bytes" []
        "What the values weigh that are kept.";
    PEER_READINGS: Counter "auscult_peer_readings_total" []
        "Readings that peers published and that were taken.";
    PEER_READINGS_REJECTED: Counter "auscult_peer_readings_rejected_total" ["reason"]
        "Readings that were not taken, by reason.";
    PEER_READINGS_PASSED: Counter "auscult_peer_readings_passed_on_total" ["outcome"]
        "Readings between monitors: sent, dropped (the newest are sent in their place), taken, or \
         asked for before a metric fails.";
    PEER_METRICS_FAILED: Counter "auscult_peer_metrics_failed_total" []
        "Times that a metric of a peer failed.";
    PEER_METRICS_RECOVERED: Counter "auscult_peer_metrics_recovered_total" []
        "Times that a metric of a peer was heard of again after it failed.";
    PEER_METRIC_RESTARTS: Counter "auscult_peer_metric_restarts_total" []
        "Windows that began anew as their sender did.";
    PEERS_REFUSED: Counter "auscult_peers_refused_total" []
        "Peers that were named and are not known, as there are too many.";
    PEER_METRIC_WAKEUPS: Counter "auscult_peer_metric_wakeups_total" []
        "Wake-ups to see whether a metric has failed. One that is heard of in time needs none.";
    PEER_METRIC_STALLS: Counter "auscult_peer_metric_stalls_total" []
        "Times that the monitor did not run, so that no metric failed for a second after that.";
    PEER_GOSSIP_MISSED: Counter "auscult_peer_gossip_missed_total" []
        "Broadcasts of members that came too fast to be read, readings or not.";
    PEER_READINGS_STATE: Gauge "auscult_peer_readings_state" ["state"]
        "1 for how the file is doing that keeps readings over a restart: off, writing or failing.";
    PEER_READINGS_FAILURES: Counter "auscult_peer_readings_failures_total" []
        "Times that this file could not be written.";

    CHECK_DURATION: Histogram "auscult_check_duration_seconds" ["kind"]
        "Durations of checks, good and failed, by kind of check.";
    CHECK_LATENESS: Histogram "auscult_check_lateness_seconds" []
        "How long after its scheduled moment each check began.";
    CHECK_FAILURES: Counter "auscult_check_failures_total" ["reason"]
        "Failed checks by reason.";
    CHECKS_IN_FLIGHT: Gauge "auscult_checks_in_flight" []
        "Checks running now.";
    CHECKS_SKIPPED: Counter "auscult_checks_skipped_total" []
        "Checks not made because the one before them still ran.";
    CHECKS_DELAYED: Counter "auscult_checks_delayed_total" []
        "Checks that waited because all sockets were in use.";
    CHECK_CONNECTIONS: Counter "auscult_check_connections_opened_total" []
        "Connections that checks made.";
    CHECK_CONNECTIONS_STALE: Counter "auscult_check_connections_stale_total" []
        "Kept connections that the server had closed when a check was to use them again.";
    CHECK_SOCKETS: Gauge "auscult_check_sockets" []
        "Sockets in use by checks, kept connections included.";
    CHECK_SOCKETS_MAX: Gauge "auscult_check_sockets_max" []
        "Sockets that checks may use at most.";

    HISTORY_STATE: Gauge "auscult_history_state" ["state"]
        "1 for how the history is doing: opening, writing, slow, failing or off.";
    HISTORY_LOST: Counter "auscult_history_lost_total" ["kind"]
        "What is not in the history because the disk was too slow or full: transitions or rollups.";
    HISTORY_OVERLAPPED: Counter "auscult_history_overlapped_total" []
        "Roll-ups that were not written because their time was kept already: the wall clock went back.";
    HISTORY_OVER_LIMIT: Counter "auscult_history_over_limit_total" []
        "Times that a target was not followed because there are too many of them.";
    HISTORY_WAITING: Gauge "auscult_history_waiting_events" []
        "Events that wait for the thread that writes the history.";
    HISTORY_WRITTEN: Counter "auscult_history_written_total" ["kind"]
        "What was written: transitions or rollups.";
    HISTORY_COMMITS: Summary "auscult_history_commit_duration_seconds" []
        "How long it took until what was written was on the disk: the sum and the count.";
    HISTORY_FAILURES: Counter "auscult_history_failures_total" []
        "Times that something could not be written.";
    HISTORY_PUT_ASIDE: Counter "auscult_history_put_aside_total" []
        "Times that a damaged file was put aside and a new one begun.";
    HISTORY_DISCARDED: Counter "auscult_history_discarded_rows_total" []
        "Rows given up because they were too old or too many.";
    HISTORY_FILE: Gauge "auscult_history_file_bytes" []
        "Length of the file.";
    HISTORY_ROWS: Gauge "auscult_history_rows" ["kind"]
        "Rows in the file.";
    HISTORY_OLDEST: Gauge "auscult_history_oldest_timestamp_seconds" ["kind"]
        "Unix time since which rows are kept. Absent without a row.";

    RELOAD_SUCCESSFUL: Gauge "auscult_config_last_reload_successful" []
        "1 when the settings file was taken the last time it was read, else 0.";
    RELOAD_TIMESTAMP: Gauge "auscult_config_last_reload_success_timestamp_seconds" []
        "Unix time at which the settings file was taken last. Absent without a file.";
    RELOADS: Counter "auscult_config_reloads_total" []
        "Times the settings file was read again.";
    RELOAD_FAILURES: Counter "auscult_config_reload_failures_total" []
        "Times the settings file was read again and refused.";
    SETTINGS_REVISION: Gauge "auscult_settings_revision" []
        "Last change of the shared settings that this monitor watches by. Where it is behind \
         auscult_cluster_settings_revision, that change is being made live.";
    SETTINGS_UNUSABLE: Gauge "auscult_settings_unusable" []
        "Shared settings that cannot be used on this monitor; what was before them goes on.";

    CLUSTER_MONITORS: Gauge "auscult_cluster_monitors" ["role"]
        "Monitors of the group by role, as this one knows them; a learner has no vote.";
    CLUSTER_IS_LEADER: Gauge "auscult_cluster_is_leader" []
        "1 while this monitor leads its group and reaches enough of it, else 0.";
    CLUSTER_HAS_LEADER: Gauge "auscult_cluster_has_leader" []
        "1 while this monitor knows of a leader, else 0.";
    CLUSTER_TERM: Gauge "auscult_cluster_term" []
        "Term of the group: grows with each election.";
    CLUSTER_CAMPAIGNS: Counter "auscult_cluster_campaigns_total" []
        "Elections that this monitor asked for.";
    CLUSTER_REVISION: Gauge "auscult_cluster_settings_revision" []
        "Last change of the shared settings that is made here.";
    CLUSTER_AGE: Gauge "auscult_cluster_settings_age_seconds" []
        "Seconds since this was known to be the last change anywhere. Absent before.";
    CLUSTER_LOG_LAST: Gauge "auscult_cluster_log_last_index" []
        "Last entry of the log of changes here.";
    CLUSTER_LOG_APPLIED: Gauge "auscult_cluster_log_applied_index" []
        "Last entry of the log of changes that is made here.";
    CLUSTER_LAG: Gauge "auscult_cluster_monitor_lag_entries" ["monitor"]
        "Entries of the log that another monitor lacks. The leader alone knows.";
    CLUSTER_STOPPED: Gauge "auscult_cluster_stopped" []
        "1 while the shared settings cannot be written here, else 0.";
    CLUSTER_CHANGES: Counter "auscult_cluster_changes_total" []
        "Changes of shared settings proposed through this monitor.";
    CLUSTER_CHANGES_FAILED: Counter "auscult_cluster_changes_failed_total" ["reason"]
        "Changes proposed through this monitor that were not made, or not known to be.";
}

/// All families, in the order of the output.
pub(crate) static SECTIONS: &[&Section] = &[
    &Section {
        title: "Targets",
        intro: "The status is one number per target, not one series per target and status: with \
            10,000 targets that is 10,000 series instead of 50,000, `max by (...)` gives the \
            worst, `changes()` counts, and `auscult_targets` has the totals by name. Labels \
            of a target stand once, in `auscult_target_info`; join them with `* on (target) \
            group_left (label_team) auscult_target_info`.",
        families: &[
            &TARGETS,
            &SIGNALS,
            &TARGET_INFO,
            &TARGET_STATUS,
            &TARGET_FLAPPING,
            &TARGET_TRANSITIONS,
            &TARGET_LEVEL,
            &TARGET_VERDICT,
            &TARGET_DISSENT,
            &TARGET_OWNED,
            &TARGET_LAST_ARRIVAL,
            &TARGET_ARRIVALS,
            &INTERVAL_MEAN,
            &INTERVAL_DEVIATION,
            &TARGET_CHECK_DURATION,
            &TARGET_CHECK_FAILURES,
            &TARGET_TLS_EXPIRY,
        ],
    },
    &Section {
        title: "Names of phi-accrual-multi-monitor",
        intro: "For dashboards that exist already. Unlike there, the value is computed at the \
            time of the scrape, so a target that hangs is seen to.",
        families: &[&PHI_VALUE, &RUNTIME],
    },
    &Section {
        title: "Verdicts",
        intro: "What the machine that judges was given, and what it made of it.",
        families: &[
            &ARRIVALS,
            &ARRIVALS_REJECTED,
            &TRANSITIONS,
            &WAKEUPS,
            &STALLS,
            &CLOCK_REGRESSIONS,
            &RELEARNT,
            &SUSPICIONS,
            &SUSPECTS_ITSELF,
            &EVENTS,
        ],
    },
    &Section {
        title: "Observers",
        intro: "Only of a monitor that has company. Messages: sent = taken by the other + old \
            there + lost, but for those on their way.",
        families: &[
            &OBSERVERS,
            &OBSERVER_ISOLATED,
            &OBSERVER_AT_FAULT,
            &OBSERVER_SERVING,
            &OWNED_TARGETS,
            &TAKEOVERS,
            &RULINGS_TOLD,
            &RULINGS_REFUSED,
            &REPORT_BATCHES,
            &REPORT_ITEMS,
            &REPORT_RESYNCS,
            &REPORT_OVER_LIMIT,
            &FORWARDED,
        ],
    },
    &Section {
        title: "Pushed heartbeats",
        intro: "Nothing is lost silently: with one heartbeat a datagram, sent = taken + rejected + \
            dropped + waiting in the kernel. Refused HTTP heartbeats are among \
            `auscult_http_problems_total` and `auscult_arrivals_rejected_total`.",
        families: &[
            &DATAGRAMS_RECEIVED,
            &DATAGRAM_READS,
            &DATAGRAMS_ACCEPTED,
            &DATAGRAMS_REJECTED,
            &DATAGRAMS_DROPPED,
            &DATAGRAMS_QUEUED,
        ],
    },
    &Section {
        title: "Metrics of peers",
        intro: "What peers publish has no series of its own here: how many there are is theirs to \
            say. `GET /v1/metrics-log` has them.",
        families: &[
            &PEERS,
            &PEER_METRIC_NAMES,
            &PEER_METRICS,
            &PEER_METRICS_FAILING,
            &PEER_METRIC_VALUES,
            &PEER_READINGS,
            &PEER_READINGS_REJECTED,
            &PEER_READINGS_PASSED,
            &PEER_METRICS_FAILED,
            &PEER_METRICS_RECOVERED,
            &PEER_METRIC_RESTARTS,
            &PEERS_REFUSED,
            &PEER_METRIC_WAKEUPS,
            &PEER_METRIC_STALLS,
            &PEER_GOSSIP_MISSED,
            &PEER_READINGS_STATE,
            &PEER_READINGS_FAILURES,
        ],
    },
    &Section {
        title: "Checks",
        intro: "",
        families: &[
            &CHECK_DURATION,
            &CHECK_LATENESS,
            &CHECK_FAILURES,
            &CHECKS_IN_FLIGHT,
            &CHECKS_SKIPPED,
            &CHECKS_DELAYED,
            &CHECK_CONNECTIONS,
            &CHECK_CONNECTIONS_STALE,
            &CHECK_SOCKETS,
            &CHECK_SOCKETS_MAX,
        ],
    },
    &MEMBERSHIP,
    &HTTP_SERVER,
    &Section {
        title: "History",
        intro: "Only where there is a data folder. What is not written changes no verdict and no alert.",
        families: &[
            &HISTORY_STATE,
            &HISTORY_LOST,
            &HISTORY_OVERLAPPED,
            &HISTORY_OVER_LIMIT,
            &HISTORY_WAITING,
            &HISTORY_WRITTEN,
            &HISTORY_COMMITS,
            &HISTORY_FAILURES,
            &HISTORY_PUT_ASIDE,
            &HISTORY_DISCARDED,
            &HISTORY_FILE,
            &HISTORY_ROWS,
            &HISTORY_OLDEST,
        ],
    },
    &Section {
        title: "Settings",
        intro: "",
        families: &[
            &RELOAD_SUCCESSFUL,
            &RELOAD_TIMESTAMP,
            &RELOADS,
            &RELOAD_FAILURES,
            &SETTINGS_REVISION,
            &SETTINGS_UNUSABLE,
        ],
    },
    &Section {
        title: "Alerts",
        intro: "What people are told, and what becomes of it on the way to each receiver.",
        families: &[
            &ALERTS,
            &ALERTS_SUPPRESSED,
            &ALERTS_ELSEWHERE,
            &ALERT_EPISODES,
            &ALERTS_REFUSED,
            &ALERT_MASS_FAILURES,
            &ALERT_WRITES,
            &ALERT_UNWRITTEN,
            &ALERTS_UNREADABLE,
            &ALERT_SILENCES,
            &ALERT_LETTERS,
            &ALERT_TAKEOVERS,
            &ALERT_UNSHARED,
            &RECEIVER_QUEUED,
            &RECEIVER_IN_FLIGHT,
            &RECEIVER_MESSAGES,
            &RECEIVER_NOTICES,
            &RECEIVER_COALESCED,
            &RECEIVER_ABANDONED,
            &RECEIVER_BREAKER,
            &RECEIVER_LAST_SUCCESS,
            &PULSES,
            &PULSE_LAST_SUCCESS,
        ],
    },
    &Section {
        title: "The group of monitors",
        intro: "What this monitor knows of the monitors that share settings with it.",
        families: &[
            &CLUSTER_MONITORS,
            &CLUSTER_IS_LEADER,
            &CLUSTER_HAS_LEADER,
            &CLUSTER_TERM,
            &CLUSTER_CAMPAIGNS,
            &CLUSTER_REVISION,
            &CLUSTER_AGE,
            &CLUSTER_LOG_LAST,
            &CLUSTER_LOG_APPLIED,
            &CLUSTER_LAG,
            &CLUSTER_STOPPED,
            &CLUSTER_CHANGES,
            &CLUSTER_CHANGES_FAILED,
        ],
    },
    &PROCESS,
];

#[cfg(test)]
mod tests {
    use super::*;
    use auscult_agent::http::families::Kind;
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_the_conventions() {
        let mut seen = BTreeSet::new();
        for family in SECTIONS.iter().flat_map(|section| section.families) {
            let name = family.name;
            assert!(seen.insert(name), "{name} stands twice");
            let total = name.ends_with("_total");
            assert_eq!(total, family.kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_info"), family.kind == Kind::Info, "{name}");
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.chars().all(plain), "{name}");
            assert!(family.help.ends_with('.'), "{name}");
            let quiet = |text: &str| !text.contains(['\\', '"', '\n']);
            assert!(quiet(family.help), "{name}: its help would need escapes");
        }
    }
}
