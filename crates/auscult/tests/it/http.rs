//! Requests as a program without a library would send them.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::process::PATIENCE;

/// The status code and the body of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

pub(crate) fn get(addr: &str, path: &str) -> Answer {
    ask(addr, "GET", path, "", "").unwrap()
}

/// Posts as `curl -d` does, which calls everything a form.
pub(crate) fn post(addr: &str, path: &str, body: &str) -> Answer {
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    ask(addr, "POST", path, form, body).unwrap()
}

/// One request on one connection; `headers` are whole lines.
pub(crate) fn ask(
    addr: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> io::Result<Answer> {
    ask_within(PATIENCE, addr, &format!("{method} {path}"), headers, body)
}

/// As [`ask`], of one who may not answer. `what` is method and path.
pub(crate) fn ask_within(
    patience: Duration,
    addr: &str,
    what: &str,
    headers: &str,
    body: &str,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(patience))?;
    let length = body.len();
    write!(
        stream,
        "{what} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let closed = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(closed)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    assert!(!chunked, "this client reads whole bodies only: {head}");
    Ok(Answer {
        status: status.ok_or_else(closed)?,
        body: body.into(),
    })
}

/// The `host:port` after `http://` in a line of output.
pub(crate) fn addr_in(line: &str) -> String {
    let start = line.find("http://").expect("an address") + "http://".len();
    let rest = &line[start..];
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]-".contains(c)))
        .unwrap_or(rest.len());
    rest[..end].to_owned()
}
