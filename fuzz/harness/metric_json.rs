//! What must hold for any body of `POST /v1/metrics-log` and any row of the file of readings: they
//! are readings or they are not, what is one is taken or refused, and nothing grows without bound.

use auscult_core::id::TargetId;
use auscult_core::peer_metric::{Input, MetricLog, MetricLogConfig, MetricLogParams, Sender};
use auscult_core::time::Instant;
use auscult_monitor::peer_metrics::fuzzing::{read_json, read_row};

/// Panics when a promise about `bytes` is broken.
pub(crate) fn check(bytes: &[u8]) {
    let readings = read_row(bytes, 1 << 60);
    assert!(readings.is_none_or(|count| count <= bytes.len()));
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return;
    };
    let config = MetricLogConfig::new(MetricLogParams::new()).expect("the defaults are valid");
    let mut log = MetricLog::new(config, Instant::ORIGIN);
    let peers = ["node-1", "node-2"].map(|name| TargetId::new(name).expect("a name"));
    log.handle(Instant::ORIGIN, Input::Peers(&peers));
    let one = std::slice::from_ref(&body);
    for item in body.as_array().map_or(one, Vec::as_slice) {
        for bound in [None, Some("node-1")] {
            read_json(item, bound, |reading| {
                let reading = *reading;
                let sender = bound.map_or(Sender::Trusted, Sender::Peer);
                let received_at = Instant::ORIGIN;
                log.handle(
                    Instant::ORIGIN,
                    Input::Published {
                        sender,
                        received_at,
                        reading,
                    },
                );
            });
        }
    }
    log.check_invariants();
}
