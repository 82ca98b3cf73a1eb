//! The two text formats of metrics: OpenMetrics 1.0 and Prometheus' classic 0.0.4.
//!
//! Written by hand, because ten thousand targets are a hundred thousand lines: one pass over a
//! snapshot writes each line once, in the format that was asked for, with the labels of a target
//! escaped once. No registry holds series, so those of a removed target are gone with the next
//! scrape.

use std::fmt::Write;

use super::families::{Family, Kind};

/// A text format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    OpenMetrics,
    Classic,
}

impl Format {
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// The format to answer with: OpenMetrics when `Accept` names it in a version we speak and does
    /// not prefer another text, classic otherwise.
    pub fn negotiate(accept: &str) -> Self {
        let mut open_metrics = 0.0;
        let mut classic = 0.0;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
            let mut weight = 1.0;
            let mut version_known = true;
            for parameter in parts {
                match parameter.split_once('=') {
                    Some(("q", value)) => weight = value.parse().unwrap_or(0.0),
                    Some(("version", value)) => version_known = matches!(value, "1.0.0" | "0.0.1"),
                    Some(_) | None => {}
                }
            }
            match media_type.as_str() {
                "application/openmetrics-text" if version_known => {
                    open_metrics = f64::max(open_metrics, weight);
                }
                "text/plain" | "text/*" | "*/*" => classic = f64::max(classic, weight),
                _ => {}
            }
        }
        if open_metrics > 0.0 && open_metrics >= classic {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }
}

/// Label names and values as they stand between the braces of a line.
#[derive(Clone, Debug, Default)]
pub struct LabelText(String);

impl LabelText {
    pub fn new(labels: &[(&str, &str)]) -> Self {
        let mut text = Self(String::with_capacity(64));
        for (name, value) in labels {
            text.push(name, value);
        }
        text
    }

    /// Adds a label. `name` must be a valid label name.
    pub fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(name);
        self.0.push_str("=\"");
        if needs_escape(value) {
            for character in value.chars() {
                match character {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    other => self.0.push(other),
                }
            }
        } else {
            self.0.push_str(value);
        }
        self.0.push('"');
    }
}

/// Looks at all bytes without a branch between them, which the compiler turns into vectors.
fn needs_escape(value: &str) -> bool {
    let escaped = |byte: u8| (byte == b'\\') | (byte == b'"') | (byte == b'\n');
    value
        .bytes()
        .fold(false, |found, byte| found | escaped(byte))
}

/// A value of a sample.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// A histogram's buckets: upper bounds and counts that are not cumulated, and what lies above them
/// all.
#[derive(Clone, Copy, Debug)]
pub struct Buckets<'a> {
    pub counts: &'a [(f64, u64)],
    pub above: u64,
    pub sum: f64,
}

/// Text under construction. Families one after the other, each followed by its samples.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    text: String,
    family: Option<&'static Family>,
}

impl Exposition {
    pub fn new(format: Format, bytes: usize) -> Self {
        Self {
            format,
            text: String::with_capacity(bytes),
            family: None,
        }
    }

    pub fn finish(mut self) -> String {
        match self.format {
            Format::OpenMetrics => self.text.push_str("# EOF\n"),
            Format::Classic => {}
        }
        self.text
    }

    /// Begins a family.
    pub fn family(&mut self, family: &'static Family) {
        self.family = Some(family);
        let help = family.help;
        match self.format {
            Format::OpenMetrics => {
                let name = family.open_metrics_name();
                self.line(format_args!("# TYPE {name} {}", family.kind.as_str()));
                if let Some(unit) = family.unit() {
                    self.line(format_args!("# UNIT {name} {unit}"));
                }
                self.line(format_args!("# HELP {name} {help}"));
            }
            Format::Classic => {
                let name = family.name;
                self.line(format_args!("# HELP {name} {help}"));
                self.line(format_args!("# TYPE {name} {}", family.kind.classic()));
            }
        }
    }

    /// Adds a sample to the family begun last.
    pub fn sample(&mut self, labels: &LabelText, value: impl Into<Number>) {
        self.suffixed("", labels, value.into());
    }

    /// Adds a sum and a count to the summary begun last.
    pub fn summary(&mut self, labels: &LabelText, sum: f64, count: u64) {
        self.suffixed("_sum", labels, Number::Real(sum));
        self.suffixed("_count", labels, Number::Whole(count));
    }

    /// Adds the buckets, sum and count of a histogram.
    pub fn histogram(&mut self, labels: &LabelText, buckets: &Buckets<'_>) {
        let mut total = 0;
        for &(bound, count) in buckets.counts {
            total += count;
            let mut bucket = labels.clone();
            bucket.push("le", &format!("{bound:?}"));
            self.suffixed("_bucket", &bucket, Number::Whole(total));
        }
        total += buckets.above;
        let mut bucket = labels.clone();
        bucket.push("le", "+Inf");
        self.suffixed("_bucket", &bucket, Number::Whole(total));
        self.summary(labels, buckets.sum, total);
    }

