//! Families of metrics: the table from which `/metrics` and `api/metrics.md` are written. Here
//! stand those that every process of ours has; a monitor has more.

/// A family of metrics.
#[derive(Debug, PartialEq)]
pub struct Family {
    /// As it stands in a query: counters with `_total`, infos with `_info`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it means: a sentence.
    pub help: &'static str,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by bounds.
    Histogram,
    /// A sum and a count, without quantiles.
    Summary,
    /// Labels alone; the value is 1.
    Info,
}

/// Families about one subject.
#[derive(Debug)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// What to know about all of them.
    pub intro: &'static str,
    /// The families, in the order of the output.
    pub families: &'static [&'static Family],
}

/// Declares families: visibility; then name, type, metric, labels and help of each.
#[macro_export]
#[doc(hidden)]
macro_rules! families {
    ($vis:vis, $($ident:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            $vis static $ident: $crate::http::families::Family = $crate::http::families::Family {
                name: $name,
                kind: $crate::http::families::Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            };
        )*
    };
}

families! {
    pub,
    MEMBERS: Gauge "auscult_members" ["state"]
        "Members that this one remembers, itself included, by state.";
    LINKS_BLOCKED: Gauge "auscult_links_blocked" ["direction"]
        "Live members that this one does not hear (hears), or that do not hear it (heard).";
    ROUND_TRIP: Gauge "auscult_member_round_trip_seconds" ["member"]
        "Mean of the round trips to a member. Absent before the first one, and in groups of more than 128.";
    MODE: Gauge "auscult_swim_mode" ["mode"]
        "1 for how failures are found now: by heartbeats from all to all (direct) or by probes and gossip (gossip).";
    HEARTBEATS_SENT: Counter "auscult_swim_heartbeats_sent_total" []
        "Direct heartbeats sent to other members.";
    HEARTBEATS_HEARD: Counter "auscult_swim_heartbeats_heard_total" []
        "Direct heartbeats of other members that were heard.";
    LOCAL_HEALTH: Gauge "auscult_swim_local_health" []
        "How slow this member thinks itself to be: 0 is well, and it is patient with others by as much.";
    BACKLOG: Gauge "auscult_swim_gossip_backlog" []
        "Pieces of news that are still to be sent.";
    GOSSIP_DROPPED: Counter "auscult_swim_gossip_dropped_total" ["what"]
        "News and broadcasts not told as often as they should be, as too many waited.";
    INCARNATION: Gauge "auscult_swim_incarnation" []
        "This member's own incarnation: grows whenever it contradicts.";
    PROBES: Counter "auscult_swim_probes_total" []
        "Members asked whether they are alive, one in a period.";
    PROBE_DETOURS: Counter "auscult_swim_probe_detours_total" []
        "Probes that were answered by way of others or over a stream only.";
    PROBE_FAILURES: Counter "auscult_swim_probe_failures_total" []
        "Probes that were not answered in any way.";
    MEMBER_SUSPICIONS: Counter "auscult_swim_suspicions_total" []
        "Suspicions of other members, own and heard of.";
    REFUTATIONS: Counter "auscult_swim_refutations_total" []
        "Times that this member contradicted what was said of it.";
    CONVICTIONS: Counter "auscult_swim_convictions_total" []
        "Members that did not contradict in time here.";
    SYNCS: Counter "auscult_swim_syncs_total" []
        "Views compared with another member's over a stream.";
    OWN_ORDER_ROUNDS: Counter "auscult_swim_own_order_rounds_total" []
        "Rounds of probes in an order of its own, as views differed.";
    SWIM_WAKEUPS: Counter "auscult_swim_wakeups_total" ["reason"]
        "Wake-ups that the machine had asked for, by what for.";
    SWIM_STALLS: Counter "auscult_swim_stalls_total" []
        "Times at which this process was found not to have run; nobody else is blamed for them.";
    SWIM_CLOCK_REGRESSIONS: Counter "auscult_swim_clock_regressions_total" []
        "Calls of the machine with a time before that of an earlier call.";
    LATENESS: Summary "auscult_swim_lateness_seconds" []
        "How late wake-ups were: their sum and count.";
    LATENESS_MAX: Gauge "auscult_swim_lateness_max_seconds" []
        "How late the latest wake-up was since the start.";
    SWIM_REJECTED: Counter "auscult_swim_rejected_total" ["layer", "reason"]
        "What was not taken from others, by the layer that refused it (seal, codec, machine) and the reason.";
    SWIM_RECEIVED: Counter "auscult_swim_datagrams_received_total" []
        "Datagrams that arrived.";
    SWIM_SENT: Counter "auscult_swim_datagrams_sent_total" []
        "Datagrams handed to the kernel.";
    SWIM_RECEIVED_BYTES: Counter "auscult_swim_received_bytes_total" []
        "Bytes of datagrams that arrived, without headers.";
    SWIM_SENT_BYTES: Counter "auscult_swim_sent_bytes_total" []
        "Bytes of datagrams handed to the kernel, without headers.";
    SWIM_SEND_ERRORS: Counter "auscult_swim_send_errors_total" []
        "Datagrams that the kernel did not take.";
    STREAMS_ACCEPTED: Counter "auscult_swim_streams_accepted_total" []
        "Streams that others opened.";
    STREAMS_EVICTED: Counter "auscult_swim_streams_evicted_total" []
        "Streams of others that were pushed out by later ones.";
    STREAMS_FAILED: Counter "auscult_swim_streams_failed_total" []
        "Streams of others on which no whole request came in time, or that broke.";
    STREAMS_OPENED: Counter "auscult_swim_streams_opened_total" []
        "Streams that this agent opened.";
    STREAMS_UNANSWERED: Counter "auscult_swim_streams_unanswered_total" []
        "Streams that this agent opened and that brought no answer.";
    METRICS_PUBLISHED: Counter "auscult_member_metrics_published_total" []
        "Metrics that this member published, of its own and for programs beside it.";
    METRICS_REJECTED: Counter "auscult_member_metrics_rejected_total" ["reason"]
        "Metrics that this member was to publish and did not, by reason.";
    MEMBER_EVENTS: Counter "auscult_member_events_total" []
        "Events of members logged.";

    HTTP_RESPONSES: Counter "auscult_http_responses_total" ["class"]
        "Answers of the HTTP server by class of status.";
    HTTP_PROBLEMS: Counter "auscult_http_problems_total" ["kind"]
        "Requests that were not done, by kind of problem.";
    HTTP_CONNECTIONS: Gauge "auscult_http_connections" []
        "Open connections to the HTTP server.";
    HTTP_ACCEPTED: Counter "auscult_http_connections_accepted_total" []
        "Connections that the HTTP server accepted.";
    HTTP_BROKEN: Counter "auscult_http_connections_broken_total" []
        "Connections that ended with an error, slow clients among them.";
    HTTP_WRITE_TIMEOUTS: Counter "auscult_http_write_timeouts_total" []
        "Connections given up because the client did not read its answer.";
    EVENT_STREAMS: Gauge "auscult_event_streams" []
        "Open streams of events.";
    EVENTS_MISSED: Counter "auscult_event_stream_events_missed_total" []
        "Events that streams could not deliver because their readers were too slow.";

    BUILD_INFO: Info "auscult_build_info" ["version"]
        "The version that runs.";
    PROCESS_CPU: Counter "process_cpu_seconds_total" []
        "CPU time used by the process, in user and kernel mode.";
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" []
        "Memory of the process that is in RAM.";
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" []
        "Address space of the process.";
    PROCESS_FDS: Gauge "process_open_fds" []
        "Open file descriptors.";
    PROCESS_FDS_MAX: Gauge "process_max_fds" []
        "File descriptors that the process may open.";
    PROCESS_START: Gauge "process_start_time_seconds" []
        "Unix time at which the process started.";
}

