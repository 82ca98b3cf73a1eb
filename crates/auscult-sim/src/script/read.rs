//! Reads a story, line by line.

use std::time::Duration;

use auscult_core::swim::{Label, MemberName, Params};

use super::expect::{Expectation, read_text};
use super::forms::{self, DEEDS};
use super::problem::{Problem, Problems};
use super::settings::Settings;
use super::values::{Names, read_delay, read_fraction, read_loss, read_number, read_span, span_of};
use super::words::Words;
use super::{Group, Script, Show, Step, What};
use crate::clock::Step as ClockStep;
use crate::deed::{Crash, Deed, Memory, Place, RuleId, Stall};
use crate::net::{Net, Reordering};
use crate::ways::{Effect, Rule, Ways};

pub(super) fn script(file: &str, text: &str) -> Result<Script, Problems> {
    let (story, _) = super::split(text);
    let mut reader = Reader {
        script: Script::empty(),
        rules: 0,
        ended: false,
    };
    let mut list = Vec::new();
    for (index, line) in story.lines().enumerate() {
        let mut words = Words::of(index + 1, line);
        if words.peek().is_none() {
            continue;
        }
        let read = reader.line(&mut words).and_then(|()| words.end());
        list.extend(read.err().map(|problem| with_form(problem, line)));
    }
    if reader.script.names.len() == 0 && list.is_empty() {
        let last = story.lines().last().unwrap_or("");
        let words = Words::of(story.lines().count().max(1), last);
        let end = super::words::Word {
            text: "",
            column: 1,
        };
        let problem = words.problem(end, "there are no members in this story");
        list.push(problem.hint("begin with a line like `members m 10`"));
    }
    if !list.is_empty() {
        let file = file.to_owned();
        return Err(Problems { file, list });
    }
    reader.script.steps.sort_by_key(|step| step.at);
    Ok(reader.script)
}

/// Beside a problem that says nothing of what to do: how what happens is written.
fn with_form(problem: Problem, line: &str) -> Problem {
    let form = line.split_whitespace().nth(1).and_then(forms::of_deed);
    match form {
        Some(form) if problem.hint.is_none() => problem.hint(format!("it is written `{form}`")),
        Some(_) | None => problem,
    }
}

impl Script {
    /// A story without members.
    pub(crate) fn empty() -> Self {
        Self {
            seed: 1,
            settings: Settings::lan(),
            net: Net::lan(),
            groups: Vec::new(),
            show: Show::All,
            names: Names::default(),
            steps: Vec::new(),
            end: Duration::ZERO,
            length: Duration::ZERO,
        }
    }
}

struct Reader {
    script: Script,
    /// Imposed so far.
    rules: u32,
    ended: bool,
}

const HEADS: [&str; 11] = [
    "seed",
    "preset",
    "set",
    "network",
    "delay",
    "loss",
    "duplicate",
    "reorder",
    "members",
    "show",
    "and times, as `30s`",
];

impl Reader {
    fn line(&mut self, words: &mut Words<'_>) -> Result<(), Problem> {
        let word = words.next("a word")?;
        if word.text.starts_with(|c: char| c.is_ascii_digit()) {
            let at = span_of(words, word)?;
            if at < self.script.end {
                let message = "this is earlier than the line above it";
                return Err(words
                    .problem(word, message)
                    .hint("put lines in the order of time"));
            }
            if self.ended {
                return Err(words.problem(word, "the story has ended above"));
            }
            self.script.end = at;
            self.script.wait_until(at);
            return self.step(at, words);
        }
        if !self.script.steps.is_empty() {
            let message = "this belongs above the first line with a time";
            return Err(words.problem(word, message));
        }
        let script = &mut self.script;
        match word.text {
            "seed" => script.seed = read_number(words, "a number")?,
            "preset" => script.settings = Settings::read_preset(words)?,
            "set" => script.settings.read_change(words)?,
            "network" => {
                let word = words.next("`lan` or `wan`")?;
                script.net = match word.text {
                    "lan" => Net::lan(),
                    "wan" => Net::wan(),
                    _ => return Err(words.unknown(word, "network", &["lan", "wan"])),
                };
            }
            "delay" => script.net.delay = read_delay(words)?,
            "loss" => script.net.loss = read_loss(words)?,
            "duplicate" => script.net.duplication = read_fraction(words)?,
            "reorder" => {
                let fraction = read_fraction(words)?;
                words.expect("by")?;
                let by = read_span(words, "by how long")?;
                script.net.reordering = Some(Reordering { fraction, by });
            }
            "members" => self.members(words)?,
            "show" => {
                script.show = if words.accept("all") {
                    Show::All
                } else if words.accept("none") {
                    Show::Only([].into_iter().collect())
                } else {
                    Show::Only(script.names.read(words)?.into_iter().collect())
                };
            }
            _ => return Err(words.unknown(word, "beginning of a line", &HEADS)),
        }
        Ok(())
    }

