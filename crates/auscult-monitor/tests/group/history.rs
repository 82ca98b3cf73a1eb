//! What happened, in the one order in which it did: what was asked and answered, and what could be
//! read where.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::registry::{Expect, Key, Outcome, Refusal};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// One thing that happened. Its place in the history is its time.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A client asks a monitor. A request is asked again with the same number.
    Asked { request: usize, monitor: usize },
    /// It is answered.
    Answered { request: usize, answer: Answer },
    /// This is what can be read at a monitor now.
    Seen {
        monitor: usize,
        revision: u64,
        digest: u64,
    },
    /// A monitor loses power.
    PowerWent { monitor: usize },
    /// A monitor cannot be started with what its disk holds.
    Torn { monitor: usize, text: String },
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// To change one setting. The author names the request.
    Change {
        author: String,
        key: Key,
        is_put: bool,
        expect: Expect,
    },
    /// To read everything that was acknowledged before.
    Confirmed,
    /// To read what is there.
    Local,
}

/// What a client is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Made(Outcome),
    Refused(Refusal),
    /// It was read.
    Read {
        revision: u64,
        digest: u64,
    },
    /// It was not done: there is no leader, or the store failed.
    NotDone,
    /// It may have been done.
    Unclear,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) wishes: Vec<Wish>,
    pub(crate) events: Vec<Event>,
    /// What every monitor held in the end.
    pub(crate) finals: Vec<Final>,
    /// What did not come about after everything was whole again.
    pub(crate) unsettled: Vec<String>,
}

/// What a monitor held in the end.
#[derive(Clone, Debug)]
pub(crate) struct Final {
    pub(crate) revision: u64,
    pub(crate) digest: u64,
    /// Every change: by whom, and which settings; the first one has revision 1.
    pub(crate) changes: Vec<(String, Vec<(Key, bool)>)>,
    /// The last change of each setting that is there.
    pub(crate) settings: Vec<(Key, u64)>,
}

/// One request of a client, with all that it was answered.
pub(crate) struct Request<'a> {
    pub(crate) wish: &'a Wish,
    /// When it was asked first.
    pub(crate) asked: usize,
    /// When and by which monitor it was answered, and what.
    pub(crate) answers: Vec<(usize, usize, &'a Answer)>,
}

impl History {
    /// What was made in the end, according to the first monitor; the others agree, or a check of
    /// its own says that they do not.
    pub(crate) fn truth(&self) -> Result<&Final, String> {
        self.finals
            .first()
            .ok_or_else(|| "no monitor is left".to_owned())
    }

    /// The requests that were asked of anybody, in their order.
    pub(crate) fn requests(&self) -> Vec<Request<'_>> {
        let mut requests: Vec<Option<Request<'_>>> = self.wishes.iter().map(|_| None).collect();
        let mut asked_of = vec![0; self.wishes.len()];
        for (at, event) in self.events.iter().enumerate() {
            match event {
                Event::Asked { request, monitor } => {
                    asked_of[*request] = *monitor;
                    requests[*request].get_or_insert_with(|| Request {
                        wish: &self.wishes[*request],
                        asked: at,
                        answers: Vec::new(),
                    });
                }
                Event::Answered { request, answer } => {
                    let answered = requests[*request].as_mut().unwrap();
                    answered.answers.push((at, asked_of[*request], answer));
                }
                Event::Seen { .. } | Event::PowerWent { .. } | Event::Torn { .. } => {}
            }
        }
        requests.into_iter().flatten().collect()
    }
}

impl Final {
    /// The revisions that a request came to, by its author.
    pub(crate) fn made_by(&self, author: &str) -> impl Iterator<Item = u64> {
        let changes = (1..).zip(&self.changes);
        changes.filter_map(move |(revision, (by, _))| (by == author).then_some(revision))
    }

    /// What a setting was at which revision: its last change, or nothing.
    pub(crate) fn course_of(&self, wanted: &Key) -> Vec<(u64, Option<u64>)> {
        let mut course = vec![(0, None)];
        for (revision, (_, edits)) in (1..).zip(&self.changes) {
            for (_, is_there) in edits.iter().filter(|(key, _)| key == wanted) {
                course.push((revision, is_there.then_some(revision)));
            }
        }
        course
    }
}

/// Lets virtual time pass, which takes none.
pub(crate) async fn pass(span: Duration) {
    sleep_until(Instant::now() + span).await;
}

/// Everything in words, for the comparison of two runs. Clones write to the same one.
#[derive(Clone)]
pub(crate) struct Trace {
    started: Instant,
    /// Whether it is printed as it happens.
    is_live: bool,
    text: Arc<Mutex<String>>,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            is_live: std::env::var_os("AUSCULT_GROUP_SEED").is_some(),
            text: Arc::default(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    #[expect(
        clippy::print_stdout,
        reason = "a story that is looked at is told while it happens"
    )]
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        let at = self.elapsed().as_millis();
        let line = line();
        if self.is_live {
            println!("{at:6} {line}");
        }
        // Writing to a string does not fail.
        let _written = writeln!(self.text.lock(), "{at:6} {line}");
    }

    pub(crate) fn text(&self) -> String {
        self.text.lock().clone()
    }
}
