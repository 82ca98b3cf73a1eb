//! YAML text into nodes, bounded: nesting, expanded aliases, and the size of the text.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use super::node::{Key, Node, Quoted, Scalar, Value, shown};
use super::problem::Span;
use super::report::Report;

/// Bytes of a file: room for a few hundred thousand targets. More of them belong into the API.
pub(super) const TEXT_BYTES_MAX: usize = 64 << 20;

/// Levels of nesting; the schema has 8.
const DEPTH_MAX: usize = 32;

/// Values that aliases may add in all: enough to share defaults, too few for a billion laughs.
const ALIAS_NODES_MAX: usize = 100_000;

/// The one document of `text`; `None` when a problem was reported.
pub(super) fn parse(text: &str, report: &mut Report<'_>) -> Option<Node> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!(
            "the file has {} bytes; {TEXT_BYTES_MAX} are the most",
            text.len()
        );
        report.push("", None, message, None);
        return None;
    }
    if refuse_control_characters(text, report) {
        return None;
    }
    let mut builder = Builder {
        report,
        open: Vec::new(),
        anchors: BTreeMap::new(),
        alias_nodes: 0,
        root: None,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let kept = match next {
            Ok((event, span)) => builder.event(event, to_span(span)),
            Err(error) => {
                syntax(builder.report, &error);
                Err(Refused)
            }
        };
        if kept.is_err() {
            return None;
        }
    }
    match builder.root {
        Some(root) if !matches!(root.value, Value::Null) => Some(root),
        _ => {
            empty(report);
            None
        }
    }
}

/// A problem was reported after which reading on makes no sense.
struct Refused;

struct Builder<'r, 't> {
    report: &'r mut Report<'t>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    alias_nodes: usize,
    root: Option<Node>,
}

/// A collection whose end was not seen yet.
struct Open {
    anchor: usize,
    span: Span,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<(Key, Node)>,
        key: Option<Key>,
    },
}

impl Builder<'_, '_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Refused> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => self.refuse(
                span,
                "a second document begins here",
                "write everything into one document, without `---` in between",
            ),
            Event::DocumentStart(_) => Ok(()),
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => {
                self.refuse(span, "tags (`!name`) are not used here", "leave it out")
            }
            Event::Scalar(text, style, anchor, None) => {
                let node = scalar(text.into_owned(), style, span);
                self.add(node, anchor)
            }
            Event::SequenceStart(anchor, None) => {
                self.open(anchor, span, Content::List(Vec::new()))
            }
            Event::MappingStart(anchor, None) => {
                let entries = Vec::new();
                self.open(anchor, span, Content::Map { entries, key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, span),
        }
    }

    fn open(&mut self, anchor: usize, span: Span, content: Content) -> Result<(), Refused> {
        if let Some(Open {
            content: Content::Map { key: None, .. },
            ..
        }) = self.open.last()
        {
            let hint = "texts that begin with `{`, `[`, `*` or `&` need quotes";
            return self.refuse(span, "a key must be a single word", hint);
        }
        if self.open.len() >= DEPTH_MAX {
            let message = format!("values are nested more than {DEPTH_MAX} levels deep");
            return self.refuse(span, &message, "no setting needs that many");
        }
        self.open.push(Open {
            anchor,
            span,
            content,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refused> {
        let Some(Open {
            anchor,
            span,
            content,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let node = match content {
            Content::List(items) => Node {
                span: Some(items.first().and_then(|item| item.span).unwrap_or(span)),
                value: Value::List(items),
            },
            Content::Map { entries, .. } => {
                let span = entries
                    .first()
                    .and_then(|(key, _)| key.span)
                    .unwrap_or(span);
                let entries = self.merged(entries)?;
                let entries = self.distinct(entries);
                Node {
                    span: Some(span),
                    value: Value::Map(entries),
                }
            }
        };
        self.add(node, anchor)
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Refused> {
        if anchor != 0 {
            self.spend(&node)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, key } => match key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let text = match node.value {
                        Value::Scalar(scalar) => scalar.text,
                        Value::Null => String::new(),
                        Value::List(_) | Value::Map(_) => {
                            let span = node.span.unwrap_or(open.span);
                            return self.refuse(span, "a key must be a single word", "");
                        }
                    };
                    *key = Some(Key {
                        text,
                        span: node.span,
                    });
                }
            },
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Refused> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            let message = "this alias stands inside the value that it names";
            return self.refuse(span, message, "");
        };
        self.spend(&node)?;
        if self.open.len() + node.depth() > DEPTH_MAX {
            let message = format!("values are nested more than {DEPTH_MAX} levels deep");
            return self.refuse(span, &message, "no setting needs that many");
        }
        self.add(node, 0)
    }

    /// Counts the copy of a node against the bound of aliases.
    fn spend(&mut self, node: &Node) -> Result<(), Refused> {
        self.alias_nodes += node.count();
        if self.alias_nodes <= ALIAS_NODES_MAX {
            return Ok(());
        }
        let message = format!("anchors and aliases make more than {ALIAS_NODES_MAX} values");
        let hint = "put what targets share into `defaults` or a group";
        let span = node.span;
        self.report.push("", span, message, Some(hint.into()));
        Err(Refused)
    }

    /// The entries with those of `<<` behind them, as far as they are not there already.
    fn merged(&mut self, entries: Vec<(Key, Node)>) -> Result<Vec<(Key, Node)>, Refused> {
        if entries.iter().all(|(key, _)| key.text != "<<") {
            return Ok(entries);
        }
        let (merges, mut own): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(key, _)| key.text == "<<");
        for (key, node) in merges {
            let span = node.span.or(key.span).unwrap_or_default();
            let sources = match node.value {
                Value::List(items) => items,
                Value::Map(_) | Value::Scalar(_) | Value::Null => vec![node],
            };
            for source in sources {
                let Value::Map(more) = source.value else {
                    let hint = "`<<: *name` takes the keys of the mapping `&name`";
                    return self.refuse(span, "`<<` takes a mapping", hint);
                };
                for (key, value) in more {
                    if own.iter().all(|(there, _)| there.text != key.text) {
                        own.push((key, value));
                    }
                }
            }
        }
        Ok(own)
    }

    /// The entries without those whose key was there before, which are reported.
    fn distinct(&mut self, entries: Vec<(Key, Node)>) -> Vec<(Key, Node)> {
        let mut first: BTreeMap<String, Option<Span>> = BTreeMap::new();
        let mut kept = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            match first.get(&key.text) {
                None => {
                    first.insert(key.text.clone(), key.span);
                    kept.push((key, node));
                }
                Some(before) => {
                    let line = before.map_or(0, |span| span.line);
                    let message = format!("the key `{}` stands twice", shown(&key.text));
                    let hint = format!("it stands in line {line} already; remove one of them");
                    self.report.push("", key.span, message, Some(hint));
                }
            }
        }
        kept
    }

    fn refuse<T>(&mut self, span: Span, message: &str, hint: &str) -> Result<T, Refused> {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        self.report.push("", Some(span), message.to_owned(), hint);
        Err(Refused)
    }
}