    /// `members m 10 [label other]`
    fn members(&mut self, words: &mut Words<'_>) -> Result<(), Problem> {
        let prefix = words.next("the beginning of their names")?;
        let number = words.peek();
        let count = read_number(words, "how many")?;
        if !(1..=MEMBERS_MAX).contains(&count)
            && let Some(number) = number
        {
            return Err(words.problem(number, format!("from 1 to {MEMBERS_MAX} members")));
        }
        let label = read_label(words)?;
        for index in 0..count {
            let name = format!("{}{index}", prefix.text);
            if let Err(error) = MemberName::new(&name) {
                return Err(words.problem(prefix, format!("`{name}` is no name: {error}")));
            }
            if self.script.names.add(&name).is_none() {
                return Err(words.problem(prefix, format!("there is a member `{name}` already")));
            }
        }
        self.script.groups.push(Group {
            prefix: prefix.text.to_owned(),
            count: count as usize,
            label,
        });
        Ok(())
    }

    fn push(&mut self, at: Duration, deed: Deed) {
        let what = What::Deed(deed);
        self.script.steps.push(Step { at, what });
    }

    fn each(&mut self, at: Duration, members: &[usize], deed: impl Fn(usize) -> Deed) {
        for &member in members {
            self.push(at, deed(member));
        }
    }

    fn step(&mut self, at: Duration, words: &mut Words<'_>) -> Result<(), Problem> {
        let word = words.next("what happens")?;
        match word.text {
            "crash" | "restart" | "start" | "join" | "leave" => self.life(at, word.text, words),
            "stall" | "resume" | "slow" | "clock" => self.ill(at, word.text, words),
            "partition" | "cut" | "lose" | "delay" => self.rule(at, word.text, words),
            "set" | "unset" | "tell" => self.user(at, word.text, words),
            "watch" | "unwatch" | "limit" => self.direct(at, word.text, words),
            "lift" => {
                let number = words.peek();
                let rule = read_number(words, "the number of a rule")?;
                if rule >= u64::from(self.rules)
                    && let Some(number) = number
                {
                    let message = format!("there is no rule {rule} yet");
                    let hint = "they are counted from 0 in the order in which they are imposed";
                    return Err(words.problem(number, message).hint(hint));
                }
                let rule = RuleId(rule as u32);
                self.push(at, Deed::Lift { rule });
                Ok(())
            }
            "heal" => {
                self.push(at, Deed::Heal);
                Ok(())
            }
            "expect" => {
                let expectation = Expectation::read(&self.script.names, words)?;
                let latest = at.saturating_add(expectation.within.unwrap_or(Duration::ZERO));
                let what = What::Expect(expectation);
                self.script.steps.push(Step { at, what });
                self.script.wait_until(latest);
                Ok(())
            }
            "end" => {
                self.ended = true;
                self.script.wait_until(at);
                Ok(())
            }
            _ => Err(words.unknown(word, "deed", &DEEDS.map(|(name, _)| name))),
        }
    }

    fn life(&mut self, at: Duration, what: &str, words: &mut Words<'_>) -> Result<(), Problem> {
        if what == "start" {
            return self.start(at, words);
        }
        let members = self.script.names.read(words)?;
        match what {
            "crash" => {
                let crash = if words.accept("host") {
                    Crash::Host
                } else {
                    Crash::Process
                };
                self.each(at, &members, |member| Deed::Crash { member, crash });
            }
            "restart" => {
                let memory = if words.accept("forgetful") {
                    Memory::Lost
                } else {
                    Memory::Kept
                };
                let place = if words.accept("at") {
                    let word = words.next("`port` or `host`")?;
                    match word.text {
                        "port" => Place::OtherPort,
                        "host" => Place::OtherHost,
                        _ => return Err(words.unknown(word, "place", &["port", "host"])),
                    }
                } else {
                    Place::Same
                };
                self.each(at, &members, |member| Deed::Restart {
                    member,
                    memory,
                    place,
                });
                self.via(at, &members, words)?;
            }
            "join" => {
                words.expect("via")?;
                let seeds = self.script.names.read(words)?;
                self.each(at, &members, |member| Deed::Join {
                    member,
                    seeds: seeds.clone(),
                });
            }
            _ => self.each(at, &members, |member| Deed::Leave { member }),
        }
        Ok(())
    }

