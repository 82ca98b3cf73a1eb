//! From nodes to text, within bounds.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Value, json};

use super::{
    Comparison, Escape, Filter, Node, PRINTED_BYTES_MAX, Root, STEPS_MAX, Term, Test, TooLarge,
};

pub(super) fn render(nodes: &[Node], escape: Escape, values: &Value) -> Result<String, TooLarge> {
    let mut renderer = Renderer {
        escape,
        values,
        text: String::new(),
        steps: Cell::new(0),
    };
    renderer.block(nodes, &mut Vec::new())?;
    Ok(renderer.text)
}

struct Renderer<'v> {
    escape: Escape,
    values: &'v Value,
    text: String,
    steps: Cell<usize>,
}

/// The names that hold somewhere, the nearest last.
type Scope<'s> = Vec<(&'s str, Cow<'s, Value>)>;

impl<'v> Renderer<'v> {
    fn block<'s>(&mut self, nodes: &'s [Node], scope: &mut Scope<'s>) -> Result<(), TooLarge>
    where
        'v: 's,
    {
        for node in nodes {
            self.step()?;
            match node {
                Node::Text(text) => self.push(text)?,
                Node::Print { what, .. } => {
                    let printed = self.printed(what, scope);
                    self.push(&printed)?;
                }
                Node::If {
                    branches,
                    otherwise,
                } => {
                    let mut taken = otherwise;
                    for branch in branches {
                        let mut holds = false;
                        for all in &branch.any {
                            self.charge(all.len());
                            holds |= all.iter().all(|test| self.holds(test, scope));
                        }
                        if holds {
                            taken = &branch.body;
                            break;
                        }
                    }
                    self.block(taken, scope)?;
                }
                Node::For {
                    name, over, body, ..
                } => self.repeat(name, over, body, scope)?,
            }
        }
        Ok(())
    }

    fn repeat<'s>(
        &mut self,
        name: &'s str,
        over: &'s Term,
        body: &'s [Node],
        scope: &mut Scope<'s>,
    ) -> Result<(), TooLarge>
    where
        'v: 's,
    {
        let items = self.value(over, scope).into_owned();
        let Value::Array(items) = items else {
            return Ok(());
        };
        let count = items.len();
        for (index, item) in items.into_iter().enumerate() {
            self.step()?;
            let turn = json!({
                "index": index + 1,
                "first": index == 0,
                "last": index + 1 == count,
            });
            scope.push(("loop", Cow::Owned(turn)));
            scope.push((name, Cow::Owned(item)));
            let done = self.block(body, scope);
            scope.truncate(scope.len() - 2);
            done?;
        }
        Ok(())
    }

    fn step(&self) -> Result<(), TooLarge> {
        self.charge(1);
        match self.steps.get() > STEPS_MAX {
            true => Err(TooLarge),
            false => Ok(()),
        }
    }

    fn charge(&self, steps: usize) {
        self.steps.set(self.steps.get().saturating_add(steps));
    }

    fn push(&mut self, text: &str) -> Result<(), TooLarge> {
        if self.text.len() + text.len() > PRINTED_BYTES_MAX {
            return Err(TooLarge);
        }
        self.text.push_str(text);
        Ok(())
    }

    fn holds(&self, test: &Test, scope: &Scope<'_>) -> bool {
        let left = self.value(&test.left, scope);
        let found = match &test.right {
            None => is_something(&left),
            Some((comparison, right)) => {
                let right = self.value(right, scope);
                match comparison {
                    Comparison::Same => plain(&left) == plain(&right),
                    Comparison::Differs => plain(&left) != plain(&right),
                    Comparison::Above => left.as_f64() > right.as_f64(),
                    Comparison::Below => left.as_f64() < right.as_f64(),
                }
            }
        };
        found == test.expected
    }

    fn printed(&self, term: &Term, scope: &Scope<'_>) -> String {
        let value = self.value(term, scope);
        if term.filters.last() == Some(&Filter::Json) {
            // It is whole, and needs nothing but what surrounds it.
            return match self.escape {
                Escape::Json | Escape::Plain => plain(&value).into_owned(),
                Escape::Markup | Escape::Form => escaped(self.escape, &plain(&value)),
            };
        }
        escaped(self.escape, &plain(&value))
    }

    fn value<'s>(&self, term: &'s Term, scope: &'s Scope<'_>) -> Cow<'s, Value>
    where
        'v: 's,
    {
        let mut value = match &term.root {
            Root::Path(path) => self.look_up(path, scope),
            Root::Text(text) => Cow::Owned(Value::String(text.to_string())),
            Root::Number(number) => Cow::Owned(Value::Number(number.clone())),
        };
        for filter in &term.filters {
            value = filtered(filter, value);
            // To write out a long value is the work of many steps.
            if let Value::String(text) = &*value {
                self.charge(text.len() / 64);
            }
        }
        value
    }

    fn look_up<'s>(&self, path: &[Box<str>], scope: &'s Scope<'_>) -> Cow<'s, Value>
    where
        'v: 's,
    {
        let Some((first, rest)) = path.split_first() else {
            return Cow::Owned(Value::Null);
        };
        let bound = scope.iter().rev().find(|(name, _)| **name == **first);
        let mut value = match bound {
            Some((_, value)) => Some(&**value),
            None => self.values.get(&**first),
        };
        for step in rest {
            value = value.and_then(|value| value.get(&**step));
        }
        value.map_or(Cow::Owned(Value::Null), Cow::Borrowed)
    }
}

fn filtered<'s>(filter: &Filter, value: Cow<'s, Value>) -> Cow<'s, Value> {
    let text = |text: String| Cow::Owned(Value::String(text));
    match filter {
        Filter::Json => text(value.to_string()),
        Filter::Upper => text(plain(&value).to_uppercase()),
        Filter::Lower => text(plain(&value).to_lowercase()),
        Filter::Length => {
            let length = match &*value {
                Value::Array(items) => items.len(),
                Value::Object(entries) => entries.len(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    plain(&value).chars().count()
                }
            };
            Cow::Owned(json!(length))
        }
        Filter::Truncate(count) => {
            let whole = plain(&value);
            let shown: String = whole.chars().take(*count).collect();
            let more = if shown.len() < whole.len() { "…" } else { "" };
            text(format!("{shown}{more}"))
        }
        Filter::Default(instead) if !is_something(&value) => text(instead.to_string()),
        Filter::Default(_) => value,
        Filter::UrlEncode => text(escaped(Escape::Form, &plain(&value))),
    }
}

/// Whether a value counts as yes.
fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

/// A value as people write it; nothing for none.
fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Cow::Owned(value.to_string())
        }
    }
}

fn escaped(escape: Escape, text: &str) -> String {
    match escape {
        Escape::Plain => text.to_owned(),
        Escape::Json => {
            let quoted = Value::from(text).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        Escape::Markup => {
            let mut safe = String::with_capacity(text.len());
            for c in text.chars() {
                match c {
                    '&' => safe.push_str("&amp;"),
                    '<' => safe.push_str("&lt;"),
                    '>' => safe.push_str("&gt;"),
                    '"' => safe.push_str("&quot;"),
                    '\'' => safe.push_str("&#39;"),
                    other => safe.push(other),
                }
            }
            safe
        }
        Escape::Form => url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
    }
}
