//! From text to nodes.

use serde_json::Number;

use super::{Branch, Comparison, DEPTH_MAX, Fault, Filter, Node, Root, Term, Test};

/// Reads all of it.
pub(super) fn parse(source: &str) -> Result<Vec<Node>, Fault> {
    let mut parser = Parser {
        pieces: pieces(source)?,
        next: 0,
        depth: 0,
    };
    let (nodes, end) = parser.block()?;
    match end {
        None => Ok(nodes),
        Some(tag) => {
            let message = format!("`{}` ends nothing", tag.words());
            Err(tag.fault(message))
        }
    }
}

/// A part of the text: as it is, or a tag.
enum Piece {
    Text(String),
    Print(Tag),
    Statement(Tag),
}

/// What stands between braces.
#[derive(Clone)]
struct Tag {
    tokens: Vec<Token>,
    line: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(Number),
    Mark(&'static str),
}

impl Tag {
    fn fault(&self, message: String) -> Fault {
        Fault {
            line: self.line,
            message,
            hint: None,
        }
    }

    /// Its first word, which says what it is.
    fn verb(&self) -> &str {
        match self.tokens.first() {
            Some(Token::Word(word)) => word,
            Some(Token::Text(_) | Token::Number(_) | Token::Mark(_)) | None => "",
        }
    }

    fn words(&self) -> String {
        format!("{{% {} %}}", self.verb())
    }
}

fn pieces(source: &str) -> Result<Vec<Piece>, Fault> {
    let mut pieces = Vec::new();
    let mut rest = source;
    let mut line = 1;
    let mut trims = false;
    while !rest.is_empty() {
        let opened = rest.find("{{").into_iter().chain(rest.find("{%"));
        let Some(at) = opened.chain(rest.find("{#")).min() else {
            break;
        };
        let (before, tag) = rest.split_at(at);
        let kind = &tag[..2];
        line += before.matches('\n').count();
        let close = match kind {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let unclosed = || Fault {
            line,
            message: format!("`{kind}` is not closed"),
            hint: Some(format!("close it with `{close}`")),
        };
        let length = closing(&tag[2..], close).ok_or_else(unclosed)?;
        let inside = &tag[2..2 + length];
        let trimmed = inside.strip_prefix('-');
        text(&mut pieces, before, trims, trimmed.is_some());
        let inside = trimmed.unwrap_or(inside);
        let trimmed = inside.strip_suffix('-');
        trims = trimmed.is_some();
        let inside = trimmed.unwrap_or(inside);
        if close != "#}" {
            let tokens = tokens(inside, line)?;
            let tag = Tag { tokens, line };
            pieces.push(match close {
                "}}" => Piece::Print(tag),
                _ => Piece::Statement(tag),
            });
        }
        let whole = 2 + length + 2;
        line += tag[..whole].matches('\n').count();
        rest = &tag[whole..];
    }
    text(&mut pieces, rest, trims, false);
    Ok(pieces)
}

/// Where a tag is closed: not inside of a quoted text.
fn closing(inside: &str, close: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') if close != "#}" => quote = Some(c),
            (None, _) if inside[at..].starts_with(close) => return Some(at),
            _ => {}
        }
    }
    None
}

fn text(pieces: &mut Vec<Piece>, text: &str, trims_start: bool, trims_end: bool) {
    let text = if trims_start { text.trim_start() } else { text };
    let text = if trims_end { text.trim_end() } else { text };
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

fn tokens(inside: &str, line: usize) -> Result<Vec<Token>, Fault> {
    const MARKS: [&str; 8] = ["==", "!=", ">", "<", "|", ".", "(", ")"];
    let mut tokens = Vec::new();
    let mut rest = inside.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = if let Some(mark) = MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
            tokens.push(Token::Mark(mark));
            mark.len()
        } else if first == '"' || first == '\'' {
            // It is closed, as the tag is.
            let length = rest[1..].find(first).unwrap_or(0);
            tokens.push(Token::Text(rest[1..=length].to_owned()));
            length + 2
        } else {
            let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let word = &rest[..length];
            if word.is_empty() {
                return Err(Fault {
                    line,
                    message: format!("`{first}` is not understood"),
                    hint: None,
                });
            }
            tokens.push(match word.parse::<i64>() {
                Ok(number) => Token::Number(number.into()),
                Err(_) => Token::Word(word.to_owned()),
            });
            length
        };
        rest = rest[taken..].trim_start();
    }
    Ok(tokens)
}

