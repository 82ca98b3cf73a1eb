//! What of the past is asked for.

use std::fmt;
use std::time::Duration;

use auscult_core::history::Resolution;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use jiff::Timestamp;

use super::super::extract::{Params, bad_value, whole_number};
use super::super::problem::Problem;
use crate::history::Bookmark;
use crate::settings::span;

/// The longest window: what the settings let nobody keep longer.
const WINDOW_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);

const DAY: Duration = Duration::from_secs(86_400);

/// What of the past is asked for.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) since_ms: u64,
    pub(super) until_ms: u64,
    pub(super) resolution: Resolution,
    pub(super) part: Part,
    pub(super) limit: usize,
    pub(super) cursor: Cursor,
    pub(super) format: Format,
}

/// Which of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Both,
    Transitions,
    Rollups,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Csv,
}

/// Where each list goes on; none where it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) changes: Option<Bookmark>,
    pub(super) rollups: Option<u64>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.changes {
            Some(Bookmark { at_nanos, id }) => write!(f, "{at_nanos}.{id}")?,
            None => f.write_str("-")?,
        }
        match self.rollups {
            Some(at) => write!(f, ",{at}"),
            None => f.write_str(",-"),
        }
    }
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (changes, rollups) = text.split_once(',')?;
        let changes = match changes {
            "-" => None,
            mark => {
                let (at, id) = mark.split_once('.')?;
                Some(Bookmark {
                    at_nanos: at.parse().ok()?,
                    id: id.parse().ok()?,
                })
            }
        };
        let rollups = match rollups {
            "-" => None,
            at => Some(at.parse().ok()?),
        };
        Some(Self { changes, rollups })
    }
}

impl Query {
    pub(super) fn read(params: Params, headers: &HeaderMap, now_ms: u64) -> Result<Self, Problem> {
        let known = [
            "since",
            "until",
            "resolution",
            "part",
            "limit",
            "cursor",
            "format",
        ];
        let (mut since, mut until, mut cursor) = (None, None, None);
        let (mut resolution, mut part, mut limit) = (None, None, 1_000);
        let mut format = accepted(headers);
        for (key, value) in params.known(&known)? {
            match key.as_str() {
                "since" => since = Some(value),
                "until" => until = Some(value),
                "resolution" => {
                    let found = Resolution::from_name(&value);
                    let problem = || bad_value(&key, format!("{value:?} is none of 10s, 5m, 1h"));
                    resolution = Some(found.ok_or_else(problem)?);
                }
                "part" => {
                    part = Some(match value.as_str() {
                        "transitions" => Part::Transitions,
                        "rollups" => Part::Rollups,
                        _ => return Err(bad_value(&key, "it is `transitions` or `rollups`")),
                    });
                }
                "limit" => {
                    let number = whole_number(&key, &value, 1..=10_000)?;
                    limit = usize::try_from(number).unwrap_or(1_000);
                }
                "format" => {
                    format = match value.as_str() {
                        "json" => Format::Json,
                        "csv" => Format::Csv,
                        _ => return Err(bad_value(&key, "it is `json` or `csv`")),
                    };
                }
                _ => {
                    let found = Cursor::parse(&value);
                    let problem = || bad_value(&key, "it is not the `next` of a page");
                    cursor = Some(found.ok_or_else(problem)?);
                }
            }
        }
        let (since_ms, until_ms) = window(since.as_deref(), until.as_deref(), now_ms)?;
        let usual = match format {
            Format::Json => Part::Both,
            Format::Csv => Part::Rollups,
        };
        Ok(Self {
            since_ms,
            until_ms,
            resolution: resolution.unwrap_or_else(|| fitting(since_ms, until_ms, limit)),
            part: part.unwrap_or(usual),
            limit,
            cursor: cursor.unwrap_or(Cursor {
                changes: Some(Bookmark {
                    at_nanos: since_ms.saturating_mul(1_000_000),
                    id: 0,
                }),
                rollups: Some(since_ms),
            }),
            format,
        })
    }
}

/// The finest resolution that has at most `limit` roll-ups in the window.
fn fitting(since_ms: u64, until_ms: u64, limit: usize) -> Resolution {
    let rows = |one: &Resolution| (until_ms - since_ms).div_ceil(one.millis());
    let fits = |one: &Resolution| rows(one) <= limit as u64;
    let all = Resolution::ALL;
    all.into_iter().find(fits).unwrap_or(Resolution::OneHour)
}

/// The window from `since` to `until`, or why it is none.
pub(super) fn window(
    since: Option<&str>,
    until: Option<&str>,
    now_ms: u64,
) -> Result<(u64, u64), Problem> {
    let until_ms = match until {
        Some(text) => moment("until", text, now_ms)?,
        None => now_ms,
    };
    let since_ms = match since {
        Some(text) => moment("since", text, until_ms)?,
        None => back(until_ms, DAY),
    };
    if since_ms >= until_ms {
        return Err(bad_value("since", "it must lie before `until`"));
    }
    if until_ms - since_ms > millis(WINDOW_MAX) {
        return Err(bad_value("since", "the window may have ten years at most"));
    }
    // What comes after now is not known, and looking for it would take time.
    Ok((since_ms.min(now_ms.saturating_sub(1)), until_ms.min(now_ms)))
}

/// RFC 3339, or a span before `from_ms`.
fn moment(key: &str, text: &str, from_ms: u64) -> Result<u64, Problem> {
    if let Ok(at) = text.parse::<Timestamp>() {
        let at = u64::try_from(at.as_millisecond());
        return at.map_err(|_| bad_value(key, "it lies before 1970"));
    }
    match span(text) {
        Some(span) => Ok(back(from_ms, span)),
        None => Err(bad_value(
            key,
            format!("{text:?} is neither a time (2026-11-21T09:15:00Z) nor a span (24h)"),
        )),
    }
}

/// A window up to now, given as a span.
pub(super) fn window_of(key: &str, text: &str, now_ms: u64) -> Result<(u64, u64), Problem> {
    let span = span(text)
        .ok_or_else(|| bad_value(key, format!("{text:?} is no span, such as 24h or 30d")))?;
    if span < Duration::from_secs(10) || span > WINDOW_MAX {
        return Err(bad_value(key, "it is at least 10s and at most ten years"));
    }
    Ok((back(now_ms, span), now_ms))
}

fn back(from_ms: u64, span: Duration) -> u64 {
    from_ms.saturating_sub(millis(span))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn accepted(headers: &HeaderMap) -> Format {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    match accept.is_some_and(|accept| accept.contains("text/csv")) {
        true => Format::Csv,
        false => Format::Json,
    }
}
