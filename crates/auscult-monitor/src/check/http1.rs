//! HTTP/1.1 answers, read without keeping a buffer per connection.
//!
//! [`Reader`] is a machine over bytes: how they were cut into reads makes no difference. A client
//! library keeps 16 KiB per connection; with ten thousand kept connections that is most of a
//! monitor's memory, while a check's answer nearly always arrives whole and needs no buffer at all.

/// What becomes of an answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyUse {
    /// Kept up to [`BODY_BYTES_MAX`], to be matched.
    Keep,
    /// Read up to [`DRAIN_BYTES_MAX`] and dropped, so that the connection can be used again.
    Drain,
    /// There is none, whatever the head says: the answer to `HEAD`.
    Absent,
}

/// Bytes of a body that are looked at.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// Bytes of a body that are read for the sake of the connection; beyond that a new one is cheaper.
pub(super) const DRAIN_BYTES_MAX: usize = 64 << 10;
/// Bytes of an answer's head. Servers send a few hundred; proxies with many cookies some thousand.
const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 96;
/// Heads like `100 Continue` before the real one.
const INTERIM_HEADS_MAX: u32 = 8;
/// Bytes of one line of chunk framing, or of the trailer.
const FRAMING_BYTES_MAX: u32 = 16 << 10;

/// What an answer's head says that matters to a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) version: &'static str,
    pub(super) location: Option<String>,
}

/// The answer broke the protocol; the text says how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) String);

/// Reads one answer.
#[derive(Debug)]
pub(super) struct Reader {
    body_use: BodyUse,
    stage: Stage,
    /// The part of a head that has come so far, when it did not come whole.
    partial_head: Vec<u8>,
    interim_heads: u32,
    head: Option<Head>,
    body: Vec<u8>,
    body_bytes: usize,
    persistent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Head,
    Length(u64),
    Chunks(Chunk),
    UntilClose,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// In the size line, before its line feed.
    Size {
        size: u64,
        digits: u32,
        extension: bool,
        bytes: u32,
    },
    Data(u64),
    /// After a chunk's data, before the line feed.
    DataEnd,
    /// In the trailer: bytes of the present line and of all lines.
    Trailer {
        line: u32,
        bytes: u32,
    },
}

const CHUNK_START: Chunk = Chunk::Size {
    size: 0,
    digits: 0,
    extension: false,
    bytes: 0,
};

impl Reader {
    pub(super) const fn new(body_use: BodyUse) -> Self {
        Self {
            body_use,
            stage: Stage::Head,
            partial_head: Vec::new(),
            interim_heads: 0,
            head: None,
            body: Vec::new(),
            body_bytes: 0,
            persistent: true,
        }
    }

    pub(super) const fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The head and what was kept of the body, once the answer is done.
    pub(super) fn into_parts(self) -> (Head, Vec<u8>) {
        (self.head.unwrap_or_default(), self.body)
    }

    /// Nothing more needs to be read.
    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// The answer has ended where it said, and the server will take another request.
    pub(super) fn is_reusable(&self) -> bool {
        self.is_done() && self.persistent
    }

    /// No byte of an answer has come.
    pub(super) fn is_untouched(&self) -> bool {
        self.stage == Stage::Head && self.partial_head.is_empty() && self.interim_heads == 0
    }

