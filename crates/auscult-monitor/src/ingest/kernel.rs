//! What the kernel says about a UDP socket's queue: how full it is, and what it dropped.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// The kernel's queue of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelQueue {
    /// Bytes of memory that wait to be read, headers included.
    pub queued_bytes: u64,
    /// Datagrams dropped since the socket was opened: the queue was full, or a checksum wrong.
    pub dropped: u64,
}

/// Where a socket stands in the kernel's table.
#[derive(Clone, Debug)]
pub(super) struct QueueProbe {
    inode: u64,
    table: &'static str,
}

impl QueueProbe {
    pub(super) fn new(socket: &UdpSocket) -> io::Result<Self> {
        let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
        let table = match socket.local_addr()? {
            SocketAddr::V4(_) => "/proc/net/udp",
            SocketAddr::V6(_) => "/proc/net/udp6",
        };
        Ok(Self {
            inode: fs::metadata(path)?.ino(),
            table,
        })
    }

    /// Reads the kernel's table: some 100 us. None where there is no such table.
    pub(super) fn read(&self) -> Option<KernelQueue> {
        let file = fs::File::open(self.table).ok()?;
        let lines = BufReader::new(file).lines();
        lines
            .map_while(Result::ok)
            .find_map(|line| parse(&line, self.inode))
    }
}

/// A line: `sl local remote st tx:rx tr:when retrnsmt uid timeout inode ref pointer drops`.
fn parse(line: &str, inode: u64) -> Option<KernelQueue> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if fields.get(9)?.parse() != Ok(inode) {
        return None;
    }
    let (_, received) = fields.get(4)?.split_once(':')?;
    Some(KernelQueue {
        queued_bytes: u64::from_str_radix(received, 16).ok()?,
        dropped: fields.get(12)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read() {
        let line = " 1234: 0100007F:1F40 00000000:0000 07 00000000:00000A00 00:00000000 00000000  \
                    1000        0 424242 2 0000000000000000 17";
        let expected = KernelQueue {
            queued_bytes: 2_560,
            dropped: 17,
        };
        assert_eq!(parse(line, 424_242), Some(expected));
        assert_eq!(parse(line, 1), None);
        assert_eq!(parse("  sl  local_address rem_address", 1), None);
    }

    #[test]
    fn what_waits_and_what_was_dropped_is_seen() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let probe = QueueProbe::new(&socket).unwrap();
        assert_eq!(probe.read(), Some(KernelQueue::default()));
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(socket.local_addr().unwrap()).unwrap();
        while probe.read().unwrap().dropped == 0 {
            for _ in 0..100 {
                sender.send(&[0; 1_000]).unwrap();
            }
        }
        assert!(probe.read().unwrap().queued_bytes > 1_000);
    }
}
