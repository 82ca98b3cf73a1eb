//! What the kernel asks for a datagram before anybody looks into it: `recvmmsg` from a full queue,
//! and nothing else. A monitor cannot be cheaper.

use std::hint::black_box;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use auscult_bench::{Effort, cpu_time, print};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::SockRef;

/// As long as a heartbeat with a name, a sequence number and nothing else.
const DATAGRAM: [u8; 24] = [b'h'; 24];

/// Datagrams that fit the queue of the socket.
const QUEUED: usize = 1000;

fn main() -> io::Result<()> {
    let rounds = Effort::from_arguments().choose(300, 3);
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    SockRef::from(&receiver).set_recv_buffer_size(8 << 20)?;
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    sender.connect(receiver.local_addr()?)?;
    let state = UdpSocketState::new(UdpSockRef::from(&receiver))?;
    receiver.set_nonblocking(true)?;

    let mut buffers = vec![[0_u8; 2048]; BATCH_SIZE];
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        for _ in 0..QUEUED {
            sender.send(&DATAGRAM)?;
        }
        let began = cpu_time();
        let mut received = 0;
        while received < QUEUED {
            let mut slices: Vec<IoSliceMut<'_>> =
                buffers.iter_mut().map(|b| IoSliceMut::new(b)).collect();
            let mut about = [RecvMeta::default(); BATCH_SIZE];
            received += state.recv(UdpSockRef::from(&receiver), &mut slices, &mut about)?;
            black_box(&about);
        }
        best = best.min(cpu_time() - began);
    }
    let nanos = best.as_nanos() as f64 / QUEUED as f64;
    print(
        "a heartbeat over UDP, processor time",
        "recvmmsg alone",
        nanos,
        "ns",
        "",
    );
    Ok(())
}
