//! The values of a script: times, fractions, members, delays, losses; read and written.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_core::time::nanos;

use super::problem::{Problem, nearest};
use super::words::{Word, Words};
use crate::net::{Bursts, Delay, Loss};
use crate::ways::{Ways, Who};

/// The members of a script: each has a handle, and the handle's place in the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    handles: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Names {
    /// Adds a handle, unless it is there.
    pub(super) fn add(&mut self, handle: &str) -> Option<usize> {
        let place = self.handles.len();
        if self.places.contains_key(handle) {
            return None;
        }
        self.places.insert(handle.to_owned(), place);
        self.handles.push(handle.to_owned());
        Some(place)
    }

    pub(super) fn len(&self) -> usize {
        self.handles.len()
    }

    /// The handle of a place; its number where it has none.
    pub(crate) fn of(&self, place: usize) -> String {
        let handle = self.handles.get(place).cloned();
        handle.unwrap_or_else(|| place.to_string())
    }

    fn find(&self, words: &Words<'_>, word: Word<'_>, handle: &str) -> Result<usize, Problem> {
        self.places.get(handle).copied().ok_or_else(|| {
            let problem = words.problem(word, format!("there is no member `{handle}`"));
            let known: Vec<&str> = self.handles.iter().map(String::as_str).collect();
            match nearest(handle, &known) {
                Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
                None => problem.hint("members are named in `members` and `start`, above their use"),
            }
        })
    }

    /// `m3`, `m1,m4`, `m0..m4`, `all`.
    pub(super) fn read(&self, words: &mut Words<'_>) -> Result<Vec<usize>, Problem> {
        let word = words.next("a member, as `m3`, `m1,m4`, `m0..m4` or `all`,")?;
        if word.text == "all" {
            return Ok((0..self.len()).collect());
        }
        let mut found = Vec::new();
        for part in word.text.split(',') {
            match part.split_once("..") {
                None => found.push(self.find(words, word, part)?),
                Some((first, last)) => {
                    let first = self.find(words, word, first)?;
                    let last = self.find(words, word, last)?;
                    if first > last {
                        return Err(words.problem(word, "the first member comes after the last"));
                    }
                    found.extend(first..=last);
                }
            }
        }
        Ok(found)
    }

    pub(super) fn read_who(&self, words: &mut Words<'_>) -> Result<Who, Problem> {
        if words.accept("all") {
            return Ok(Who::Everybody);
        }
        Ok(Who::these(self.read(words)?))
    }

    /// `of WHO`, `between WHO and WHO`, `from WHO to WHO`, or nothing for all ways.
    pub(super) fn read_ways(&self, words: &mut Words<'_>) -> Result<Ways, Problem> {
        if words.accept("of") {
            return Ok(Ways::Of(self.read_who(words)?));
        }
        if words.accept("between") {
            let one = self.read_who(words)?;
            words.expect("and")?;
            return Ok(Ways::Between(one, self.read_who(words)?));
        }
        if words.accept("from") {
            let from = self.read_who(words)?;
            words.expect("to")?;
            let to = self.read_who(words)?;
            return Ok(Ways::OneWay { from, to });
        }
        Ok(Ways::all())
    }

    /// Some members, as a script has them.
    pub(super) fn list(&self, places: impl IntoIterator<Item = usize>) -> String {
        let mut parts: Vec<(usize, usize)> = Vec::new();
        for place in places {
            match parts.last_mut() {
                Some((_, last)) if *last + 1 == place => *last = place,
                Some(_) | None => parts.push((place, place)),
            }
        }
        let part = |(first, last)| match last - first {
            0 => self.of(first),
            1 => format!("{},{}", self.of(first), self.of(last)),
            _ => format!("{}..{}", self.of(first), self.of(last)),
        };
        parts.into_iter().map(part).collect::<Vec<_>>().join(",")
    }

    pub(super) fn who(&self, who: &Who) -> String {
        match who {
            Who::Everybody => "all".into(),
            Who::These(places) => self.list(places.iter()),
        }
    }

    /// What [`read_ways`](Self::read_ways) reads, with a space before it.
    pub(super) fn ways(&self, ways: &Ways) -> String {
        match ways {
            Ways::Of(Who::Everybody) => String::new(),
            Ways::Of(who) => format!(" of {}", self.who(who)),
            Ways::Between(one, two) => {
                format!(" between {} and {}", self.who(one), self.who(two))
            }
            Ways::OneWay { from, to } => format!(" from {} to {}", self.who(from), self.who(to)),
            Ways::Apart(groups) => {
                let groups: Vec<String> = groups.iter().map(|group| self.who(group)).collect();
                format!(" {}", groups.join(" | "))
            }
        }
    }
}

