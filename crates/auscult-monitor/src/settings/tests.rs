//! What settings promise, as tests over texts.

mod examples;
mod golden;
mod json;
mod peer_metrics;
mod rules;

use super::*;
use serde_json::{Value as Json, json};

/// The settings of a text that is right.
fn settings(text: &str) -> Settings {
    Settings::from_yaml(text, "test.yml").unwrap_or_else(|problems| panic!("{problems}"))
}

/// The first target of a text that is right, as JSON.
fn first(text: &str) -> Json {
    serde_json::to_value(&settings(text).targets[0]).unwrap()
}
