//! `auscult sim lifeguard | swim | rapid`: the papers' experiments, and what the papers saw.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::Duration;

use auscult_sim::papers::lifeguard::{self, Grid, Report, Setting};
use auscult_sim::papers::rapid::{self, Trouble};
use auscult_sim::papers::swim;

use crate::args::{SimLifeguardArgs, SimRapidArgs};
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

pub(super) fn swim() -> Result<(), Stop> {
    let params = Setting::Ours.params();
    print(&swim::stability(&params, 0..10, Duration::from_secs(3_600)))?;
    for order in [
        auscult_core::swim::ProbeOrder::Own,
        auscult_core::swim::ProbeOrder::Shared,
    ] {
        print(&format!(
            "{order:?} order of probes\n{}",
            swim::detection(order, 128, 100)
        ))?;
    }
    Ok(())
}

pub(super) fn rapid(args: &SimRapidArgs) -> Result<(), Stop> {
    let members = usize::from(args.members);
    let params = Setting::Ours.params();
    let agreed = rapid::bootstrap(members, 1, Duration::from_secs(300));
    print(&match agreed {
        Some(after) => format!("{members} members that join at once agree after {after:?}\n"),
        None => format!("{members} members that join at once do not agree in 300 s\n"),
    })?;
    print(&rapid::dissemination(&params, members, 10))?;
    let span = Duration::from_secs(u64::from(args.seconds));
    for trouble in Trouble::ALL {
        print(&rapid::unstable(&params, trouble, members, span))?;
    }
    Ok(())
}

fn print(shown: &dyn Display) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    write!(out, "{shown}").and_then(|()| out.flush())?;
    Ok(())
}