/// `90s`, `1.5s`, `200ms`, `250us`, `2m`, `1h`.
pub(super) fn read_span(words: &mut Words<'_>, what: &str) -> Result<Duration, Problem> {
    let word = words.next(what)?;
    span_of(words, word)
}

pub(super) fn span_of(words: &Words<'_>, word: Word<'_>) -> Result<Duration, Problem> {
    span(word.text).ok_or_else(|| {
        let problem = words.problem(word, format!("`{}` is no time", word.text));
        problem.hint("write it as 30s, 1.5s, 250ms, 2m or 1h")
    })
}

fn span(text: &str) -> Option<Duration> {
    let letters = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(letters);
    let size = UNITS.iter().find(|&&(name, _)| name == unit)?.1;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || part.len() > 9 || (number.contains('.') && part.is_empty()) {
        return None;
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return None;
    }
    let mut nanos = whole.parse::<u64>().ok()?.checked_mul(size)?;
    if !part.is_empty() {
        let scale = 10_u64.pow(part.len() as u32);
        let part = u128::from(part.parse::<u64>().ok()?) * u128::from(size);
        nanos = nanos.checked_add(u64::try_from(part / u128::from(scale)).ok()?)?;
    }
    Some(Duration::from_nanos(nanos)).filter(|span| *span <= SPAN_MAX)
}

/// No story takes longer than a year.
const SPAN_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// The shortest text that means this span exactly.
pub(crate) fn span_text(span: Duration) -> String {
    let nanos = nanos(span);
    if nanos == 0 {
        return "0s".into();
    }
    let (unit, size) = UNITS
        .into_iter()
        .skip(2)
        .find(|&(_, size)| nanos >= size)
        .unwrap_or(("ns", 1));
    let whole = nanos / size;
    // Digits after the point: as many as the unit has, without zeros at the end.
    let width = size.ilog10() as usize;
    let part = format!("{:0width$}", nanos % size);
    let part = part.trim_end_matches('0');
    if part.is_empty() {
        format!("{whole}{unit}")
    } else {
        format!("{whole}.{part}{unit}")
    }
}

/// `20%`, from 0 to 100.
pub(super) fn read_fraction(words: &mut Words<'_>) -> Result<f64, Problem> {
    let word = words.next("a fraction, as `20%`,")?;
    let number = word.text.strip_suffix('%');
    let number = number.and_then(|number| number.parse::<f64>().ok());
    match number {
        Some(number) if (0.0..=100.0).contains(&number) => Ok(number / 100.0),
        Some(_) | None => {
            let problem = words.problem(word, format!("`{}` is no fraction", word.text));
            Err(problem.hint("write it as 20%, from 0% to 100%"))
        }
    }
}

pub(super) fn fraction_text(fraction: f64) -> String {
    // Enough digits for what was read, and not those that only the binary form has.
    let percent = format!("{:.6}", fraction * 100.0);
    let percent = percent.trim_end_matches('0').trim_end_matches('.');
    format!("{percent}%")
}

/// A whole number.
pub(super) fn read_number(words: &mut Words<'_>, what: &str) -> Result<u64, Problem> {
    let word = words.next(what)?;
    let number = word.text.parse();
    number.map_err(|_| words.problem(word, format!("`{}` is no whole number", word.text)))
}