    /// `via m0,m1`, or nothing.
    fn via(
        &mut self,
        at: Duration,
        members: &[usize],
        words: &mut Words<'_>,
    ) -> Result<(), Problem> {
        if words.accept("via") {
            let seeds = self.script.names.read(words)?;
            self.each(at, members, |member| Deed::Join {
                member,
                seeds: seeds.clone(),
            });
        }
        Ok(())
    }

    /// `start x [named m3] [label other] [via m0]`, or `start x 50 [label other] [via m0]`.
    fn start(&mut self, at: Duration, words: &mut Words<'_>) -> Result<(), Problem> {
        let word = words.next("a name")?;
        let many = words
            .peek()
            .filter(|word| word.text.starts_with(|c: char| c.is_ascii_digit()));
        let handles: Vec<String> = match many {
            Some(number) => {
                let count = read_number(words, "how many")?;
                if !(1..=MEMBERS_MAX).contains(&count) {
                    return Err(words.problem(number, format!("from 1 to {MEMBERS_MAX} members")));
                }
                (0..count)
                    .map(|index| format!("{}{index}", word.text))
                    .collect()
            }
            None => vec![word.text.to_owned()],
        };
        let named = if many.is_none() && words.accept("named") {
            Some(words.next("a name")?)
        } else {
            None
        };
        let label = read_label(words)?;
        let mut members = Vec::new();
        for handle in handles {
            let text = named.map_or(&*handle, |word| word.text);
            let name = MemberName::new(text).map_err(|error| {
                words.problem(
                    named.unwrap_or(word),
                    format!("`{text}` is no name: {error}"),
                )
            })?;
            let Some(member) = self.script.names.add(&handle) else {
                return Err(words.problem(word, format!("there is a member `{handle}` already")));
            };
            members.push(member);
            let label = label.clone();
            self.push(at, Deed::Add { name, label });
        }
        self.via(at, &members, words)
    }

    fn ill(&mut self, at: Duration, what: &str, words: &mut Words<'_>) -> Result<(), Problem> {
        let members = self.script.names.read(words)?;
        match what {
            "stall" => {
                let stall = if words.accept("messages") {
                    Stall::Messages
                } else if words.accept("sending") {
                    Stall::Sending
                } else {
                    Stall::Process
                };
                self.each(at, &members, |member| Deed::Stall { member, stall });
                if words.accept("for") {
                    let span = read_span(words, "for how long")?;
                    let end = at.saturating_add(span);
                    self.each(end, &members, |member| Deed::Resume { member });
                    self.script.wait_until(end);
                }
            }
            "resume" => self.each(at, &members, |member| Deed::Resume { member }),
            "slow" => {
                let each = read_span(words, "how long it takes for each message")?;
                self.each(at, &members, |member| Deed::Slow { member, each });
            }
            _ => {
                let word = words.next("`forward`, `back`, `gain` or `lose`")?;
                let deed: Box<dyn Fn(usize) -> Deed> = match word.text {
                    "forward" | "back" => {
                        let span = read_span(words, "by how much")?;
                        let by = if word.text == "back" {
                            ClockStep::Back(span)
                        } else {
                            ClockStep::Forward(span)
                        };
                        Box::new(move |member| Deed::ClockStep { member, by })
                    }
                    "gain" | "lose" => {
                        let ppm = read_ppm(words)?;
                        let gained_ppm = if word.text == "lose" { -ppm } else { ppm };
                        Box::new(move |member| Deed::ClockRate { member, gained_ppm })
                    }
                    _ => {
                        let known = ["forward", "back", "gain", "lose"];
                        return Err(words.unknown(word, "thing to do to a clock", &known));
                    }
                };
                self.each(at, &members, deed);
            }
        }
        Ok(())
    }

