//! What a story says must be the case.

use std::time::Duration;

use auscult_core::swim::{Mode, State};

use super::problem::Problem;
use super::values::{Names, read_number, read_span, span_text};
use super::words::Words;
use crate::ways::Places;
use crate::world::World;

/// Something that must be the case at its moment, or become so within a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// How long it may take.
    pub within: Option<Duration>,
    pub(crate) claim: Claim,
}

/// What is claimed. Of those asked, only members that run answer, and never about themselves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Claim {
    /// All members that run have the same view, cluster by cluster.
    Agreed,
    /// These are in this state; `None`: nothing is known of them.
    State(Places, Option<State>, Places),
    /// These have so many live members.
    Live(u64, Places),
    /// None of the second ones ever said that one of the first ones failed.
    NoVerdict(Places, Places),
    /// These are known where they listen.
    Found(Places, Places),
    /// Their metadata has this value.
    Metadata(Places, String, String, Places),
    /// These find failures in this way.
    Mode(Mode, Places),
    /// These were told this.
    Told(String, Places),
}

/// What was said since the story began, as far as claims are about it.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Who convicted whom.
    pub(crate) verdicts: Vec<(usize, usize)>,
    /// Who was told what.
    pub(crate) told: Vec<(usize, String)>,
}

const STATES: [&str; 8] = [
    "alive", "suspect", "dead", "left", "unknown", "live", "found", "has",
];

impl Expectation {
    /// What follows `expect`.
    pub(super) fn read(names: &Names, words: &mut Words<'_>) -> Result<Self, Problem> {
        let within = if words.accept("within") {
            Some(read_span(words, "a time, as `10s`,")?)
        } else {
            None
        };
        let claim = Claim::read(names, words)?;
        Ok(Self { within, claim })
    }

    pub(super) fn text(&self, names: &Names) -> String {
        let claim = self.claim.text(names);
        match self.within {
            Some(within) => format!("expect within {} {claim}", span_text(within)),
            None => format!("expect {claim}"),
        }
    }
}

impl Claim {
    fn read(names: &Names, words: &mut Words<'_>) -> Result<Self, Problem> {
        if words.accept("agreed") {
            return Ok(Self::Agreed);
        }
        if words.accept("live") {
            let count = read_number(words, "how many")?;
            return Ok(Self::Live(count, read_at(names, words)?));
        }
        if words.accept("no") {
            words.expect("verdict")?;
            let of = if words.accept("of") {
                names.read(words)?
            } else {
                (0..names.len()).collect()
            };
            let by = if words.accept("by") {
                names.read(words)?
            } else {
                (0..names.len()).collect()
            };
            let [of, by] = [of, by].map(|list| list.into_iter().collect());
            return Ok(Self::NoVerdict(of, by));
        }
        if words.accept("mode") {
            let word = words.next("a mode")?;
            let Some(mode) = Mode::ALL
                .into_iter()
                .find(|mode| mode.as_str() == word.text)
            else {
                return Err(words.unknown(word, "mode", &Mode::ALL.map(Mode::as_str)));
            };
            return Ok(Self::Mode(mode, read_at(names, words)?));
        }
        if words.accept("told") {
            let what = read_text(words)?;
            return Ok(Self::Told(what, read_at(names, words)?));
        }
        let of: Places = names.read(words)?.into_iter().collect();
        let word = words.next("a state, as `dead`,")?;
        let state = match word.text {
            "unknown" => None,
            "found" => return Ok(Self::Found(of, read_at(names, words)?)),
            "has" => {
                let word = words.next("a key and a value, as `role=web`,")?;
                let Some((key, value)) = word.text.split_once('=') else {
                    return Err(words.problem(word, "write it as key=value"));
                };
                let (key, value) = (key.to_owned(), value.to_owned());
                return Ok(Self::Metadata(of, key, value, read_at(names, words)?));
            }
            text => match State::ALL.into_iter().find(|state| state.as_str() == text) {
                Some(state) => Some(state),
                None => return Err(words.unknown(word, "state", &STATES)),
            },
        };
        Ok(Self::State(of, state, read_at(names, words)?))
    }

    fn text(&self, names: &Names) -> String {
        let list = |places: &Places| names.list(places.iter());
        match self {
            Self::Agreed => "agreed".into(),
            Self::State(of, state, at) => {
                let state = state.map_or("unknown", State::as_str);
                format!("{} {state} at {}", list(of), list(at))
            }
            Self::Live(count, at) => format!("live {count} at {}", list(at)),
            Self::NoVerdict(of, by) => format!("no verdict of {} by {}", list(of), list(by)),
            Self::Found(of, at) => format!("{} found at {}", list(of), list(at)),
            Self::Metadata(of, key, value, at) => {
                format!("{} has {key}={value} at {}", list(of), list(at))
            }
            Self::Mode(mode, at) => format!("mode {} at {}", mode.as_str(), list(at)),
            Self::Told(what, at) => format!("told \"{what}\" at {}", list(at)),
        }
    }

