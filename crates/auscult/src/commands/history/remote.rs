//! Roll-ups in the remote-write format of Prometheus, version 1: a protobuf message, as a snappy
//! block.

use std::collections::BTreeMap;

use prost::Message;
use serde_json::Value;

use crate::render::time::moment;

/// Samples of one request: what receivers are used to.
pub(super) const SAMPLES_AT_ONCE: usize = 5_000;

/// What the receiver has to know of the body.
pub(super) const HEADERS: [(&str, &str); 3] = [
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "snappy"),
    ("x-prometheus-remote-write-version", "0.1.0"),
];

/// What of a roll-up becomes a series, and what it is called.
const FIGURES: [(&str, &str); 6] = [
    ("availability", "auscult_history_availability_ratio"),
    ("level_max", "auscult_history_level_max"),
    ("level_mean", "auscult_history_level_mean"),
    (
        "latency_mean_ms",
        "auscult_history_latency_mean_milliseconds",
    ),
    ("failures", "auscult_history_failures"),
    ("arrivals", "auscult_history_arrivals"),
];

#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Label {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Sample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    /// Milliseconds since the Unix epoch.
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
}

/// Samples by the figure, the target and the resolution.
#[derive(Debug, Default)]
pub(super) struct Series(BTreeMap<(&'static str, String, String), Vec<Sample>>);

impl Series {
    /// Adds the roll-ups of a target. A sample stands at the beginning of its roll-up.
    pub(super) fn add(&mut self, target: &str, past: &Value) {
        let resolution = past["resolution"].as_str().unwrap_or_default();
        for row in past["rollups"].as_array().into_iter().flatten() {
            let Some(at) = moment(&row["at"]) else {
                continue;
            };
            for (field, name) in FIGURES {
                if let Some(value) = row[field].as_f64() {
                    let key = (name, target.to_owned(), resolution.to_owned());
                    self.0.entry(key).or_default().push(Sample {
                        value,
                        timestamp: at.as_millisecond(),
                    });
                }
            }
        }
    }

    /// How many samples there are.
    pub(super) fn samples(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// The bodies, each with at most so many samples; each series in the order of time.
    pub(super) fn into_bodies(self, samples_max: usize) -> Vec<Vec<u8>> {
        let mut requests = Vec::new();
        let mut request = WriteRequest::default();
        let mut room = samples_max;
        for ((name, target, resolution), samples) in self.0 {
            // In the order of their names, as receivers want them.
            let labels = [
                ("__name__", name),
                ("resolution", &resolution),
                ("target", &target),
            ];
            let labels = labels.map(|(name, value)| Label {
                name: name.to_owned(),
                value: value.to_owned(),
            });
            let mut rest = samples.as_slice();
            while !rest.is_empty() {
                let (part, behind) = rest.split_at(rest.len().min(room));
                request.timeseries.push(TimeSeries {
                    labels: labels.to_vec(),
                    samples: part.to_vec(),
                });
                room -= part.len();
                rest = behind;
                if room == 0 {
                    requests.push(std::mem::take(&mut request));
                    room = samples_max;
                }
            }
        }
        if !request.timeseries.is_empty() {
            requests.push(request);
        }
        let compress = |request: WriteRequest| {
            let body = request.encode_to_vec();
            // It fails for more than 4 GiB, which no answer of a monitor holds.
            snap::raw::Encoder::new()
                .compress_vec(&body)
                .unwrap_or_default()
        };
        requests.into_iter().map(compress).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bodies_hold_every_sample_once_and_in_order() {
        let rows: Vec<Value> = (0..25)
            .map(|n| {
                json!({ "at": format!("2026-11-21T09:00:{n:02}Z"), "availability": 1.0,
                "level_max": n, "level_mean": null })
            })
            .collect();
        let past = json!({ "resolution": "10s", "rollups": rows });
        let mut series = Series::default();
        series.add("web", &past);
        series.add("db", &past);
        assert_eq!(series.samples(), 100);
        let bodies = series.into_bodies(30);
        assert_eq!(bodies.len(), 4);
        let mut seen: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for body in &bodies {
            let plain = snap::raw::Decoder::new().decompress_vec(body).unwrap();
            let request = WriteRequest::decode(plain.as_slice()).unwrap();
            for one in request.timeseries {
                let names: Vec<_> = one.labels.iter().map(|label| label.name.as_str()).collect();
                assert_eq!(names, ["__name__", "resolution", "target"]);
                let name = format!("{}{}", one.labels[0].value, one.labels[2].value);
                let times = one.samples.iter().map(|sample| sample.timestamp);
                seen.entry(name).or_default().extend(times);
            }
        }
        assert_eq!(seen.len(), 4);
        for times in seen.values() {
            assert_eq!(times.len(), 25);
            assert!(times.is_sorted());
        }
    }
}