/// `5ms`, `1ms..5ms`, `normal 5ms 1ms`, `lognormal 40ms 0.3`, `table 1ms,2ms,9ms`.
pub(super) fn read_delay(words: &mut Words<'_>) -> Result<Delay, Problem> {
    let word = words.next("a delay, as `5ms`, `1ms..5ms` or `lognormal 40ms 0.3`,")?;
    match word.text {
        "normal" => Ok(Delay::Normal {
            mean: read_span(words, "the mean")?,
            deviation: read_span(words, "the deviation")?,
        }),
        "lognormal" => {
            let median = read_span(words, "the median")?;
            let word = words.next("sigma, as `0.3`,")?;
            match word.text.parse::<f64>() {
                Ok(sigma) if (0.0..=10.0).contains(&sigma) => {
                    Ok(Delay::LogNormal { median, sigma })
                }
                Ok(_) | Err(_) => Err(words.problem(word, "sigma is from 0 to 10")),
            }
        }
        "table" => {
            let word = words.next("measured times, as `1ms,2ms,9ms`,")?;
            let times = word.text.split(',').map(|text| {
                let word = Word { text, ..word };
                span_of(words, word)
            });
            Ok(Delay::table(times.collect::<Result<_, _>>()?))
        }
        text => match text.split_once("..") {
            None => Ok(Delay::Constant(span_of(words, word)?)),
            Some((least, most)) => {
                let least = span_of(
                    words,
                    Word {
                        text: least,
                        ..word
                    },
                )?;
                let most = span_of(words, Word { text: most, ..word })?;
                if least > most {
                    return Err(words.problem(word, "the shortest delay is above the longest"));
                }
                Ok(Delay::Uniform { least, most })
            }
        },
    }
}

pub(super) fn delay_text(delay: &Delay) -> String {
    match delay {
        Delay::Constant(span) => span_text(*span),
        Delay::Uniform { least, most } => format!("{}..{}", span_text(*least), span_text(*most)),
        Delay::Normal { mean, deviation } => {
            format!("normal {} {}", span_text(*mean), span_text(*deviation))
        }
        Delay::LogNormal { median, sigma } => format!("lognormal {} {sigma}", span_text(*median)),
        Delay::Table(times) => {
            let times: Vec<String> = times.iter().map(|&time| span_text(time)).collect();
            format!("table {}", times.join(","))
        }
    }
}

/// `20%`, or `bursts 9s 1s 0% 50%`.
pub(super) fn read_loss(words: &mut Words<'_>) -> Result<Loss, Problem> {
    if !words.accept("bursts") {
        return Ok(Loss::Independent(read_fraction(words)?));
    }
    Ok(Loss::Bursts(Bursts {
        good: read_span(words, "how long the good state lasts")?,
        bad: read_span(words, "how long the bad state lasts")?,
        good_loss: read_fraction(words)?,
        bad_loss: read_fraction(words)?,
    }))
}

pub(super) fn loss_text(loss: &Loss) -> String {
    match loss {
        Loss::None => "0%".into(),
        Loss::Independent(fraction) => fraction_text(*fraction),
        Loss::Bursts(bursts) => format!(
            "bursts {} {} {} {}",
            span_text(bursts.good),
            span_text(bursts.bad),
            fraction_text(bursts.good_loss),
            fraction_text(bursts.bad_loss),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_they_are_read() {
        for text in [
            "0s", "90s", "1.5s", "250ms", "1.25ms", "250us", "17ns", "3600s",
        ] {
            assert_eq!(span_text(span(text).unwrap()), text);
        }
        assert_eq!(span("2m"), Some(Duration::from_secs(120)));
        assert_eq!(span("1.5h"), Some(Duration::from_secs(5_400)));
        for text in [
            "",
            "s",
            "5",
            "5 s",
            "-5s",
            "1.s",
            ".5s",
            "5x",
            "99999999999h",
            "1e3s",
        ] {
            assert_eq!(span(text), None, "{text}");
        }
    }

    #[test]
    fn members_are_written_as_they_are_read() {
        let mut names = Names::default();
        for place in 0..8 {
            names.add(&format!("m{place}"));
        }
        for text in ["m3", "m1,m2", "m0..m4", "m0,m2..m5,m7"] {
            let places = names.read(&mut Words::of(1, text)).unwrap();
            assert_eq!(names.list(places), text);
        }
        assert!(names.read(&mut Words::of(1, "m4..m2")).is_err());
        let all = names.read(&mut Words::of(1, "all")).unwrap();
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn networks_are_written_as_they_are_read() {
        for text in [
            "5ms",
            "1ms..5ms",
            "normal 5ms 1ms",
            "lognormal 40ms 0.3",
            "table 1ms,9ms",
        ] {
            assert_eq!(
                delay_text(&read_delay(&mut Words::of(1, text)).unwrap()),
                text
            );
        }
        for text in ["20%", "0.5%", "100%", "bursts 9s 1s 0% 50%"] {
            assert_eq!(
                loss_text(&read_loss(&mut Words::of(1, text)).unwrap()),
                text
            );
        }
    }
}
