//! Which targets a list shows, in which order, and where the next page begins.

use auscult_core::monitor::Status;
use auscult_core::time::Instant;

use super::super::extract::{Params, bad_value, whole_number};
use super::super::problem::Problem;
use crate::settings::TargetSpec;

/// Targets in a page when nothing is said, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// What a list is to show.
#[derive(Debug, PartialEq)]
pub(super) struct Query {
    /// Empty stands for all.
    statuses: Vec<Status>,
    /// Names, with the value wanted where one is.
    labels: Vec<(String, Option<String>)>,
    group: Option<String>,
    /// In lower case.
    text: Option<String>,
    sort: Sort,
    after: Option<Place>,
    pub(super) limit: usize,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Worst,
    Id,
}

/// Where a target stands in a list. Statuses come worst first; among those that are not well the
/// latest change comes first, because that is what just broke; the rest is by name. Levels are left
/// out on purpose: they change with every read, and a list that reorders itself cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    wellness: u8,
    age: u64,
    id: String,
}

/// What a filter looks at.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) id: String,
    pub(super) status: Status,
    pub(super) since: Instant,
}

pub(super) const KEYS: &[&str] = &["status", "label", "group", "q", "sort", "limit", "cursor"];

impl Query {
    pub(super) fn read(params: Params) -> Result<Self, Problem> {
        let mut query = Self {
            statuses: Vec::new(),
            labels: Vec::new(),
            group: None,
            text: None,
            sort: Sort::Worst,
            after: None,
            limit: LIMIT_DEFAULT,
        };
        for (key, value) in params.known(KEYS)? {
            match key.as_str() {
                "status" => query.statuses.extend(statuses(&value)?),
                "label" => query.labels.push(match value.split_once(':') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (value, None),
                }),
                "group" => query.group = Some(value),
                "q" => query.text = Some(value.to_lowercase()).filter(|text| !text.is_empty()),
                "sort" => query.sort = Sort::read(&value)?,
                "limit" => {
                    let limit = whole_number("limit", &value, 1..=LIMIT_MAX as u64)?;
                    query.limit = usize::try_from(limit).unwrap_or(LIMIT_MAX);
                }
                _ => query.after = Some(Place::read(&value)?),
            }
        }
        Ok(query)
    }

    /// Whether the status is asked for.
    pub(super) fn shows(&self, status: Status) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }

    /// Whether what is described is asked for, its status left aside.
    pub(super) fn matches(&self, id: &str, spec: Option<&TargetSpec>) -> bool {
        let labels = spec.map(|spec| &spec.labels);
        let group = spec.and_then(|spec| spec.group.as_deref());
        let labelled = self.labels.iter().all(|(name, wanted)| {
            let found = labels.and_then(|labels| labels.get(name.as_str()));
            found.is_some_and(|found| wanted.as_deref().is_none_or(|wanted| &**found == wanted))
        });
        let grouped = self
            .group
            .as_deref()
            .is_none_or(|wanted| group == Some(wanted));
        let contains = |text: &str, wanted: &str| text.to_lowercase().contains(wanted);
        let texted = self.text.as_deref().is_none_or(|wanted| {
            contains(id, wanted)
                || group.is_some_and(|group| contains(group, wanted))
                || labels.is_some_and(|labels| {
                    let mut pairs = labels.iter();
                    pairs.any(|(name, value)| contains(&format!("{name}:{value}"), wanted))
                })
        });
        labelled && grouped && texted
    }

    /// Whether describing a target decides anything.
    pub(super) const fn needs_spec(&self) -> bool {
        !self.labels.is_empty() || self.group.is_some() || self.text.is_some()
    }

    /// The names of one page, in order, and the cursor of the next.
    pub(super) fn page(&self, candidates: Vec<Candidate>) -> (Vec<String>, Option<String>) {
        let mut places: Vec<Place> = candidates
            .into_iter()
            .map(|candidate| self.sort.place(candidate))
            .filter(|place| self.after.as_ref().is_none_or(|after| place > after))
            .collect();
        places.sort_unstable();
        let more = places.len() > self.limit;
        places.truncate(self.limit);
        let next = places.last().filter(|_| more).map(Place::cursor);
        (places.into_iter().map(|place| place.id).collect(), next)
    }
}

impl Sort {
    fn read(value: &str) -> Result<Self, Problem> {
        match value {
            "worst" => Ok(Self::Worst),
            "id" => Ok(Self::Id),
            other => Err(bad_value("sort", format!("{other:?} must be worst or id"))),
        }
    }

    fn place(self, candidate: Candidate) -> Place {
        let Candidate { id, status, since } = candidate;
        let wellness = u8::MAX - status.severity();
        match (self, status) {
            (Self::Worst, Status::Down | Status::Late | Status::Unknown) => Place {
                wellness,
                age: u64::MAX - since.as_nanos(),
                id,
            },
            (Self::Worst, Status::Up | Status::Paused) => Place {
                wellness,
                age: 0,
                id,
            },
            (Self::Id, _) => Place {
                wellness: 0,
                age: 0,
                id,
            },
        }
    }
}

impl Place {
    fn cursor(&self) -> String {
        format!("{}.{}.{}", self.wellness, self.age, self.id)
    }

    fn read(cursor: &str) -> Result<Self, Problem> {
        let parse = || {
            let mut parts = cursor.splitn(3, '.');
            Some(Self {
                wellness: parts.next()?.parse().ok()?,
                age: parts.next()?.parse().ok()?,
                id: parts.next()?.to_owned(),
            })
        };
        parse().ok_or_else(|| bad_value("cursor", "must be the `next` of a page before"))
    }
}

fn statuses(value: &str) -> Result<Vec<Status>, Problem> {
    value
        .split(',')
        .map(|name| {
            let status = Status::ALL
                .into_iter()
                .find(|status| status.as_str() == name);
            status.ok_or_else(|| {
                let known = Status::ALL.map(Status::as_str).join(", ");
                bad_value("status", format!("{name:?} must be one of {known}"))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(sort: Sort, limit: usize, after: Option<&str>) -> Query {
        Query {
            statuses: Vec::new(),
            labels: Vec::new(),
            group: None,
            text: None,
            sort,
            after: after.map(|cursor| Place::read(cursor).expect("a cursor")),
            limit,
        }
    }

    fn candidates() -> Vec<Candidate> {
        [
            ("a", Status::Up, 9),
            ("b", Status::Down, 1),
            ("c.d/e", Status::Down, 2),
            ("f", Status::Paused, 0),
            ("g", Status::Late, 5),
            ("h", Status::Unknown, 5),
            ("i", Status::Up, 1),
        ]
        .map(|(id, status, since)| Candidate {
            id: id.into(),
            status,
            since: Instant::from_secs(since),
        })
        .into()
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        for (sort, expected) in [
            (Sort::Worst, ["c.d/e", "b", "g", "h", "a", "i", "f"]),
            (Sort::Id, ["a", "b", "c.d/e", "f", "g", "h", "i"]),
        ] {
            for limit in 1..=8 {
                let mut seen = Vec::new();
                let mut cursor: Option<String> = None;
                loop {
                    let (ids, next) = query(sort, limit, cursor.as_deref()).page(candidates());
                    seen.extend(ids);
                    cursor = next;
                    if cursor.is_none() {
                        break;
                    }
                }
                assert_eq!(seen, expected, "limit {limit}");
            }
        }
    }
}
