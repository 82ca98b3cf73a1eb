//! One operation many times, to be counted by callgrind: `instructions OPERATION SUBJECT ROUNDS`.
//! Two runs with different rounds differ by the operation alone; `bench/run` divides.

use std::hint::black_box;

use auscult_bench::Subject;
use auscult_bench::subject::{
    Auscult, AuscultDecayed, FailureDetector, PhiAccrual, PhiDetector, SharedDetector,
};

const WINDOW: usize = 200;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [operation, subject, rounds] = arguments.as_slice() else {
        eprintln!("usage: instructions heartbeat|level|is_over SUBJECT ROUNDS");
        std::process::exit(2);
    };
    let rounds = rounds.parse().expect("ROUNDS is a number");
    match subject.as_str() {
        "auscult" => run::<Auscult>(operation, rounds),
        "auscult-decayed" => run::<AuscultDecayed>(operation, rounds),
        "phi-accrual" => run::<PhiAccrual>(operation, rounds),
        "phi-accrual-detector" => run::<SharedDetector>(operation, rounds),
        "phi-accrual-failure-detector" => run::<FailureDetector>(operation, rounds),
        "phi-detector" => run::<PhiDetector>(operation, rounds),
        other => panic!("there is no subject named {other}"),
    }
}

fn run<S: Subject>(operation: &str, rounds: usize) {
    let (mut subject, mut arrivals) = S::filled(WINDOW);
    match operation {
        "heartbeat" => {
            for _ in 0..rounds {
                subject.heartbeat(arrivals.next_nanos());
            }
        }
        "level" => {
            for _ in 0..rounds {
                black_box(subject.level(arrivals.next_silence()));
            }
        }
        "is_over" => {
            for _ in 0..rounds {
                black_box(subject.is_over(arrivals.next_silence()));
            }
        }
        other => panic!("there is no operation named {other}"),
    }
    black_box(&mut subject);
}
