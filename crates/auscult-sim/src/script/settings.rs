//! The parameters of the machine by their names in a script.

use std::time::Duration;

use auscult_core::swim::{
    Config, Label, Params, ProbeOrder, StreamProbe, SuspicionRule, Timing, Violation,
};

use super::problem::Problem;
use super::values::read_span;
use super::words::Words;

/// A preset, and what is different from it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) preset: &'static str,
    pub(crate) params: Params,
    /// As in the script: field and value.
    pub(crate) changed: Vec<(&'static str, String)>,
}

type Choose = fn(Label) -> Params;

const PRESETS: [(&str, Choose); 3] = [
    ("local", Params::local),
    ("lan", Params::lan),
    ("wan", Params::wan),
];

impl Settings {
    pub(crate) fn lan() -> Self {
        Self {
            preset: "lan",
            params: Params::lan(label()),
            changed: Vec::new(),
        }
    }

    pub(super) fn read_preset(words: &mut Words<'_>) -> Result<Self, Problem> {
        let word = words.next("a preset")?;
        let names = PRESETS.map(|(name, _)| name);
        let Some((preset, choose)) = PRESETS.into_iter().find(|(name, _)| *name == word.text)
        else {
            return Err(words.unknown(word, "preset", &names));
        };
        Ok(Self {
            preset,
            params: choose(label()),
            changed: Vec::new(),
        })
    }

    /// `set FIELD VALUE`, after the `set`.
    pub(super) fn read_change(&mut self, words: &mut Words<'_>) -> Result<(), Problem> {
        let word = words.next("a parameter")?;
        let Some((name, field)) = FIELDS.into_iter().find(|(name, _)| *name == word.text) else {
            let names = FIELDS.map(|(name, _)| name);
            return Err(words.unknown(word, "parameter", &names));
        };
        let Some(value) = words.peek() else {
            return Err(words.problem(word, format!("what is {name} to be?")));
        };
        let mut params = self.params.clone();
        field.read(&mut params, words)?;
        if let Err(violations) = Config::new(params.clone()) {
            let about = |violation: &&Violation| violation.field == name;
            let found = violations.iter().find(about).or(violations.first());
            let text = found.map_or_else(String::new, ToString::to_string);
            return Err(words.problem(value, text));
        }
        self.params = params;
        self.changed.push((name, value.text.to_owned()));
        Ok(())
    }
}

/// The label of the members that have no other.
fn label() -> Label {
    match Label::new("sim") {
        Ok(label) => label,
        Err(error) => panic!("a fixed label is valid: {error}"),
    }
}

/// Where a value goes, and how it is read.
#[derive(Clone, Copy)]
enum Field {
    Span(fn(&mut Params) -> &mut Duration),
    Count(fn(&mut Params, usize)),
    Word(&'static [&'static str], fn(&mut Params, usize)),
}

impl Field {
    fn read(self, params: &mut Params, words: &mut Words<'_>) -> Result<(), Problem> {
        match self {
            Self::Span(field) => *field(params) = read_span(words, "a time")?,
            Self::Count(set) => {
                let word = words.next("a number")?;
                let most = u64::from(u16::MAX);
                match word.text.parse::<u64>() {
                    Ok(number) if number <= most => set(params, number as usize),
                    Ok(_) | Err(_) => {
                        let message = format!("a whole number up to {most} should be here");
                        return Err(words.problem(word, message));
                    }
                }
            }
            Self::Word(known, set) => {
                let word = words.next("a word")?;
                match known.iter().position(|known| *known == word.text) {
                    Some(index) => set(params, index),
                    None => return Err(words.unknown(word, "value of it", known)),
                }
            }
        }
        Ok(())
    }
}

const FIELDS: [(&str, Field); 24] = [
    (
        "probe_interval",
        Field::Span(|params| &mut params.probe_interval),
    ),
    (
        "probe_timeout",
        Field::Span(|params| &mut params.probe_timeout),
    ),
    (
        "probe_timeout_least",
        Field::Span(|params| &mut params.probe_timeout_least),
    ),
    (
        "gossip_interval",
        Field::Span(|params| &mut params.gossip_interval),
    ),
    (
        "gossip_to_dead",
        Field::Span(|params| &mut params.gossip_to_dead),
    ),
    (
        "sync_interval",
        Field::Span(|params| &mut params.sync_interval),
    ),
    (
        "heal_interval",
        Field::Span(|params| &mut params.heal_interval),
    ),
    (
        "stream_timeout",
        Field::Span(|params| &mut params.stream_timeout),
    ),
    (
        "dead_retention",
        Field::Span(|params| &mut params.dead_retention),
    ),
    (
        "left_retention",
        Field::Span(|params| &mut params.left_retention),
    ),
    (
        "stall_tolerance",
        Field::Span(|params| &mut params.stall_tolerance),
    ),
    (
        "indirect_probes",
        Field::Count(|params, count| params.indirect_probes = count),
    ),
    (
        "direct_limit",
        Field::Count(|params, count| params.direct_limit = count),
    ),
    (
        "gossip_fanout",
        Field::Count(|params, count| params.gossip_fanout = count),
    ),
    (
        "datagram_bytes",
        Field::Count(|params, count| params.datagram_bytes = count),
    ),
    (
        "suspicion_multiplier",
        Field::Count(|params, count| params.suspicion_multiplier = count as u32),
    ),
    (
        "suspicion_max_multiplier",
        Field::Count(|params, count| params.suspicion_max_multiplier = count as u32),
    ),
    (
        "confirmations",
        Field::Count(|params, count| params.confirmations = count as u32),
    ),
    (
        "retransmit_multiplier",
        Field::Count(|params, count| params.retransmit_multiplier = count as u32),
    ),
    (
        "health_max",
        Field::Count(|params, count| params.health_max = u8::try_from(count).unwrap_or(u8::MAX)),
    ),
    (
        "timing",
        Field::Word(&["measured", "fixed"], |params, index| {
            params.timing = [Timing::Measured, Timing::Fixed][index];
        }),
    ),
    (
        "order",
        Field::Word(&["shared", "own"], |params, index| {
            params.order = [ProbeOrder::Shared, ProbeOrder::Own][index];
        }),
    ),
    (
        "stream_probe",
        Field::Word(&["on", "off"], |params, index| {
            params.stream_probe = [StreamProbe::On, StreamProbe::Off][index];
        }),
    ),
    (
        "suspicion",
        Field::Word(&["logarithmic", "refutation"], |params, index| {
            params.suspicion = [SuspicionRule::Logarithmic, SuspicionRule::Refutation][index];
        }),
    ),
];
