//! What requests carry in their address: a target's name as one segment, and queries whose keys are
//! all known.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;

use super::problem::{Fault, Kind, Problem};

/// A name in the path: one segment, percent-decoded, so a name may hold `/` as `%2F`.
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path: Result<Path<String>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        match path {
            Ok(Path(name)) => Ok(Self(name)),
            Err(rejection) => Err(Problem::new(Kind::Malformed)
                .detail(rejection.body_text())
                .hint("percent-encode the name as UTF-8, a / in it as %2F")),
        }
    }
}

/// The keys and values of a query, in their order.
pub struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map(|Query(pairs)| Self(pairs))
            .map_err(|rejection| Problem::new(Kind::Malformed).detail(rejection.body_text()))
    }
}

impl Params {
    /// Takes the pairs, if all their keys are among `known`.
    pub fn known(self, known: &[&str]) -> Result<Vec<(String, String)>, Problem> {
        let unknown = self
            .0
            .iter()
            .find(|(key, _)| !known.contains(&key.as_str()));
        match unknown {
            None => Ok(self.0),
            Some((key, _)) => Err(Problem::new(Kind::Malformed)
                .detail(format!("the query has an unknown key: {key}"))
                .hint(match known {
                    [] => "it takes none".to_owned(),
                    known => format!("it takes {}", known.join(", ")),
                })),
        }
    }
}

/// What a number in a query may be.
pub fn whole_number(
    key: &str,
    value: &str,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, Problem> {
    match value.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(bad_value(
            key,
            format!(
                "{value:?} must be a whole number from {} to {}",
                range.start(),
                range.end()
            ),
        )),
    }
}

/// A value in a query that cannot be used.
pub fn bad_value(key: &str, detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    Problem::new(Kind::Malformed)
        .detail(format!("{key}: {detail}"))
        .errors(vec![Fault {
            pointer: format!("?{key}"),
            detail,
            hint: None,
        }])
}
