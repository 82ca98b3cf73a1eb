//! What must hold in every history.

use std::collections::{BTreeMap, BTreeSet};

use auscult_core::monitor::observers::{Teller, Turn, Verdict};

use crate::world::{Line, World};

type Check = fn(&World) -> Result<(), String>;

pub(crate) const ALL: [(&str, Check); 6] = [
    ("once", once),
    ("in order", in_order),
    ("one voice", one_voice),
    ("no gap", no_gap),
    ("no false down", no_false_down),
    ("in the end", in_the_end),
];

/// No process says the same ruling twice.
fn once(world: &World) -> Result<(), String> {
    for (process, lines) in by_process(world) {
        let mut keys = BTreeSet::new();
        for line in lines {
            if !keys.insert(line.ruling.key(&line.target)) {
                return Err(format!("{process:?} said {line:?} twice"));
            }
        }
    }
    Ok(())
}

/// The rulings that a process says of a target follow each other.
fn in_order(world: &World) -> Result<(), String> {
    for (process, lines) in by_process(world) {
        let mut last: BTreeMap<&str, Turn> = BTreeMap::new();
        for line in lines {
            let before = last.insert(&line.target, line.ruling.turn);
            if before.is_some_and(|before| before > line.ruling.turn) {
                return Err(format!("{process:?} said {line:?} too late"));
            }
        }
    }
    Ok(())
}

/// Two rulings of the same number never differ.
fn one_voice(world: &World) -> Result<(), String> {
    let mut verdicts: BTreeMap<(&str, Turn), Verdict> = BTreeMap::new();
    for line in &world.log {
        let key = (&*line.target, line.ruling.turn);
        let before = verdicts.insert(key, line.ruling.verdict);
        if before.is_some_and(|before| before != line.ruling.verdict) {
            return Err(format!("another voice said {before:?}: {line:?}"));
        }
    }
    Ok(())
}

/// Every number was told to the world by somebody, and each begins where the one before ended.
fn no_gap(world: &World) -> Result<(), String> {
    let mut told: BTreeMap<(&str, Turn), &Line> = BTreeMap::new();
    for line in world.log.iter().filter(|line| line.teller == Teller::Here) {
        told.insert((&line.target, line.ruling.turn), line);
    }
    for (&(target, turn), line) in &told {
        if turn.number == 1 {
            continue;
        }
        let before = Turn {
            number: turn.number - 1,
            ..turn
        };
        match told.get(&(target, before)) {
            Some(before) if before.ruling.verdict == line.ruling.from => {}
            found => return Err(format!("before {line:?} came {found:?}")),
        }
    }
    Ok(())
}

/// What a majority of the monitors could reach all the time was never called down.
fn no_false_down(world: &World) -> Result<(), String> {
    let wrong = world.log.iter().find(|line| {
        line.ruling.verdict == Verdict::Down && world.always_reached.contains(&line.target)
    });
    wrong.map_or(Ok(()), |line| Err(format!("{line:?}")))
}

/// When all is well again, all monitors know the same last ruling, and it is true.
fn in_the_end(world: &World) -> Result<(), String> {
    for target in &world.targets {
        let expected = world.truth(target);
        for monitor in &world.monitors {
            let view = monitor.machine.view(target);
            let view = view.ok_or_else(|| format!("{target} is unknown"))?;
            if view.verdict != expected || !view.ruling.told {
                let name = monitor.machine.me();
                return Err(format!(
                    "{name} says {target} is {}, it is {expected}: {view:?}",
                    view.verdict
                ));
            }
        }
    }
    Ok(())
}

/// The log by monitor and life.
fn by_process(world: &World) -> BTreeMap<(usize, u32), Vec<&Line>> {
    let mut lines: BTreeMap<_, Vec<&Line>> = BTreeMap::new();
    for line in &world.log {
        lines
            .entry((line.monitor, line.life))
            .or_default()
            .push(line);
    }
    lines
}
