//! An agent that others reach over gRPC alone takes any bytes: each call ends, and the agent goes
//! on.
//!
//! What is sent is HTTP/2 as a client would write it by hand, as far as the head of the call. Its
//! body is what the fuzzer says: messages with the right lengths around any content, or any bytes
//! at all, in pieces of any size.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use auscult_agent::{Agent, AgentConfig, AgentHandle, Transport};
use auscult_core::swim::{Label, MemberName, Params};
use tokio::runtime::Runtime;

/// Panics when a call does not end, or the agent does not go on.
pub(crate) fn check(bytes: &[u8]) {
    static BENCH: OnceLock<(Runtime, AgentHandle)> = OnceLock::new();
    let (runtime, agent) = BENCH.get_or_init(start);
    let ended = call(agent.address(), bytes);
    if let Err(error) = ended {
        // Who breaks the rules of HTTP/2 is hung up on.
        let held = matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        );
        assert!(!held, "the call is held");
    }
    let members = runtime.block_on(agent.view(|swim, _| swim.members().count()));
    assert_eq!(
        members.ok(),
        Some(1),
        "the agent goes on, and takes nobody in"
    );
}

fn start() -> (Runtime, AgentHandle) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    // Nobody who writes bytes by chance knows this label.
    let label = Label::new("nobody-knows-it").expect("a label");
    let name = MemberName::new("fuzzed").expect("a name");
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = AgentConfig::new(name, bind, Params::local(label));
    config.transport = Transport::Grpc;
    let agent = runtime.block_on(Agent::start(config)).expect("an agent");
    (runtime, agent)
}

/// One call on one connection, until the other side ends it.
fn call(agent: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    let (&kind, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let mut stream = TcpStream::connect(agent)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let method = if kind & 1 == 0 {
        "Datagrams"
    } else {
        "Connection"
    };
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut out, SETTINGS, 0, 0, &[]);
    frame(&mut out, HEADERS, END_HEADERS, STREAM, &head(method));
    for piece in pieces(bytes) {
        let mut body = Vec::new();
        match kind & 2 {
            0 => message(&mut body, piece),
            _ => body.extend_from_slice(piece),
        }
        for part in body.chunks(FRAME_BYTES) {
            frame(&mut out, DATA, 0, STREAM, part);
        }
    }
    frame(&mut out, DATA, END_STREAM, STREAM, &[]);
    stream.write_all(&out)?;
    read_to_the_end(&mut stream)
}

/// Each is as long as the byte before it says.
fn pieces(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((&length, rest)) = bytes.split_first() {
        let (piece, rest) = rest.split_at(rest.len().min(usize::from(length)));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// A message with one field of bytes, as both calls have it, and the five bytes that gRPC puts
/// before each.
fn message(out: &mut Vec<u8>, content: &[u8]) {
    let length = content.len() as u32;
    let mut field = vec![0x0a, length as u8 & 0x7f | 0x80, (length >> 7) as u8];
    field.extend_from_slice(content);
    out.push(0);
    out.extend_from_slice(&(field.len() as u32).to_be_bytes());
    out.extend(field);
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// The fields of the head, each as a literal.
fn head(method: &str) -> Vec<u8> {
    let path = format!("/auscult.v1.Transport/{method}");
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path.as_str()),
        (":authority", "fuzzed"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            out.push(text.len() as u8);
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

/// Until the other side ends the stream or hangs up.
fn read_to_the_end(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload)?;
        let (kind, flags) = (head[3], head[4]);
        let of_call = head[5..] == STREAM.to_be_bytes();
        let ends = matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
        if kind == GOAWAY || of_call && (ends || kind == RESET) {
            return Ok(());
        }
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const STREAM: u32 = 1;
/// What a frame may have where nothing else was agreed.
const FRAME_BYTES: usize = 16_384;
const PATIENCE: Duration = Duration::from_secs(4);