struct Parser {
    pieces: Vec<Piece>,
    next: usize,
    depth: usize,
}

impl Parser {
    /// Nodes up to a tag that ends or divides a block, or to the end.
    fn block(&mut self) -> Result<(Vec<Node>, Option<Tag>), Fault> {
        let mut nodes = Vec::new();
        loop {
            let Some(piece) = self.pieces.get_mut(self.next) else {
                return Ok((nodes, None));
            };
            self.next += 1;
            match piece {
                Piece::Text(text) => nodes.push(Node::Text(std::mem::take(text).into())),
                Piece::Print(tag) => {
                    let tag = tag.clone();
                    let mut words = Words::of(&tag, 0);
                    let what = words.term()?;
                    words.end()?;
                    let line = tag.line;
                    nodes.push(Node::Print { what, line });
                }
                Piece::Statement(tag) => {
                    let tag = tag.clone();
                    match tag.verb() {
                        "if" => nodes.push(self.deeper(&tag, Self::choice)?),
                        "for" => nodes.push(self.deeper(&tag, Self::repetition)?),
                        "elif" | "else" | "endif" | "endfor" => return Ok((nodes, Some(tag))),
                        other => {
                            let message = format!("there is no statement `{other}`");
                            let hint = Some("there are `if` and `for`".to_owned());
                            return Err(Fault {
                                hint,
                                ..tag.fault(message)
                            });
                        }
                    }
                }
            }
        }
    }

    fn deeper(
        &mut self,
        tag: &Tag,
        read: fn(&mut Self, &Tag) -> Result<Node, Fault>,
    ) -> Result<Node, Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(tag.fault(format!("more than {DEPTH_MAX} blocks within each other")));
        }
        let node = read(self, tag);
        self.depth -= 1;
        node
    }

    fn choice(&mut self, opening: &Tag) -> Result<Node, Fault> {
        let mut branches = Vec::new();
        let mut condition = opening.clone();
        loop {
            let any = Words::of(&condition, 1).condition()?;
            let (body, end) = self.block()?;
            let line = condition.line;
            branches.push(Branch { any, body, line });
            let end = end.ok_or_else(|| unended(opening, "endif"))?;
            match end.verb() {
                "elif" => condition = end,
                "else" => {
                    let (otherwise, end) = self.block()?;
                    expect_end(opening, end, "endif")?;
                    return Ok(Node::If {
                        branches,
                        otherwise,
                    });
                }
                "endif" => {
                    let otherwise = Vec::new();
                    return Ok(Node::If {
                        branches,
                        otherwise,
                    });
                }
                _ => return Err(unended(opening, "endif")),
            }
        }
    }

    fn repetition(&mut self, opening: &Tag) -> Result<Node, Fault> {
        let mut words = Words::of(opening, 1);
        let wrong = || opening.fault("a loop is written `{% for alert in alerts %}`".to_owned());
        let name = words.word().ok_or_else(wrong)?;
        if words.word().as_deref() != Some("in") {
            return Err(wrong());
        }
        let over = words.term()?;
        words.end()?;
        let (body, end) = self.block()?;
        expect_end(opening, end, "endfor")?;
        Ok(Node::For {
            name: name.into(),
            over,
            body,
            line: opening.line,
        })
    }
}

fn expect_end(opening: &Tag, end: Option<Tag>, verb: &str) -> Result<(), Fault> {
    match end.is_some_and(|end| end.verb() == verb) {
        true => Ok(()),
        false => Err(unended(opening, verb)),
    }
}

fn unended(opening: &Tag, verb: &str) -> Fault {
    Fault {
        hint: Some(format!("end it with `{{% {verb} %}}`")),
        ..opening.fault(format!("`{}` has no end", opening.words()))
    }
}

/// The words of a tag, one after the other.
struct Words<'t> {
    tag: &'t Tag,
    next: usize,
}

impl<'t> Words<'t> {
    const fn of(tag: &'t Tag, next: usize) -> Self {
        Self { tag, next }
    }