    /// Adds a family of one sample without labels.
    pub fn single(&mut self, family: &'static Family, value: impl Into<Number>) {
        self.family(family);
        self.sample(&LabelText::default(), value);
    }

    /// Adds a family with one label.
    pub fn by<'a, N: Into<Number>>(
        &mut self,
        family: &'static Family,
        values: impl Iterator<Item = (&'a str, N)>,
    ) {
        self.family(family);
        let name = family.labels.first().copied().unwrap_or("key");
        for (label, value) in values {
            self.sample(&LabelText::new(&[(name, label)]), value);
        }
    }

    fn suffixed(&mut self, suffix: &str, labels: &LabelText, value: Number) {
        let name = self.family.map_or("", |family| family.name);
        self.text.push_str(name);
        self.text.push_str(suffix);
        if !labels.0.is_empty() {
            self.text.push('{');
            self.text.push_str(&labels.0);
            self.text.push('}');
        }
        self.text.push(' ');
        match value {
            Number::Whole(value) => self.line(format_args!("{value}")),
            Number::Real(value) if value.is_finite() => self.line(format_args!("{value:?}")),
            Number::Real(value) if value.is_nan() => self.text.push_str("NaN\n"),
            Number::Real(value) if value > 0.0 => self.text.push_str("+Inf\n"),
            Number::Real(_) => self.text.push_str("-Inf\n"),
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _written = self.text.write_fmt(text);
        self.text.push('\n');
    }
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Info => "info",
        }
    }

    const fn classic(self) -> &'static str {
        match self {
            Self::Info => "gauge",
            Self::Counter | Self::Gauge | Self::Histogram | Self::Summary => self.as_str(),
        }
    }
}

impl Family {
    /// The family's name in OpenMetrics, where the suffix of a type belongs to the sample alone.
    fn open_metrics_name(&self) -> &'static str {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram | Kind::Summary => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }

    fn unit(&self) -> Option<&'static str> {
        let name = self.open_metrics_name();
        ["seconds", "bytes"]
            .into_iter()
            .find(|unit| name.ends_with(&format!("_{unit}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static WAITS: Family = Family {
        name: "test_wait_seconds",
        kind: Kind::Histogram,
        labels: &["kind"],
        help: "Waits.",
    };
    static CALLS: Family = Family {
        name: "test_calls_total",
        kind: Kind::Counter,
        labels: &["name"],
        help: "Calls.",
    };

    fn example(format: Format) -> String {
        let mut out = Exposition::new(format, 0);
        out.by(&CALLS, [("a\"b\\c\nd", 3_u64)].into_iter());
        out.family(&WAITS);
        let buckets = Buckets {
            counts: &[(0.001, 2), (1.0, 1)],
            above: 4,
            sum: 1e300,
        };
        out.histogram(&LabelText::new(&[("kind", "x")]), &buckets);
        out.finish()
    }

    #[test]
    fn open_metrics_names_units_and_ends() {
        let expected = "\
# TYPE test_calls counter
# HELP test_calls Calls.
test_calls_total{name=\"a\\\"b\\\\c\\nd\"} 3
# TYPE test_wait_seconds histogram
# UNIT test_wait_seconds seconds
# HELP test_wait_seconds Waits.
test_wait_seconds_bucket{kind=\"x\",le=\"0.001\"} 2
test_wait_seconds_bucket{kind=\"x\",le=\"1.0\"} 3
test_wait_seconds_bucket{kind=\"x\",le=\"+Inf\"} 7
test_wait_seconds_sum{kind=\"x\"} 1e300
test_wait_seconds_count{kind=\"x\"} 7
# EOF
";
        assert_eq!(example(Format::OpenMetrics), expected);
    }

    #[test]
    fn classic_text_has_help_before_type_and_no_end() {
        let text = example(Format::Classic);
        let head = "# HELP test_calls_total Calls.\n# TYPE test_calls_total counter\n";
        assert!(text.starts_with(head), "{text}");
        assert!(text.ends_with("_count{kind=\"x\"} 7\n"), "{text}");
        assert!(!text.contains("# UNIT"), "{text}");
    }

    #[test]
    fn values_beyond_the_numbers_have_their_own_spelling() {
        let mut out = Exposition::new(Format::Classic, 0);
        out.family(&WAITS);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1e-7] {
            out.sample(&LabelText::default(), value);
        }
        let values: Vec<_> = out.text.lines().skip(2).map(|line| &line[18..]).collect();
        assert_eq!(values, ["NaN", "+Inf", "-Inf", "0.0", "1e-7"]);
    }

    #[test]
    fn the_format_follows_the_accept_header() {
        let prometheus = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
            encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, format) in [
            (prometheus, Format::OpenMetrics),
            (prometheus_3, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text; version=9.0.0",
                Format::Classic,
            ),
            ("application/openmetrics-text;q=0", Format::Classic),
            (
                "text/plain, application/openmetrics-text;q=0.5",
                Format::Classic,
            ),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Classic),
            ("*/*", Format::Classic),
            ("", Format::Classic),
        ] {
            assert_eq!(Format::negotiate(accept), format, "{accept}");
        }
    }
}
