//! Whether what a template names exists, by an example of what it will be filled with.

use serde_json::{Value, json};

use super::{Branch, Fault, Filter, Node, Root, Term};
use crate::settings::nearest;

/// Mappings whose names people choose.
const OPEN: [&str; 2] = ["labels", "group"];

/// The names that hold somewhere, the nearest last.
type Scope<'v> = Vec<(&'v str, &'v Value)>;

/// Reports the first name that does not exist, or is not used as what it is.
pub(super) fn check(nodes: &[Node], sample: &Value) -> Result<(), Fault> {
    let turn = json!({ "index": 1, "first": true, "last": true });
    block(nodes, sample, &turn, &mut Vec::new())
}

fn block<'v>(
    nodes: &'v [Node],
    sample: &'v Value,
    turn: &'v Value,
    scope: &mut Scope<'v>,
) -> Result<(), Fault> {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Print { what, line } => {
                let shape = term(what, *line, sample, scope)?;
                let whole = what.filters.contains(&Filter::Json);
                if shape.is_some_and(|shape| shape.is_array() || shape.is_object()) && !whole {
                    let message = format!("`{}` is a list or a mapping", spelled(what));
                    let hint = "print it with `| json`, or go through it with `for`".to_owned();
                    return Err(fault(*line, message, Some(hint)));
                }
            }
            Node::If {
                branches,
                otherwise,
            } => {
                for Branch { any, body, line } in branches {
                    for test in any.iter().flatten() {
                        term(&test.left, *line, sample, scope)?;
                        if let Some((_, right)) = &test.right {
                            term(right, *line, sample, scope)?;
                        }
                    }
                    block(body, sample, turn, scope)?;
                }
                block(otherwise, sample, turn, scope)?;
            }
            Node::For {
                name,
                over,
                body,
                line,
            } => {
                let shape = term(over, *line, sample, scope)?;
                let Some(Value::Array(items)) = shape else {
                    let message = format!("`{}` is no list", spelled(over));
                    return Err(fault(*line, message, None));
                };
                scope.push(("loop", turn));
                scope.push((name, items.first().unwrap_or(&Value::Null)));
                let checked = block(body, sample, turn, scope);
                scope.truncate(scope.len() - 2);
                checked?;
            }
        }
    }
    Ok(())
}

/// What a term is like; `None` where that cannot be known.
fn term<'v>(
    term: &Term,
    line: usize,
    sample: &'v Value,
    scope: &Scope<'v>,
) -> Result<Option<&'v Value>, Fault> {
    let Root::Path(path) = &term.root else {
        return Ok(None);
    };
    let mut steps = path.iter();
    let first = steps.next().map_or("", |first| first);
    let bound = scope.iter().rev().find(|(name, _)| *name == first);
    let mut shape = match (bound, sample.get(first)) {
        (Some((_, value)), _) => *value,
        (None, Some(value)) => value,
        (None, None) => {
            let fields = sample.as_object().into_iter().flat_map(|map| map.keys());
            let bound = scope.iter().map(|(name, _)| *name);
            let names = fields.map(String::as_str).chain(bound);
            return Err(unknown(line, first, names));
        }
    };
    let mut way = first;
    for step in steps {
        if OPEN.contains(&way) {
            return Ok(None);
        }
        let known = shape.as_object();
        shape = match shape.get(&**step) {
            Some(value) => value,
            None => {
                let names = known.into_iter().flat_map(|map| map.keys());
                return Err(unknown(line, step, names.map(String::as_str)));
            }
        };
        way = step;
    }
    let changed = !matches!(term.filters.as_slice(), [] | [Filter::Json]);
    Ok((!changed).then_some(shape))
}

fn unknown<'n>(line: usize, name: &str, names: impl Iterator<Item = &'n str>) -> Fault {
    let names: Vec<&str> = names.collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("perhaps `{near}`"),
        None => format!("there are {}", names.join(", ")),
    };
    fault(line, format!("there is no `{name}`"), Some(hint))
}

fn fault(line: usize, message: String, hint: Option<String>) -> Fault {
    Fault {
        line,
        message,
        hint,
    }
}

fn spelled(term: &Term) -> String {
    match &term.root {
        Root::Path(path) => path.join("."),
        Root::Text(text) => text.to_string(),
        Root::Number(number) => number.to_string(),
    }
}