    fn peek(&self) -> Option<&'t Token> {
        self.tag.tokens.get(self.next)
    }

    fn takes(&mut self, mark: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Mark(found)) if *found == mark);
        self.next += usize::from(there);
        there
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.next += usize::from(there);
        there
    }

    fn word(&mut self) -> Option<String> {
        let Some(Token::Word(word)) = self.peek() else {
            return None;
        };
        self.next += 1;
        Some(word.clone())
    }

    fn end(&self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(token) => {
                let shown = match token {
                    Token::Word(text) | Token::Text(text) => text.clone(),
                    Token::Number(number) => number.to_string(),
                    Token::Mark(mark) => (*mark).to_owned(),
                };
                Err(self.tag.fault(format!("`{shown}` is too much here")))
            }
        }
    }

    fn condition(&mut self) -> Result<Vec<Vec<Test>>, Fault> {
        let mut any = vec![vec![self.test()?]];
        loop {
            if self.takes_word("and") {
                let test = self.test()?;
                if let Some(all) = any.last_mut() {
                    all.push(test);
                }
            } else if self.takes_word("or") {
                any.push(vec![self.test()?]);
            } else {
                self.end()?;
                return Ok(any);
            }
        }
    }

    fn test(&mut self) -> Result<Test, Fault> {
        let expected = !self.takes_word("not");
        let left = self.term()?;
        let comparisons = [
            ("==", Comparison::Same),
            ("!=", Comparison::Differs),
            (">", Comparison::Above),
            ("<", Comparison::Below),
        ];
        let found = comparisons.into_iter().find(|(mark, _)| self.takes(mark));
        let right = match found {
            Some((_, comparison)) => Some((comparison, self.term()?)),
            None => None,
        };
        Ok(Test {
            expected,
            left,
            right,
        })
    }

    fn term(&mut self) -> Result<Term, Fault> {
        let root = match self.peek() {
            Some(Token::Text(text)) => Root::Text(text.as_str().into()),
            Some(Token::Number(number)) => Root::Number(number.clone()),
            Some(Token::Word(word)) => Root::Path(vec![word.as_str().into()]),
            Some(Token::Mark(_)) | None => {
                return Err(self.tag.fault("a name or a text is missing".to_owned()));
            }
        };
        self.next += 1;
        let root = match root {
            Root::Path(mut path) => {
                while self.takes(".") {
                    let word = self.word();
                    let missing = || self.tag.fault("a name is missing after `.`".to_owned());
                    path.push(word.ok_or_else(missing)?.into());
                }
                Root::Path(path)
            }
            Root::Text(_) | Root::Number(_) => root,
        };
        let mut filters = Vec::new();
        while self.takes("|") {
            filters.push(self.filter()?);
        }
        Ok(Term { root, filters })
    }

    fn filter(&mut self) -> Result<Filter, Fault> {
        let missing = || self.tag.fault("a filter is missing after `|`".to_owned());
        let name = self.word().ok_or_else(missing)?;
        let argument = match self.takes("(") {
            true => {
                let argument = self.peek().cloned();
                self.next += 1;
                if !self.takes(")") {
                    let message = format!("`{name}(` takes one text or number, and `)`");
                    return Err(self.tag.fault(message));
                }
                argument
            }
            false => None,
        };
        Ok(match (name.as_str(), argument) {
            ("json" | "tojson", None) => Filter::Json,
            ("upper", None) => Filter::Upper,
            ("lower", None) => Filter::Lower,
            ("length", None) => Filter::Length,
            ("urlencode", None) => Filter::UrlEncode,
            ("default", Some(Token::Text(text))) => Filter::Default(text.into()),
            ("truncate", Some(Token::Number(number))) if number.as_u64().is_some() => {
                let count = number
                    .as_u64()
                    .and_then(|count| usize::try_from(count).ok());
                Filter::Truncate(count.unwrap_or(usize::MAX))
            }
            _ => {
                let hint = "there are `json`, `upper`, `lower`, `length`, `urlencode`, \
                            `default(\"text\")` and `truncate(200)`";
                return Err(Fault {
                    hint: Some(hint.to_owned()),
                    ..self
                        .tag
                        .fault(format!("there is no filter `{name}` like that"))
                });
            }
        })
    }
}
