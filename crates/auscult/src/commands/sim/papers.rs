//! `auscult sim lifeguard | swim | rapid`: the papers' experiments, and what the papers saw.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::Duration;

use auscult_core::swim::ProbeOrder;
use auscult_sim::papers::lifeguard::{self, Grid, Report, Setting};
use auscult_sim::papers::rapid::{self, Trouble};
use auscult_sim::papers::swim;

use clap::ValueEnum as _;

use crate::args::{RapidExperiment, SimLifeguardArgs, SimRapidArgs, SimSwimArgs, SwimExperiment};
use crate::exit::{Exit, Stop};

pub(super) fn lifeguard(args: &SimLifeguardArgs) -> Result<(), Stop> {
    let mut grid = Grid::paper();
    if !args.affected.is_empty() {
        grid.affected.clone_from(&args.affected);
    }
    if !args.spans.is_empty() {
        grid.spans_ms.clone_from(&args.spans);
    }
    if !args.gaps.is_empty() {
        grid.gaps_ms.clone_from(&args.gaps);
    }
    if let Some(each) = args.each {
        grid.each = Duration::from_micros(each);
    }
    if grid
        .affected
        .iter()
        .any(|&count| !(1..=64).contains(&count))
    {
        return Err(Stop::new(Exit::No, "affected: 1 to 64 of the 128 members"));
    }
    let mut report = Report::default();
    for setting in settings(&args.setting)? {
        let row = lifeguard::run(setting, &grid, |_, _| {});
        report.rows.insert(setting, row);
    }
    print(&report)
}

fn settings(names: &[String]) -> Result<Vec<Setting>, Stop> {
    if names.is_empty() {
        return Ok(Setting::ALL.to_vec());
    }
    let find = |name: &String| {
        let found = Setting::ALL.into_iter().find(|one| one.as_str() == name);
        found.ok_or_else(|| Stop::new(Exit::No, format!("there is no setting named {name}")))
    };
    names.iter().map(find).collect()
}

pub(super) fn swim(args: &SimSwimArgs) -> Result<(), Stop> {
    let is_wanted = |experiment| args.only.is_none_or(|only| only == experiment);
    if is_wanted(SwimExperiment::Joins) {
        let mut params = Setting::Ours.params();
        params.direct_limit = args.direct_limit as usize;
        let span = Duration::from_secs(60 * u64::from(args.minutes));
        let seeds = 0..u64::from(args.seeds);
        print(&swim::stability(&params, seeds, span))?;
    }
    if is_wanted(SwimExperiment::Detection) {
        for order in [ProbeOrder::Own, ProbeOrder::Shared] {
            let found = swim::detection(order, 128, u64::from(args.crashes));
            print(&format!("{order:?} order of probes\n{found}"))?;
        }
    }
    Ok(())
}

pub(super) fn rapid(args: &SimRapidArgs) -> Result<(), Stop> {
    let members = usize::from(args.members);
    let params = Setting::Ours.params();
    let span = Duration::from_secs(u64::from(args.seconds));
    for &experiment in wanted(&args.only) {
        let trouble = match experiment {
            RapidExperiment::Bootstrap => {
                let wave = (args.wave > 0).then_some(usize::from(args.wave));
                let limit = Duration::from_secs(300);
                print(&rapid::bootstrap(members, wave, 1, limit))?;
                continue;
            }
            RapidExperiment::Dissemination => {
                let times = u64::from(args.times);
                print(&rapid::dissemination(&params, members, times))?;
                continue;
            }
            RapidExperiment::Crash => Trouble::Crash,
            RapidExperiment::EgressLoss => Trouble::EgressLoss,
            RapidExperiment::FlipFlop => Trouble::FlipFlop,
        };
        print(&rapid::unstable(&params, trouble, members, span))?;
    }
    Ok(())
}

fn wanted(only: &[RapidExperiment]) -> &[RapidExperiment] {
    if only.is_empty() {
        RapidExperiment::value_variants()
    } else {
        only
    }
}

fn print(shown: &dyn Display) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    write!(out, "{shown}").and_then(|()| out.flush())?;
    Ok(())
}