fn scalar(text: String, style: ScalarStyle, span: Span) -> Node {
    let quoted = match style {
        ScalarStyle::Plain => Quoted::No,
        ScalarStyle::SingleQuoted
        | ScalarStyle::DoubleQuoted
        | ScalarStyle::Literal
        | ScalarStyle::Folded => Quoted::Yes,
    };
    let nothing = quoted == Quoted::No && ["", "~", "null", "Null", "NULL"].contains(&&*text);
    let value = match nothing {
        true => Value::Null,
        false => Value::Scalar(Scalar { text, quoted }),
    };
    Node {
        span: Some(span),
        value,
    }
}

fn to_span(span: saphyr_parser::Span) -> Span {
    Span {
        line: span.start.line(),
        column: span.start.col() + 1,
        len: span.len().max(1),
    }
}

/// Reports the parser's error in words for people who do not know its grammar.
fn syntax(report: &mut Report<'_>, error: &ScanError) {
    let mut span = Span {
        line: error.marker().line(),
        column: error.marker().col() + 1,
        len: 1,
    };
    let mut line = report.line(span.line).unwrap_or_default();
    // The parser often notices a fault where the next word begins; with nothing left, the last
    // words are it.
    while line.trim().is_empty() && span.line > 1 {
        span.line -= 1;
        line = report.line(span.line).unwrap_or_default();
        span.len = line.trim().chars().count().max(1);
        span.column = line.chars().take_while(|c| c.is_whitespace()).count() + 1;
    }
    let indent = line.len() - line.trim_start().len();
    let hint = if line[..indent].contains('\t') {
        Some("YAML indents with spaces; this line begins with a tab")
    } else {
        hint_for(error.info())
    };
    let message = format!("this is not YAML: {}", error.info());
    report.push("", Some(span), message, hint.map(str::to_owned));
}

fn hint_for(info: &str) -> Option<&'static str> {
    const HINTS: [(&str, &str); 10] = [
        (
            "mapping values are not allowed",
            "a text with `: ` in it needs quotes; otherwise look at the indentation",
        ),
        ("simple key expect", "is a `:` missing after the key?"),
        ("tab", "use spaces instead of the tab"),
        (
            "unknown anchor",
            "an alias (`*name`) needs an anchor (`&name`) before it; a text with `*` needs quotes",
        ),
        (
            "unexpected end of stream",
            "a quote is opened and never closed",
        ),
        ("quoted scalar", "is a quote opened and not closed?"),
        (
            "expected '-'",
            "is this line indented like the ones around it?",
        ),
        (
            "expected key",
            "is this line indented like the ones around it?",
        ),
        (
            "unexpected character",
            "a text that begins with this character needs quotes",
        ),
        ("expected ',' or", "is a bracket or a comma missing?"),
    ];
    let hint = HINTS.iter().find(|(part, _)| info.contains(part));
    hint.map(|(_, hint)| *hint)
}

fn empty(report: &mut Report<'_>) {
    let hint = "list what to watch: `targets: [{id: shop, url: \"http://localhost:8080/\"}]`";
    let message = "the file says nothing".to_owned();
    report.push("", None, message, Some(hint.to_owned()));
}

/// Reports the first character that no text file has: the parser takes a NUL for the end of the
/// text.
fn refuse_control_characters(text: &str, report: &mut Report<'_>) -> bool {
    let strange = |c: char| c.is_control() && !['\n', '\r', '\t', '\u{85}'].contains(&c);
    let Some((at, found)) = text.char_indices().find(|&(_, c)| strange(c)) else {
        return false;
    };
    let before = &text[..at];
    let line_start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let breaks = before.replace("\r\n", "\n").matches(['\n', '\r']).count();
    let span = Span {
        line: breaks + 1,
        column: before[line_start..].chars().count() + 1,
        len: 1,
    };
    let message = format!("the control character {found:?} does not belong into a text file");
    let hint = "is this the right file?".to_owned();
    report.push("", Some(span), message, Some(hint));
    true
}
