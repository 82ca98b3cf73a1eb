//! Server-sent events, as bytes come in.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

/// What one event may weigh; a stream that sends more is not ours.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerEvent {
    /// Its type; empty for the usual one.
    pub(crate) name: String,
    /// The lines of its data, joined.
    pub(crate) data: String,
}

/// Cuts the bytes of one connection into events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_return: bool,
    event: ServerEvent,
    /// The number of the event that is being read; it counts only when that event is whole.
    pending_id: Option<String>,
    last_id: Option<String>,
}

/// The stream sends an event that is larger than any of ours.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Parser {
    /// The number that a request to go on must carry.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Takes bytes in, gives whole events out.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<ServerEvent>, TooLarge> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => events.extend(self.end_of_line()),
                _ if self.line.len() + self.event.data.len() >= EVENT_BYTES_MAX => {
                    return Err(TooLarge);
                }
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self) -> Option<ServerEvent> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            self.last_id = self.pending_id.take().or(self.last_id.take());
            return (!event.data.is_empty()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.name = value.to_owned(),
            "id" if !value.contains('\0') => self.pending_id = Some(value.to_owned()),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments keep the connection alive; `retry` and what is not known is not ours to use.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\nid: 7\nevent: transition\ndata: {\"a\":1}\n\n\
        id: 8\r\ndata:one\r\ndata: two\r\n\r\nid: 9\ndata: cut off";

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let expected = [event("transition", "{\"a\":1}"), event("", "one\ntwo")];
        for size in 1..STREAM.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for part in STREAM.as_bytes().chunks(size) {
                events.extend(parser.feed(part).unwrap());
            }
            assert_eq!(events, expected, "in parts of {size}");
        }
    }

    #[test]
    fn goes_on_after_the_last_number_it_was_given() {
        let mut parser = Parser::default();
        assert_eq!(parser.last_id(), None);
        parser.feed(b"id: 7\ndata: a\n\nid: 8\ndata: cut").unwrap();
        assert_eq!(
            parser.last_id(),
            Some("7"),
            "an event counts when it is whole"
        );
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = Parser::default();
        let part = vec![b'x'; EVENT_BYTES_MAX];
        parser.feed(&part).unwrap();
        assert_eq!(parser.feed(b"x"), Err(TooLarge));
    }

    fn event(name: &str, data: &str) -> ServerEvent {
        ServerEvent {
            name: name.into(),
            data: data.into(),
        }
    }
}
