//! Writes a story as it is read, so that one made from a seed can be kept, changed and played
//! again.

use std::fmt;
use std::time::Duration;

use auscult_core::swim::{Label, MemberName};

use super::values::{Names, delay_text, fraction_text, loss_text, span_text};
use super::{Script, Show, What};
use crate::clock::Step;
use crate::deed::{Crash, Deed, Memory, Place, Stall};
use crate::ways::{Effect, Rule, Ways};

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "preset {}", self.settings.preset)?;
        for (field, value) in &self.settings.changed {
            writeln!(f, "set {field} {value}")?;
        }
        writeln!(f, "delay {}", delay_text(&self.net.delay))?;
        writeln!(f, "loss {}", loss_text(&self.net.loss))?;
        if self.net.duplication > 0.0 {
            writeln!(f, "duplicate {}", fraction_text(self.net.duplication))?;
        }
        if let Some(reordering) = self.net.reordering {
            let fraction = fraction_text(reordering.fraction);
            writeln!(f, "reorder {fraction} by {}", span_text(reordering.by))?;
        }
        for group in &self.groups {
            write!(f, "members {} {}", group.prefix, group.count)?;
            match &group.label {
                Some(label) => writeln!(f, " label {}", label.as_str())?,
                None => writeln!(f)?,
            }
        }
        if let Show::Only(places) = &self.show {
            let list = self.names.list(places.iter());
            writeln!(f, "show {}", if list.is_empty() { "none" } else { &list })?;
        }
        writeln!(f)?;
        let mut members = self.groups.iter().map(|group| group.count).sum();
        for step in &self.steps {
            let text = match &step.what {
                What::Deed(deed) => {
                    let text = deed_text(&self.names, members, deed);
                    members += usize::from(matches!(deed, Deed::Add { .. }));
                    text
                }
                What::Expect(expectation) => expectation.text(&self.names),
            };
            writeln!(f, "{} {text}", span_text(step.at))?;
        }
        writeln!(f, "{} end", span_text(self.length))
    }
}

/// A deed as a script has it, done to so many members.
pub(crate) fn deed_text(names: &Names, members: usize, deed: &Deed) -> String {
    let of = |member: &usize| names.of(*member);
    match deed {
        Deed::Add { name, label } => start_text(&names.of(members), name, label.as_ref()),
        Deed::Join { member, seeds } => {
            let seeds: Vec<String> = seeds.iter().map(of).collect();
            format!("join {} via {}", of(member), seeds.join(","))
        }
        Deed::Leave { member } => format!("leave {}", of(member)),
        Deed::Crash { member, crash } => match crash {
            Crash::Process => format!("crash {}", of(member)),
            Crash::Host => format!("crash {} host", of(member)),
        },
        Deed::Restart {
            member,
            memory,
            place,
        } => restart_text(&of(member), *memory, *place),
        Deed::Stall { member, stall } => match stall {
            Stall::Process => format!("stall {}", of(member)),
            Stall::Messages => format!("stall {} messages", of(member)),
            Stall::Sending => format!("stall {} sending", of(member)),
        },
        Deed::Resume { member } => format!("resume {}", of(member)),
        Deed::Slow { member, each } => format!("slow {} {}", of(member), span_text(*each)),
        Deed::ClockRate { member, gained_ppm } => match gained_ppm {
            0.. => format!("clock {} gain {gained_ppm}ppm", of(member)),
            _ => format!("clock {} lose {}ppm", of(member), gained_ppm.unsigned_abs()),
        },
        Deed::ClockStep { member, by } => match by {
            Step::Forward(span) => format!("clock {} forward {}", of(member), span_text(*span)),
            Step::Back(span) => format!("clock {} back {}", of(member), span_text(*span)),
        },
        Deed::SetMetadata { member, key, value } => match value {
            Some(value) => {
                let value = String::from_utf8_lossy(value);
                format!("set {} {key}={value}", of(member))
            }
            None => format!("unset {} {key}", of(member)),
        },
        Deed::Broadcast {
            member,
            key,
            payload,
        } => {
            let key = key
                .as_ref()
                .map_or_else(String::new, |key| format!(" as {key}"));
            let payload = String::from_utf8_lossy(payload);
            format!("tell {} \"{payload}\"{key}", of(member))
        }
        Deed::Watch { member, peer } => format!("watch {} {}", of(member), of(peer)),
        Deed::Unwatch { member, peer } => format!("unwatch {} {}", of(member), of(peer)),
        Deed::SetDirectLimit { member, limit } => format!("limit {} {limit}", of(member)),
        Deed::Impose { rule } => rule_text(names, rule),
        Deed::Lift { rule } => format!("lift {}", rule.0),
        Deed::Heal => "heal".into(),
    }
}

fn start_text(handle: &str, name: &MemberName, label: Option<&Label>) -> String {
    let named = if handle == name.as_str() {
        String::new()
    } else {
        format!(" named {name}")
    };
    let label = label.map_or_else(String::new, |label| format!(" label {}", label.as_str()));
    format!("start {handle}{named}{label}")
}

fn restart_text(handle: &str, memory: Memory, place: Place) -> String {
    let memory = match memory {
        Memory::Kept => "",
        Memory::Lost => " forgetful",
    };
    let place = match place {
        Place::Same => "",
        Place::OtherPort => " at port",
        Place::OtherHost => " at host",
    };
    format!("restart {handle}{memory}{place}")
}

fn rule_text(names: &Names, rule: &Rule) -> String {
    let ways = names.ways(&rule.ways);
    let what = match &rule.effect {
        Effect::Cut => match rule.ways {
            Ways::Apart(_) => "partition".into(),
            Ways::OneWay { .. } | Ways::Between(..) | Ways::Of(_) => "cut".into(),
        },
        Effect::Loss(loss) => format!("lose {}", loss_text(loss)),
        Effect::Delay(delay) => format!("delay {}", delay_text(delay)),
    };
    let flip = rule.cycle.map_or_else(String::new, |cycle| {
        format!(" flip {}/{}", span_text(cycle.on), span_text(cycle.off))
    });
    format!("{what}{ways}{flip}")
}

/// A moment of a story in a trace.
pub(crate) fn moment_text(since: Duration) -> String {
    let millis = since.as_millis();
    format!("{}.{:03}s", millis / 1_000, millis % 1_000)
}
