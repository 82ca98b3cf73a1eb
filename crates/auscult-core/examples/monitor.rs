//! Watches one sender that crashes, and draws how suspicion grows: `cargo run --example monitor
//! [SVG]`.
//!
//! Time is virtual and the chance is seeded, so it finishes at once and always draws the same
//! picture. Heartbeats come every 100 to 1,000 ms until the crash; two detectors hear them, the
//! second of which accepts a pause of one second; their levels are sampled every 200 ms into a CSV
//! file and a picture.
#![expect(clippy::print_stdout, reason = "an example speaks to a person")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use auscult_core::detector::{Detector, History, Level, Phi, PhiParams};
use auscult_core::time::Instant;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const CRASH_AFTER: Duration = Duration::from_secs(16);
const END: Instant = Instant::from_secs(21);
const SAMPLE_EVERY: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_secs(1);
const THRESHOLD: f64 = 8.0;
const LEVEL_MAX: f64 = 16.0;
/// Any other number gives another sender.
const SEED: u64 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut plain = Phi::new(params(Duration::ZERO)).map_err(|rules| format!("{rules:?}"))?;
    let mut patient = Phi::new(params(PAUSE)).map_err(|rules| format!("{rules:?}"))?;
    let (heartbeats, crash) = heartbeats();

    let mut samples = Vec::new();
    let mut coming = heartbeats.iter().copied().peekable();
    let mut now = Instant::ORIGIN;
    while now <= END {
        while let Some(heartbeat) = coming.next_if(|&heartbeat| heartbeat <= now) {
            plain.heartbeat(heartbeat, None);
            patient.heartbeat(heartbeat, None);
        }
        samples.push(Sample {
            at: now,
            plain: plain.level(now).get(),
            patient: patient.level(now).get(),
        });
        now = now.after(SAMPLE_EVERY);
    }

    let threshold = Level::new(THRESHOLD);
    let suspected = [plain.deadline(threshold), patient.deadline(threshold)];
    let svg = std::env::args_os().nth(1);
    let svg = svg.map_or_else(|| PathBuf::from("target/monitor/phi.svg"), PathBuf::from);
    let csv = PathBuf::from("target/monitor/phi.csv");
    for file in [&svg, &csv] {
        fs::create_dir_all(file.parent().unwrap_or(Path::new("")))?;
    }
    fs::write(&csv, table(&samples)?)?;
    Picture {
        heartbeats: &heartbeats,
        crash,
        samples: &samples,
        suspected,
    }
    .draw(&svg)?;

    println!(
        "{} heartbeats, the last at {:.2} s",
        heartbeats.len(),
        seconds(crash)
    );
    for (name, suspected) in ["no pause", "pause 1 s"].iter().zip(suspected) {
        let after = suspected.map_or(f64::NAN, |at| seconds(at) - seconds(crash));
        println!("{name}: level {THRESHOLD} is reached {after:.2} s after it");
    }
    println!("levels:  {}", csv.display());
    println!("picture: {}", svg.display());
    Ok(())
}

struct Sample {
    at: Instant,
    plain: f64,
    patient: f64,
}

fn params(acceptable_pause: Duration) -> PhiParams {
    PhiParams {
        history: History::Window { samples: 100 },
        min_std_deviation: Duration::from_millis(100),
        acceptable_pause,
        ..PhiParams::new()
    }
}

/// When heartbeats arrive, and when the last one did: the sender is gone from then on.
fn heartbeats() -> (Vec<Instant>, Instant) {
    let mut chance = SEED;
    let mut heartbeats = Vec::new();
    let mut now = Instant::ORIGIN;
    while now <= Instant::ORIGIN.after(CRASH_AFTER) {
        // Knuth's MMIX generator; the upper bits are the good ones.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005);
        chance = chance.wrapping_add(1_442_695_040_888_963_407);
        now = now.after(Duration::from_millis(100 + (chance >> 33) % 901));
        heartbeats.push(now);
    }
    (heartbeats, now)
}

fn table(samples: &[Sample]) -> Result<String, std::fmt::Error> {
    let mut csv = String::from("seconds,phi,phi_with_pause_1s\n");
    for Sample { at, plain, patient } in samples {
        writeln!(csv, "{:.1},{plain:.6},{patient:.6}", seconds(*at))?;
    }
    Ok(csv)
}

fn seconds(at: Instant) -> f64 {
    at.as_nanos() as f64 / 1e9
}

struct Picture<'a> {
    heartbeats: &'a [Instant],
    crash: Instant,
    samples: &'a [Sample],
    suspected: [Option<Instant>; 2],
}

