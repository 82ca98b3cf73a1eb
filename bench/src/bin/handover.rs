//! What it costs to hand something over: an uncontended lock, against a message that wakes another
//! thread. The figures behind docs/decisions/0002.

use std::hint::black_box;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use auscult_bench::{Effort, print};
use parking_lot::Mutex;

fn main() {
    let effort = Effort::from_arguments();
    let figure = "handing over to the machine";
    print(figure, "an uncontended lock", lock(effort), "ns", "");
    print(
        figure,
        "a message that wakes a thread",
        message(effort),
        "ns",
        "",
    );
}

/// The least of some rounds, in nanoseconds each.
fn least(effort: Effort, each: u32, mut round: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..effort.choose(50, 1) {
        let began = Instant::now();
        round();
        best = best.min(began.elapsed());
    }
    best.as_nanos() as f64 / f64::from(each)
}

fn lock(effort: Effort) -> f64 {
    let count = Mutex::new(0_u64);
    least(effort, 100_000, || {
        for _ in 0..100_000 {
            *black_box(&count).lock() += 1;
        }
    })
}

/// There and back again, halved.
fn message(effort: Effort) -> f64 {
    let (to, there) = mpsc::channel();
    let (back, from) = mpsc::channel();
    let echo = thread::spawn(move || {
        for message in there {
            if back.send(message).is_err() {
                return;
            }
        }
    });
    let nanos = least(effort, 2 * 1_000, || {
        for n in 0..1_000_u64 {
            to.send(n).expect("the other thread listens");
            black_box(from.recv().expect("the other thread answers"));
        }
    });
    drop(to);
    echo.join().expect("the other thread ends");
    nanos
}
