//! Metrics that members publish over their agents: broadcasts of the membership.
//!
//! A reading does not say whose it is. It is the member's that sent the broadcast first, by the
//! name that the group knows it under, so no program that uses an agent can speak for another
//! member. Broadcasts are passed on by others and are not signed by their sender: whoever has the
//! group's key (or, in a group without keys, whoever reaches its port) could send one in another
//! member's name, as he could send any other word of the membership. Where members do not trust
//! each other, they publish over HTTP with a token that is bound to one peer.

use auscult_agent::AgentHandle;
use auscult_agent::events;
use auscult_agent::http::stop::Stop;
use auscult_core::peer_metric::{Rejection, Sender, message};

use super::PeerMonitor;

/// Takes what the members of the agent's group publish, until `stop` or until the agent ends.
pub(crate) async fn follow(monitor: PeerMonitor, agent: AgentHandle, stop: Stop) {
    let mut reader = agent.broadcasts().read_from_start();
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        let reading = tokio::select! {
            () = &mut stopped => return,
            reading = reader.next() => reading,
        };
        match reading {
            events::Reading::Event(logged) => {
                let broadcast = &logged.event;
                let key = broadcast.key.as_ref();
                let Some(metric) = key.and_then(|key| message::metric_of(key.as_str())) else {
                    continue;
                };
                take(
                    &monitor,
                    metric,
                    broadcast.from.as_str(),
                    &broadcast.payload,
                );
            }
            events::Reading::Lagged(count) => monitor.count_missed(count),
            events::Reading::OtherRun => {}
        }
    }
}

fn take(monitor: &PeerMonitor, metric: &str, peer: &str, bytes: &[u8]) {
    let Some(reading) = message::decode(metric, peer, bytes) else {
        monitor.refuse(Rejection::Malformed);
        return;
    };
    if let Err(reason) = monitor.log_metric(Sender::Peer(peer), &reading) {
        tracing::debug!(peer, metric, "a metric of a member is not taken: {reason}");
    }
}