    /// Takes what was read.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            match self.stage {
                Stage::Head => match self.take_head(bytes)? {
                    Some(used) => bytes = &bytes[used..],
                    None => return Ok(()),
                },
                Stage::Length(left) => {
                    let here =
                        usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    self.stage = match left - here as u64 {
                        0 => Stage::Done,
                        left => Stage::Length(left),
                    };
                    self.take_body(&bytes[..here]);
                    bytes = &bytes[here..];
                }
                Stage::Chunks(chunk) => {
                    let used = self.take_chunk(chunk, bytes)?;
                    bytes = &bytes[used..];
                }
                Stage::UntilClose => {
                    self.take_body(bytes);
                    bytes = &[];
                }
                Stage::Done => {
                    // Bytes that nobody asked for: the next answer would be read wrongly.
                    self.persistent = false;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes the end of the stream. `false`: it came too early.
    pub(super) fn end(&mut self) -> bool {
        self.persistent = false;
        match self.stage {
            Stage::UntilClose => {
                self.stage = Stage::Done;
                true
            }
            Stage::Done => true,
            Stage::Head | Stage::Length(_) | Stage::Chunks(_) => false,
        }
    }

    /// Returns how many of `bytes` belong to the head, once it is complete.
    fn take_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let before = self.partial_head.len();
        if before == 0 {
            let parsed = parse_head(bytes)?;
            return self.accept_head(parsed, bytes, 0);
        }
        let room = HEAD_BYTES_MAX.saturating_sub(before).min(bytes.len());
        let mut whole = std::mem::take(&mut self.partial_head);
        whole.extend_from_slice(&bytes[..room]);
        let parsed = parse_head(&whole)?;
        self.accept_head(parsed, &whole, before)
    }

    fn accept_head(
        &mut self,
        parsed: Option<ParsedHead>,
        bytes: &[u8],
        before: usize,
    ) -> Result<Option<usize>, Malformed> {
        let Some(parsed) = parsed else {
            if bytes.len() >= HEAD_BYTES_MAX {
                return Err(Malformed(format!(
                    "the head of the answer is longer than {HEAD_BYTES_MAX} bytes"
                )));
            }
            self.partial_head = bytes.to_vec();
            return Ok(None);
        };
        let used = parsed.length - before;
        match parsed.head.status {
            101 => return Err(Malformed("the server switched protocols".into())),
            100..=199 => {
                self.interim_heads += 1;
                if self.interim_heads > INTERIM_HEADS_MAX {
                    return Err(Malformed("too many 1xx answers".into()));
                }
                return Ok(Some(used));
            }
            _ => {}
        }
        self.persistent = parsed.persistent;
        self.stage = match (self.body_use, parsed.head.status, parsed.framing) {
            (BodyUse::Absent, _, _) | (_, 204 | 304, _) | (_, _, Framing::Length(0)) => Stage::Done,
            (_, _, Framing::Length(length)) => Stage::Length(length),
            (_, _, Framing::Chunked) => Stage::Chunks(CHUNK_START),
            (_, _, Framing::UntilClose) => {
                self.persistent = false;
                Stage::UntilClose
            }
        };
        self.head = Some(parsed.head);
        Ok(Some(used))
    }

    fn take_body(&mut self, bytes: &[u8]) {
        self.body_bytes += bytes.len();
        let limit = match self.body_use {
            BodyUse::Keep => {
                let room = BODY_BYTES_MAX - self.body.len();
                self.body.extend_from_slice(&bytes[..room.min(bytes.len())]);
                BODY_BYTES_MAX
            }
            BodyUse::Drain | BodyUse::Absent => DRAIN_BYTES_MAX,
        };
        if self.body_bytes >= limit && self.stage != Stage::Done {
            self.stage = Stage::Done;
            self.persistent = false;
        }
    }

    /// Returns how many of `bytes`, at least one, were used.
    fn take_chunk(&mut self, chunk: Chunk, bytes: &[u8]) -> Result<usize, Malformed> {
        let byte = bytes[0];
        let mut used = 1;
        let next = match chunk {
            Chunk::Size {
                size,
                digits,
                extension,
                bytes,
            } => size_line(byte, size, digits, extension, bytes)?,
            Chunk::Data(left) => {
                used = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let left = left - used as u64;
                self.stage = Stage::Chunks(if left == 0 {
                    Chunk::DataEnd
                } else {
                    Chunk::Data(left)
                });
                self.take_body(&bytes[..used]);
                return Ok(used);
            }
            Chunk::DataEnd => match byte {
                b'\r' => Chunk::DataEnd,
                b'\n' => CHUNK_START,
                _ => return Err(Malformed("a chunk is longer than its size says".into())),
            },
            Chunk::Trailer {
                bytes: FRAMING_BYTES_MAX,
                ..
            } => {
                return Err(Malformed("the trailer is too long".into()));
            }
            Chunk::Trailer { line: 0, .. } if byte == b'\n' => {
                self.stage = Stage::Done;
                return Ok(1);
            }
            Chunk::Trailer { line, bytes } => Chunk::Trailer {
                line: match byte {
                    b'\n' => 0,
                    b'\r' => line,
                    _ => line + 1,
                },
                bytes: bytes + 1,
            },
        };
        self.stage = Stage::Chunks(next);
        Ok(used)
    }
}

