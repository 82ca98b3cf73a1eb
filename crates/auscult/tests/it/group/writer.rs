//! A program that goes on writing through whoever answers, and remembers what was acknowledged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::pace::{until, wait_until};
use super::{Group, put};

/// Fifty settings in a second.
const BEAT: Duration = Duration::from_millis(20);

/// How many may wait for an answer at a time.
const HANDS: usize = 16;

/// Writes until it is told to [stop](Self::stop).
pub(super) struct Writer {
    desk: Arc<Desk>,
    hands: Vec<JoinHandle<()>>,
}

struct Desk {
    monitors: Vec<String>,
    started: Instant,
    next: AtomicU32,
    is_over: AtomicBool,
    acknowledged: Mutex<Vec<Written>>,
}

/// A setting that was acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Written {
    name: String,
    revision: u64,
    asked: Instant,
    answered: Instant,
}

impl Writer {
    pub(super) fn start(group: &Group) -> Self {
        let desk = Arc::new(Desk {
            monitors: group.members.iter().map(|it| it.http.clone()).collect(),
            started: Instant::now(),
            next: AtomicU32::new(0),
            is_over: AtomicBool::new(false),
            acknowledged: Mutex::default(),
        });
        let hand = |_| {
            let desk = Arc::clone(&desk);
            thread::spawn(move || desk.write())
        };
        let hands = (0..HANDS).map(hand).collect();
        Self { desk, hands }
    }

    /// Waits until so many more are acknowledged that were asked for after this moment; tells when
    /// the first one was.
    pub(super) fn until_acknowledged(&self, count: usize, after: Instant) -> Duration {
        until("writes are acknowledged", || {
            let all = self.desk.acknowledged.lock().unwrap();
            let since = all.iter().filter(|written| written.asked > after);
            let answered: Vec<Instant> = since.map(|written| written.answered).collect();
            let first = answered.iter().min()?;
            (answered.len() >= count).then(|| first.duration_since(after))
        })
    }

    /// Ends, and tells what was acknowledged.
    pub(super) fn stop(self) -> Vec<Written> {
        self.desk.is_over.store(true, Ordering::Relaxed);
        for hand in self.hands {
            hand.join().unwrap();
        }
        let mut all = self.desk.acknowledged.lock().unwrap().clone();
        all.sort_by_key(|written| written.answered);
        all
    }
}

impl Desk {
    fn write(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            wait_until(self.started + BEAT * number);
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let name = format!("w{number}");
            let first = number as usize % self.monitors.len();
            // Who asks again may be answered with what came of asking before.
            let asked = Instant::now();
            let order = (0..self.monitors.len()).map(|it| (first + it) % self.monitors.len());
            for monitor in order {
                if let Some(written) = ask(&self.monitors[monitor], &name, asked) {
                    self.acknowledged.lock().unwrap().push(written);
                    break;
                }
                if self.is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
    }
}

fn ask(monitor: &str, name: &str, asked: Instant) -> Option<Written> {
    let answer = put(monitor, name).ok()?;
    let answered = Instant::now();
    if !matches!(answer.status, 200 | 201) {
        assert_eq!(answer.status, 503, "{answer:?}");
        return None;
    }
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    Some(Written {
        name: name.to_owned(),
        revision: body["revision"].as_u64().unwrap(),
        asked,
        answered,
    })
}

/// Everything that was acknowledged is there, as it was acknowledged; and whatever was asked for
/// after something was acknowledged came after it.
pub(super) fn check(written: &[Written], found: &BTreeMap<String, u64>) {
    for it in written {
        let there = found.get(&it.name);
        assert_eq!(there, Some(&it.revision), "lost or replaced: {it:?}");
    }
    for it in written {
        let before = written.iter().take_while(|other| other.answered < it.asked);
        let last = before.map(|other| other.revision).max().unwrap_or(0);
        assert!(
            it.revision > last,
            "revision {last} was told before {it:?} was asked"
        );
    }
}