    fn rule(&mut self, at: Duration, what: &str, words: &mut Words<'_>) -> Result<(), Problem> {
        let names = &self.script.names;
        let mut rule = match what {
            "partition" => {
                let mut groups = vec![names.read_who(words)?];
                words.expect("|")?;
                groups.push(names.read_who(words)?);
                while words.accept("|") {
                    groups.push(names.read_who(words)?);
                }
                Rule::partition(groups)
            }
            "cut" => {
                let word = words.peek();
                let ways = names.read_ways(words)?;
                if ways == Ways::all()
                    && let Some(word) = word
                {
                    let message = "which ways?";
                    let hint = "write `of m1`, `between m1 and m2` or `from m1 to m2`";
                    return Err(words.problem(word, message).hint(hint));
                }
                Rule::steady(ways, Effect::Cut)
            }
            "lose" => {
                let loss = read_loss(words)?;
                Rule::steady(names.read_ways(words)?, Effect::Loss(loss))
            }
            _ => {
                let delay = read_delay(words)?;
                Rule::steady(names.read_ways(words)?, Effect::Delay(delay))
            }
        };
        if words.accept("flip") {
            let word = words.next("two times, as `20s/20s`,")?;
            let Some((on, off)) = word.text.split_once('/') else {
                return Err(words.problem(word, "write it as 20s/20s: on and off"));
            };
            let on = span_of(words, super::words::Word { text: on, ..word })?;
            let off = span_of(words, super::words::Word { text: off, ..word })?;
            rule = rule.flipping(on, off);
        }
        self.push(at, Deed::Impose { rule });
        let rule = RuleId(self.rules);
        self.rules += 1;
        if words.accept("for") {
            let end = at.saturating_add(read_span(words, "for how long")?);
            self.push(end, Deed::Lift { rule });
            self.script.wait_until(end);
        }
        Ok(())
    }

    /// `watch m1 m2`, `unwatch m1 m2`, `limit all 50`.
    fn direct(&mut self, at: Duration, what: &str, words: &mut Words<'_>) -> Result<(), Problem> {
        let members = self.script.names.read(words)?;
        if what == "limit" {
            let limit = read_number(words, "up to how many members")? as usize;
            self.each(at, &members, |member| Deed::SetDirectLimit {
                member,
                limit,
            });
            return Ok(());
        }
        for peer in self.script.names.read(words)? {
            self.each(at, &members, |member| match what {
                "watch" => Deed::Watch { member, peer },
                _ => Deed::Unwatch { member, peer },
            });
        }
        Ok(())
    }

    /// `set m1 role=web`, `unset m1 role`, `tell m1 "hello" [as greeting]`.
    fn user(&mut self, at: Duration, what: &str, words: &mut Words<'_>) -> Result<(), Problem> {
        let members = self.script.names.read(words)?;
        if what == "tell" {
            let payload = read_text(words)?.into_bytes();
            let key = if words.accept("as") {
                Some(words.next("a key")?.text.to_owned())
            } else {
                None
            };
            self.each(at, &members, |member| Deed::Broadcast {
                member,
                key: key.clone(),
                payload: payload.clone(),
            });
            return Ok(());
        }
        let word = words.next("a key")?;
        let (key, value) = match word.text.split_once('=') {
            Some((key, value)) if what == "set" => (key, Some(value.as_bytes().to_vec())),
            None if what == "unset" => (word.text, None),
            Some(_) => return Err(words.problem(word, "a key without a value should be here")),
            None => return Err(words.problem(word, "write it as key=value")),
        };
        self.each(at, &members, |member| Deed::SetMetadata {
            member,
            key: key.to_owned(),
            value: value.clone(),
        });
        Ok(())
    }
}

impl Script {
    /// The story takes at least this long.
    pub(crate) fn wait_until(&mut self, at: Duration) {
        self.length = self.length.max(at);
    }

    /// The parameters of a group.
    pub(super) fn params(&self, label: Option<&Label>) -> Params {
        let mut params = self.settings.params.clone();
        if let Some(label) = label {
            params.label = label.clone();
        }
        params
    }
}

fn read_label(words: &mut Words<'_>) -> Result<Option<Label>, Problem> {
    if !words.accept("label") {
        return Ok(None);
    }
    let word = words.next("a label")?;
    match Label::new(word.text) {
        Ok(label) => Ok(Some(label)),
        Err(error) => Err(words.problem(word, format!("`{}` is no label: {error}", word.text))),
    }
}

/// `500ppm`
fn read_ppm(words: &mut Words<'_>) -> Result<i32, Problem> {
    let word = words.next("millionths, as `500ppm`,")?;
    let number = word.text.strip_suffix("ppm");
    let number = number.and_then(|number| number.parse::<i32>().ok());
    match number {
        Some(number) if (0..=PPM_MAX).contains(&number) => Ok(number),
        Some(_) | None => {
            let message = format!("millionths from 0ppm to {PPM_MAX}ppm should be here");
            Err(words.problem(word, message))
        }
    }
}

/// A clock at half its speed, or half as fast again.
const PPM_MAX: i32 = 500_000;
const MEMBERS_MAX: u64 = 10_000;