/// One byte of the line before a chunk.
fn size_line(
    byte: u8,
    size: u64,
    digits: u32,
    extension: bool,
    bytes: u32,
) -> Result<Chunk, Malformed> {
    if bytes == FRAMING_BYTES_MAX {
        return Err(Malformed("the line of a chunk's size is too long".into()));
    }
    let bytes = bytes + 1;
    let digit = char::from(byte).to_digit(16).filter(|_| !extension);
    match (byte, digit) {
        (_, Some(digit)) if size >> 60 == 0 => Ok(Chunk::Size {
            size: size << 4 | u64::from(digit),
            digits: digits + 1,
            extension,
            bytes,
        }),
        (b'\n', _) if digits > 0 => Ok(match size {
            0 => Chunk::Trailer { line: 0, bytes: 0 },
            size => Chunk::Data(size),
        }),
        (b';' | b' ' | b'\t' | b'\r', _) if digits > 0 => Ok(Chunk::Size {
            size,
            digits,
            extension: true,
            bytes,
        }),
        _ if extension => Ok(Chunk::Size {
            size,
            digits,
            extension,
            bytes,
        }),
        _ => Err(Malformed("a chunk has no valid size".into())),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

struct ParsedHead {
    head: Head,
    length: usize,
    framing: Framing,
    persistent: bool,
}

fn parse_head(bytes: &[u8]) -> Result<Option<ParsedHead>, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Malformed(format!("more than {HEADERS_MAX} headers")));
        }
        Err(error) => {
            return Err(Malformed(format!(
                "not an HTTP answer: {error}, in {:?}",
                beginning(bytes)
            )));
        }
    };
    let old = response.version == Some(0);
    let mut fields = Fields {
        persistent: !old,
        ..Fields::default()
    };
    for header in response.headers.iter() {
        fields.take(header)?;
    }
    let framing = match (fields.coded, fields.length) {
        (Some(Coding::Chunked), length) => {
            // Both at once is how requests are smuggled: RFC 9112 6.3 says to close after it.
            fields.persistent &= length.is_none();
            Framing::Chunked
        }
        (Some(Coding::Other), _) | (None, None) => Framing::UntilClose,
        (None, Some(length)) => Framing::Length(length),
    };
    Ok(Some(ParsedHead {
        head: Head {
            status: response.code.unwrap_or(0),
            version: if old { "1.0" } else { "1.1" },
            location: fields.location,
        },
        length,
        framing,
        persistent: fields.persistent,
    }))
}

enum Coding {
    Chunked,
    Other,
}

/// The headers that decide how an answer is read.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    coded: Option<Coding>,
    location: Option<String>,
    persistent: bool,
}

impl Fields {
    fn take(&mut self, header: &httparse::Header<'_>) -> Result<(), Malformed> {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let length = content_length(header.value)
                .filter(|&length| self.length.is_none_or(|before| before == length))
                .ok_or_else(|| Malformed("the content length is no number".into()))?;
            self.length = Some(length);
        } else if is("transfer-encoding") {
            let last = header.value.rsplit(|&byte| byte == b',').next();
            let chunked =
                last.is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
            self.coded = Some(if chunked {
                Coding::Chunked
            } else {
                Coding::Other
            });
        } else if is("connection") {
            for option in header.value.split(|&byte| byte == b',') {
                let option = option.trim_ascii();
                if option.eq_ignore_ascii_case(b"close") {
                    self.persistent = false;
                } else if option.eq_ignore_ascii_case(b"keep-alive") {
                    self.persistent = true;
                }
            }
        } else if is("location") {
            self.location = Some(String::from_utf8_lossy(header.value).into_owned());
        }
        Ok(())
    }
}

/// Digits alone: signs and spaces are where readers of HTTP disagree.
fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn beginning(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(32)]).into_owned()
}