const INK: RGBColor = RGBColor(0x33, 0x3d, 0x47);
const FAINT: RGBColor = RGBColor(0xe6, 0xe9, 0xec);
const PLAIN: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const PATIENT: RGBColor = RGBColor(0x2e, 0x8b, 0x57);
const CRASH: RGBColor = RGBColor(0xd6, 0x2b, 0x2b);

type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Picture<'_> {
    fn draw(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let area = SVGBackend::new(path, (960, 440)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(18)
            .x_label_area_size(46)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..seconds(END), 0.0..LEVEL_MAX)?;
        draw_axes(&mut chart)?;
        self.draw_marks(&mut chart)?;
        // The words beside the points stand on the outer side of each curve.
        let [plain, patient] = self.suspected;
        let levels = |level: fn(&Sample) -> f64| {
            let samples = self.samples.iter();
            samples.map(move |sample| (seconds(sample.at), level(sample)))
        };
        let points = levels(|sample| sample.plain);
        self.draw_curve(
            &mut chart,
            ("no pause", PLAIN),
            points,
            (plain, HPos::Right),
        )?;
        let points = levels(|sample| sample.patient);
        let name = ("acceptable pause 1 s", PATIENT);
        self.draw_curve(&mut chart, name, points, (patient, HPos::Left))?;
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .margin(12)
            .label_font(text(INK))
            .draw()?;
        area.present()?;
        Ok(())
    }

    /// Heartbeats, threshold and crash, each with its name.
    fn draw_marks(&self, chart: &mut Chart<'_>) -> Result<(), Box<dyn Error>> {
        let thin = INK.stroke_width(1);
        let beats = self.heartbeats.iter().map(|&at| seconds(at));
        let ticks = beats.map(|x| PathElement::new([(x, 0.0), (x, LEVEL_MAX / 40.0)], thin));
        chart.draw_series(ticks)?;
        let threshold = [(0.0, THRESHOLD), (seconds(END), THRESHOLD)];
        chart.draw_series(DashedLineSeries::new(threshold, 7, 5, thin))?;
        let x = seconds(self.crash);
        let crash = [(x, 0.0), (x, LEVEL_MAX)];
        chart.draw_series(LineSeries::new(crash, CRASH.stroke_width(2)))?;
        let name = format!("threshold {THRESHOLD}");
        draw_words(chart, name, (0.2, THRESHOLD + 0.2), (INK, HPos::Left))?;
        draw_words(chart, "heartbeats".into(), (0.2, 0.9), (INK, HPos::Left))?;
        let name = "the sender crashes".into();
        draw_words(chart, name, (x - 0.15, 15.0), (CRASH, HPos::Right))
    }

    /// One detector's levels, up to the border of the frame, and when it suspected.
    fn draw_curve(
        &self,
        chart: &mut Chart<'_>,
        (name, color): (&str, RGBColor),
        points: impl Iterator<Item = (f64, f64)> + Clone,
        (suspected, side): (Option<Instant>, HPos),
    ) -> Result<(), Box<dyn Error>> {
        let inside = points.clone().take_while(|point| point.1 <= LEVEL_MAX);
        let mut line: Vec<_> = inside.collect();
        let over = { points }.find(|point| point.1 > LEVEL_MAX);
        line.extend(line.last().copied().zip(over).map(border));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], color.stroke_width(2)));
        let Some(at) = suspected.map(seconds) else {
            return Ok(());
        };
        chart.draw_series([Circle::new((at, THRESHOLD), 4, color.filled())])?;
        let aside = match side {
            HPos::Right => at - 0.15,
            HPos::Left | HPos::Center => at + 0.15,
        };
        let after = format!("+{:.1} s", at - seconds(self.crash));
        draw_words(chart, after, (aside, THRESHOLD - 0.9), (color, side))
    }
}

fn draw_axes(chart: &mut Chart<'_>) -> Result<(), Box<dyn Error>> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(FAINT)
        .light_line_style(WHITE)
        .axis_style(INK)
        .label_style(text(INK))
        .axis_desc_style(text(INK))
        .x_desc("time (s)")
        .y_desc("level: φ = −log₁₀ P(a longer silence)")
        .x_labels(12)
        .y_labels(9)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .draw()?;
    Ok(())
}

fn draw_words(
    chart: &mut Chart<'_>,
    words: String,
    place: (f64, f64),
    (color, side): (RGBColor, HPos),
) -> Result<(), Box<dyn Error>> {
    let style = text(color).pos(Pos::new(side, VPos::Bottom));
    chart.draw_series([Text::new(words, place, style)])?;
    Ok(())
}

fn text(color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", 15).into_font().color(&color)
}

/// Where the line from a point inside to a point above crosses the upper border.
fn border(((x0, y0), (x1, y1)): ((f64, f64), (f64, f64))) -> (f64, f64) {
    (x0 + (x1 - x0) * (LEVEL_MAX - y0) / (y1 - y0), LEVEL_MAX)
}