/// What an agent knows of its group and does in it.
pub static MEMBERSHIP: Section = Section {
    title: "Membership",
    intro: "An agent has these, and a monitor that is a member of a group.",
    families: &[
        &MEMBERS,
        &LINKS_BLOCKED,
        &ROUND_TRIP,
        &MODE,
        &HEARTBEATS_SENT,
        &HEARTBEATS_HEARD,
        &LOCAL_HEALTH,
        &BACKLOG,
        &GOSSIP_DROPPED,
        &INCARNATION,
        &PROBES,
        &PROBE_DETOURS,
        &PROBE_FAILURES,
        &MEMBER_SUSPICIONS,
        &REFUTATIONS,
        &CONVICTIONS,
        &SYNCS,
        &OWN_ORDER_ROUNDS,
        &SWIM_WAKEUPS,
        &SWIM_STALLS,
        &SWIM_CLOCK_REGRESSIONS,
        &LATENESS,
        &LATENESS_MAX,
        &SWIM_REJECTED,
        &SWIM_RECEIVED,
        &SWIM_SENT,
        &SWIM_RECEIVED_BYTES,
        &SWIM_SENT_BYTES,
        &SWIM_SEND_ERRORS,
        &STREAMS_ACCEPTED,
        &STREAMS_EVICTED,
        &STREAMS_FAILED,
        &STREAMS_OPENED,
        &STREAMS_UNANSWERED,
        &METRICS_PUBLISHED,
        &METRICS_REJECTED,
        &MEMBER_EVENTS,
    ],
};

/// The HTTP server itself.
pub static HTTP_SERVER: Section = Section {
    title: "The HTTP server",
    intro: "",
    families: &[
        &HTTP_RESPONSES,
        &HTTP_PROBLEMS,
        &HTTP_CONNECTIONS,
        &HTTP_ACCEPTED,
        &HTTP_BROKEN,
        &HTTP_WRITE_TIMEOUTS,
        &EVENT_STREAMS,
        &EVENTS_MISSED,
    ],
};

/// The process itself.
pub static PROCESS: Section = Section {
    title: "The process",
    intro: "",
    families: &[
        &BUILD_INFO,
        &PROCESS_CPU,
        &PROCESS_RESIDENT,
        &PROCESS_VIRTUAL,
        &PROCESS_FDS,
        &PROCESS_FDS_MAX,
        &PROCESS_START,
    ],
};