    /// What is not as claimed, in a sentence; `None` if all is.
    pub(super) fn refute(&self, world: &World, names: &Names, heard: &Heard) -> Option<String> {
        match self {
            Self::Agreed => {
                let place = world.first_to_disagree()?;
                let live = world.member(place).live();
                Some(format!("{} knows {live} live members", names.of(place)))
            }
            Self::State(of, state, at) => each(world, of, at, |of, at| {
                let found = world.member(at).member(world.name(of));
                let found = found.map(|view| view.state());
                if found == *state {
                    return None;
                }
                let found = found.map_or("unknown", State::as_str);
                Some(format!("{} is {found} at {}", names.of(of), names.of(at)))
            }),
            Self::Live(count, at) => {
                let mut asked = at.iter().filter(|&at| world.is_running(at));
                let wrong = asked.find(|&at| world.member(at).live() as u64 != *count)?;
                let live = world.member(wrong).live();
                Some(format!("{} knows {live} live members", names.of(wrong)))
            }
            Self::NoVerdict(of, by) => {
                let mut verdicts = heard.verdicts.iter();
                let &(by, of) = verdicts.find(|&&(one, found)| by.has(one) && of.has(found))?;
                Some(format!(
                    "{} said that {} failed",
                    names.of(by),
                    names.of(of)
                ))
            }
            Self::Found(of, at) => each(world, of, at, |of, at| {
                let view = world.member(at).member(world.name(of));
                let found = view.map(|view| view.address());
                if found == Some(world.address(of)) {
                    return None;
                }
                let found = found.map_or_else(|| "nowhere".into(), |found| found.to_string());
                Some(format!(
                    "{} is at {found} for {}",
                    names.of(of),
                    names.of(at)
                ))
            }),
            Self::Metadata(of, key, value, at) => each(world, of, at, |of, at| {
                let found = metadata_of(world, of, at, key)?;
                let (of, at) = (names.of(of), names.of(at));
                (found != *value).then(|| format!("{key} of {of} is {found} at {at}"))
            }),
            Self::Mode(mode, at) => {
                let mut asked = at.iter().filter(|&at| world.is_running(at));
                let wrong = asked.find(|&at| world.member(at).mode() != *mode)?;
                let mode = world.member(wrong).mode().as_str();
                Some(format!("{} is in mode {mode}", names.of(wrong)))
            }
            Self::Told(what, at) => {
                let told = |at| {
                    heard
                        .told
                        .iter()
                        .any(|(to, said)| *to == at && said == what)
                };
                let wrong = at.iter().find(|&at| world.is_running(at) && !told(at))?;
                Some(format!("{} was not told", names.of(wrong)))
            }
        }
    }
}

/// The first that one of those asked says wrongly of one of these.
fn each(
    world: &World,
    of: &Places,
    at: &Places,
    wrong: impl Fn(usize, usize) -> Option<String>,
) -> Option<String> {
    let mut asked = at.iter().filter(|&at| world.is_running(at));
    asked.find_map(|at| {
        of.iter()
            .filter(|&of| of != at)
            .find_map(|of| wrong(of, at))
    })
}

/// A value as one member knows it of another one; `None` where it does not know the other one.
fn metadata_of(world: &World, of: usize, at: usize, key: &str) -> Option<String> {
    let view = world.member(at).member(world.name(of))?;
    let mut metadata = view.metadata();
    let value = metadata
        .find(|&(found, _)| found == key)
        .map(|(_, value)| value);
    Some(value.map_or("nothing".into(), |value| {
        String::from_utf8_lossy(value).into_owned()
    }))
}

fn read_at(names: &Names, words: &mut Words<'_>) -> Result<Places, Problem> {
    words.expect("at")?;
    Ok(names.read(words)?.into_iter().collect())
}

/// Words between quotation marks, or one word.
pub(super) fn read_text(words: &mut Words<'_>) -> Result<String, Problem> {
    let first = words.next("what to say")?;
    let Some(text) = first.text.strip_prefix('"') else {
        return Ok(first.text.to_owned());
    };
    let mut text = text.to_owned();
    while !text.ends_with('"') {
        text = text + " " + words.next("the second `\"`")?.text;
    }
    text.pop();
    Ok(text)
}
