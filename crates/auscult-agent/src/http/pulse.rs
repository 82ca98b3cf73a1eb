//! How pulse shows a node, for `GET /status/all` and `GET /status/{id}` of agents and monitors.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::time::Time;

/// What pulse can say of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PulseState {
    /// It answers.
    Alive,
    /// It does not.
    Dead,
    /// Nothing was heard of it yet.
    Pending,
    /// It did not answer, and may still.
    Suspect,
}

/// A member or a target as pulse shows a node.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PulseStatus {
    /// Its name.
    id: String,
    /// 0 alive, 1 dead, 2 pending, 3 suspect.
    state: u8,
    /// The state in words: Alive, Dead, Pending, Suspect.
    #[schema(example = "Alive")]
    state_name: &'static str,
    /// What a round trip to it or the last check of it took, in seconds; null where there was none.
    #[serde(rename = "RTT")]
    #[schema(required)]
    rtt: Option<f64>,
    /// When it was heard last.
    #[schema(required)]
    last_connected: Option<Time>,
}

impl PulseStatus {
    /// A node with this name; `trip` is what the last answer took, `heard_at` when it came.
    #[must_use]
    pub fn new(
        id: String,
        state: PulseState,
        trip: Option<Duration>,
        heard_at: Option<Time>,
    ) -> Self {
        let (code, name) = match state {
            PulseState::Alive => (0, "Alive"),
            PulseState::Dead => (1, "Dead"),
            PulseState::Pending => (2, "Pending"),
            PulseState::Suspect => (3, "Suspect"),
        };
        Self {
            id,
            state: code,
            state_name: name,
            rtt: trip.map(|span| span.as_secs_f64()),
            last_connected: heard_at,
        }
    }

    /// The name of the node, which is its key where many are shown.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}
