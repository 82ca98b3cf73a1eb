//! One Rust file as the rules see it: its lines, functions, modules and every path that it names.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What the rules ask of a file.
pub(super) struct Source {
    /// From the repository's root, with `/`.
    pub(super) path: String,
    pub(super) lines: Vec<String>,
    pub(super) functions: Vec<Function>,
    pub(super) modules: Vec<Module>,
    pub(super) names: Vec<Name>,
}

pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    /// From `fn` to the closing brace, both included.
    pub(super) lines: usize,
}

pub(super) struct Module {
    pub(super) name: String,
    pub(super) line: usize,
}

/// A path of at least two segments, from an import, an expression, a type or a macro's arguments.
/// `self`, `super` and `crate` are resolved: the first segment is then `crate`.
pub(super) struct Name {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
    pub(super) place: Place,
}

/// Whether code ships or only tests what ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Product,
    Test,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// Says where the text is no Rust.
    pub(super) fn parse(path: &str, text: &str) -> Result<Self, String> {
        let tokens: TokenStream = text
            .parse()
            .map_err(|error| format!("does not lex as Rust: {error}"))?;
        let mut reader = Reader {
            module: module_of(path),
            functions: Vec::new(),
            modules: Vec::new(),
            names: Vec::new(),
        };
        reader.read(tokens, place_of(path));
        Ok(Self {
            path: path.into(),
            lines: text.lines().map(Into::into).collect(),
            functions: reader.functions,
            modules: reader.modules,
            names: reader.names,
        })
    }
}

/// `crates/x/src/a/b.rs` is the module `crate::a::b`; so is `crates/x/src/a/b/mod.rs`.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.split_once("/src/").map_or("", |(_, inside)| inside);
    let inside = inside.trim_end_matches(".rs");
    let mut module = vec!["crate".to_owned()];
    module.extend(
        inside
            .split('/')
            .filter(|part| !["", "mod", "lib", "main"].contains(part))
            .map(Into::into),
    );
    module
}

fn place_of(path: &str) -> Place {
    let test = path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/fuzz/");
    if test { Place::Test } else { Place::Product }
}

struct Reader {
    module: Vec<String>,
    functions: Vec<Function>,
    modules: Vec<Module>,
    names: Vec<Name>,
}

impl Reader {
    /// Reads what stands between two braces, or a whole file.
    fn read(&mut self, tokens: TokenStream, outside: Place) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        // The place of the item being read: an attribute changes it until the item ends, with its
        // braces or its semicolon.
        let mut place = outside;
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(word) => {
                    at = self.read_word(&tokens, at, &word.to_string(), place);
                    continue;
                }
                TokenTree::Group(group) if is_attribute(&tokens, at) => {
                    if is_for_tests(group.stream()) {
                        place = Place::Test;
                    }
                }
                TokenTree::Group(group) => {
                    let module = module_before(&tokens, at);
                    let depth = self.module.len();
                    self.module.extend(module);
                    self.read(group.stream(), place);
                    self.module.truncate(depth);
                    if group.delimiter() == Delimiter::Brace {
                        place = outside;
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => place = outside,
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }

    /// Reads what a word begins, and returns where to go on.
    fn read_word(&mut self, tokens: &[TokenTree], at: usize, word: &str, place: Place) -> usize {
        match word {
            "fn" => {
                self.note_function(tokens, at);
                at + 1
            }
            "mod" => {
                if let Some(TokenTree::Ident(name)) = tokens.get(at + 1) {
                    self.modules.push(Module {
                        name: name.to_string(),
                        line: tokens[at].span().start().line,
                    });
                }
                at + 2
            }
            "use" => {
                let end = position_of_semicolon(tokens, at);
                self.read_import(&tokens[at + 1..end], &[], place);
                end
            }
            _ => self.read_path(tokens, at, place),
        }
    }

    fn note_function(&mut self, tokens: &[TokenTree], at: usize) {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else {
            return;
        };
        for token in &tokens[at..] {
            match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    let first = tokens[at].span().start().line;
                    let last = group.span().end().line;
                    self.functions.push(Function {
                        name: name.to_string(),
                        line: first,
                        lines: last - first + 1,
                    });
                    return;
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => return,
                TokenTree::Group(_)
                | TokenTree::Punct(_)
                | TokenTree::Ident(_)
                | TokenTree::Literal(_) => {}
            }
        }
    }

    /// Flattens `a::{b, c::d as e}` into `a::b` and `a::c::d`.
    fn read_import(&mut self, tree: &[TokenTree], before: &[String], place: Place) {
        let mut path = before.to_vec();
        let mut renamed = false;
        for token in tree {
            match token {
                TokenTree::Ident(ident) if ident == "as" => renamed = true,
                TokenTree::Ident(_) if renamed => {}
                TokenTree::Ident(ident) => path.push(ident.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == '*' => path.push("*".into()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                TokenTree::Group(group) => {
                    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                    let comma = |token: &TokenTree| is_punct(Some(token), ',');
                    for branch in inside.split(comma).filter(|branch| !branch.is_empty()) {
                        self.read_import(branch, &path, place);
                    }
                    return;
                }
            }
        }
        if let Some(first) = tree.first() {
            self.note_name(path, first.span().start().line, place);
        }
    }

    fn read_path(&mut self, tokens: &[TokenTree], at: usize, place: Place) -> usize {
        let mut segments = Vec::new();
        let mut next = at;
        while let Some(TokenTree::Ident(ident)) = tokens.get(next) {
            segments.push(ident.to_string());
            next += 1;
            if !(is_punct(tokens.get(next), ':') && is_punct(tokens.get(next + 1), ':')) {
                break;
            }
            next += 2;
        }
        self.note_name(segments, tokens[at].span().start().line, place);
        next
    }

    fn note_name(&mut self, segments: Vec<String>, line: usize, place: Place) {
        if segments.len() < 2 {
            return;
        }
        let mut resolved: Vec<String> = Vec::new();
        for segment in segments {
            match segment.as_str() {
                "self" if resolved.is_empty() => resolved.clone_from(&self.module),
                "super" => {
                    if resolved.is_empty() {
                        resolved.clone_from(&self.module);
                    }
                    resolved.pop();
                }
                _ => resolved.push(segment),
            }
        }
        self.names.push(Name {
            segments: resolved,
            line,
            place,
        });
    }
}

/// Whether the group at `at` is the bracket of `#[..]` or `#![..]`.
fn is_attribute(tokens: &[TokenTree], at: usize) -> bool {
    let before = |n: usize| at.checked_sub(n).and_then(|at| tokens.get(at));
    is_punct(before(1), '#') || (is_punct(before(1), '!') && is_punct(before(2), '#'))
}

/// `cfg(test)`, `test` and `tokio::test(..)` mark what follows as a test.
fn is_for_tests(attribute: TokenStream) -> bool {
    let text = attribute.to_string().replace(' ', "");
    let path = text.split(['(', '=']).next().unwrap_or_default();
    text == "cfg(test)" || path == "test" || path.ends_with("::test")
}

/// The name in `mod name { .. }`, when the braces at `at` are those of a module.
fn module_before(tokens: &[TokenTree], at: usize) -> Option<String> {
    let word = |before: usize| match tokens.get(at.checked_sub(before)?) {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    };
    word(2).filter(|found| found == "mod").and_then(|_| word(1))
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn position_of_semicolon(tokens: &[TokenTree], at: usize) -> usize {
    let rest = tokens.iter().skip(at);
    let offset = rest.take_while(|token| !is_punct(Some(token), ';')).count();
    at + offset
}
