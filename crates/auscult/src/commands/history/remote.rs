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

/// How long after its end a roll-up may still be added to: the monitor closes them a little later.
const OPEN_MS: i64 = 5_000;

/// Samples of roll-ups, each with the series that it belongs to.
#[derive(Debug, Default)]
pub(super) struct Export {
    /// Figure, target and resolution.
    series: Vec<(&'static str, String, String)>,
    samples: Vec<(Sample, usize)>,
}

impl Export {
    /// Adds the roll-ups of a target that are complete. A sample stands at the beginning of its
    /// roll-up.
    pub(super) fn add(&mut self, target: &str, past: &Value) {
        let resolution = past["resolution"].as_str().unwrap_or_default();
        let length = super::length_seconds(past) * 1_000;
        let until = moment(&past["until"]).map_or(i64::MAX, |until| until.as_millisecond());
        let first = self.series.len();
        for (_, name) in FIGURES {
            self.series
                .push((name, target.to_owned(), resolution.to_owned()));
        }
        for row in past["rollups"].as_array().into_iter().flatten() {
            let Some(at) = moment(&row["at"]) else {
                continue;
            };
            let timestamp = at.as_millisecond();
            // What is sent once cannot be sent again with another value.
            if timestamp.saturating_add(length + OPEN_MS) > until {
                continue;
            }
            for (n, (field, _)) in FIGURES.into_iter().enumerate() {
                if let Some(value) = row[field].as_f64() {
                    let sample = Sample { value, timestamp };
                    self.samples.push((sample, first + n));
                }
            }
        }
    }

    /// Everything in the order of time, whatever series it belongs to: a receiver that has the
    /// newest sample of one may refuse older ones of all.
    pub(super) fn sort(&mut self) {
        self.samples
            .sort_by_key(|&(sample, series)| (sample.timestamp, series));
    }

    /// The samples, each with the place of its series.
    pub(super) fn samples(&self) -> &[(Sample, usize)] {
        &self.samples
    }

    /// What a receiver is sent of these samples.
    pub(super) fn body(&self, samples: &[(Sample, usize)]) -> Vec<u8> {
        let mut all: BTreeMap<usize, Vec<Sample>> = BTreeMap::new();
        for &(sample, series) in samples {
            all.entry(series).or_default().push(sample);
        }
        let timeseries = all.into_iter().filter_map(|(series, samples)| {
            let (name, target, resolution) = self.series.get(series)?;
            // In the order of their names, as receivers want them.
            let labels = [
                ("__name__", *name),
                ("resolution", resolution),
                ("target", target),
            ];
            let labels = labels.map(|(name, value)| Label {
                name: name.to_owned(),
                value: value.to_owned(),
            });
            Some(TimeSeries {
                labels: labels.to_vec(),
                samples,
            })
        });
        let request = WriteRequest {
            timeseries: timeseries.collect(),
        };
        // It fails for more than 4 GiB, which no answer of a monitor holds.
        snap::raw::Encoder::new()
            .compress_vec(&request.encode_to_vec())
            .unwrap_or_default()
    }
}

/// Two halves that have no moment in common; `None` for samples of one moment.
pub(super) fn halves(samples: &[(Sample, usize)]) -> Option<[&[(Sample, usize)]; 2]> {
    let middle = samples.get(samples.len() / 2)?.0.timestamp;
    let first = samples.first()?.0.timestamp;
    let begins = |at: i64| samples.partition_point(|(sample, _)| sample.timestamp < at);
    let cut = match begins(middle) {
        0 => samples.partition_point(|(sample, _)| sample.timestamp <= first),
        cut => cut,
    };
    (cut < samples.len()).then(|| samples.split_at(cut).into())
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
        let mut export = Export::default();
        export.add("web", &past);
        export.add("db", &past);
        export.sort();
        assert_eq!(export.samples().len(), 100);
        let bodies = export.samples().chunks(30).map(|part| export.body(part));
        let bodies: Vec<Vec<u8>> = bodies.collect();
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
    #[test]
    fn what_is_still_added_to_is_not_sent() {
        let rows = [
            json!({ "at": "2026-11-21T09:00:00Z", "availability": 1.0 }),
            json!({ "at": "2026-11-21T09:05:00Z", "availability": 1.0 }),
        ];
        let past = |until: &str| json!({ "resolution": "5m", "until": until, "rollups": rows });
        for (until, sent) in [
            ("2026-11-21T09:05:00Z", 0),
            ("2026-11-21T09:06:00Z", 1),
            ("2026-11-21T09:10:04Z", 1),
            ("2026-11-21T09:10:05Z", 2),
        ] {
            let mut export = Export::default();
            export.add("web", &past(until));
            assert_eq!(export.samples().len(), sent, "{until}");
        }
    }

    #[test]
    fn halves_have_no_moment_in_common_and_end_at_single_ones() {
        let samples = |times: &[i64]| -> Vec<(Sample, usize)> {
            let sample = |&timestamp| {
                (
                    Sample {
                        value: 0.0,
                        timestamp,
                    },
                    0,
                )
            };
            times.iter().map(sample).collect()
        };
        assert!(halves(&samples(&[7, 7, 7])).is_none());
        assert!(halves(&[]).is_none());
        for times in [
            vec![1, 2],
            vec![1, 1, 1, 2],
            vec![1, 2, 2, 2],
            vec![1, 2, 2, 3],
        ] {
            let all = samples(&times);
            let [earlier, later] = halves(&all).unwrap();
            let (end, begin) = (earlier.last().unwrap(), later.first().unwrap());
            assert!(end.0.timestamp < begin.0.timestamp, "{times:?}");
            assert_eq!(earlier.len() + later.len(), times.len());
        }
    }
}
