//! Clients: they change and read settings at whatever monitor they come upon.

use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::registry::{
    Author, Change, ChangeId, Document, Edit, Expect, Key, Kind, Revision, WallMillis,
};
use auscult_core::rng::Rng;
use auscult_monitor::shared::{ChangeError, SettingsStore as _};
use tokio::time::Instant;

use crate::history::{Answer, Event, Wish, pass};
use crate::site::Running;
use crate::world::{CLIENTS, Mutant, World, look};

/// How often a client asks for the same thing before it gives up.
const ATTEMPTS: u64 = 4;

/// Settings that all clients change.
const SHARED_KEYS: u64 = 4;

/// Asks for one thing after the other until it is time to go.
pub(crate) async fn run(world: World, number: u64, until: Instant) {
    let mut client = Client {
        rng: world.rng(1_000 + number),
        world,
        number,
        asked: 0,
        last: None,
    };
    while Instant::now() < until {
        let pause = client.rng.below(250);
        client.pause(pause).await;
        client.ask().await;
    }
}

struct Client {
    world: World,
    rng: Rng,
    number: u64,
    asked: u64,
    /// The setting that it changed last, and the revision of it.
    last: Option<(String, Revision)>,
}

impl Client {
    async fn ask(&mut self) {
        self.asked += 1;
        let wish = match self.rng.below(8) {
            0..=4 => self.change(),
            5 | 6 => Wish::Confirmed,
            _ => Wish::Local,
        };
        let request = {
            let mut history = self.world.history.lock();
            history.wishes.push(wish.clone());
            history.wishes.len() - 1
        };
        for attempt in 0..ATTEMPTS {
            let monitor = self.rng.below(self.world.sites.len() as u64) as usize;
            let Some(running) = self.world.sites[monitor].running() else {
                self.pause(20).await;
                continue;
            };
            self.world.record(Event::Asked { request, monitor });
            let answer = tokio::select! {
                biased;
                () = running.boot.ended() => Answer::Unclear,
                answer = self.answer(&running, &wish, attempt) => answer,
            };
            // What a process says in its last moment is heard by nobody.
            let answer = if running.boot.is_on() {
                answer
            } else {
                Answer::Unclear
            };
            self.hear(&wish, &answer);
            let is_decided = match answer {
                Answer::Made(_) | Answer::Refused(_) | Answer::Read { .. } => true,
                Answer::NotDone | Answer::Unclear => false,
            };
            self.world.record(Event::Answered { request, answer });
            if is_decided {
                return;
            }
            let pause = self.rng.below(300);
            self.pause(pause).await;
        }
    }

    /// Waits for so many milliseconds and a few more: no two clients ask in the same one, so their
    /// order is never left to the order in which tasks are woken.
    async fn pause(&self, at_least_ms: u64) {
        let now = self.world.trace.elapsed().as_millis() as u64;
        let next = (now + at_least_ms) / CLIENTS + 1;
        pass(Duration::from_millis(next * CLIENTS + self.number - now)).await;
    }

    fn change(&mut self) -> Wish {
        let shared = format!("shared-{}", self.rng.below(SHARED_KEYS));
        let (name, expect) = match (self.rng.below(4), &self.last) {
            (0, _) => (
                format!("own-{}-{}", self.number, self.asked),
                Expect::Nothing,
            ),
            (1, Some((name, revision))) => (name.clone(), Expect::Revision(*revision)),
            (2, _) => (shared, Expect::Something),
            (_, _) => (shared, Expect::Anything),
        };
        Wish::Change {
            author: format!("c{}-{}", self.number, self.asked),
            key: Key::new(Kind::Target, &name).unwrap(),
            is_put: expect == Expect::Nothing || self.rng.below(4) != 0,
            expect,
        }
    }

    fn hear(&mut self, wish: &Wish, answer: &Answer) {
        if let (Wish::Change { key, .. }, Answer::Made(outcome)) = (wish, answer) {
            self.last = Some((key.name().to_owned(), outcome.revision));
        }
    }

    async fn answer(&self, running: &Arc<Running>, wish: &Wish, attempt: u64) -> Answer {
        let node = &running.node;
        match wish {
            Wish::Change {
                author,
                key,
                is_put,
                expect,
            } => {
                let forgets = self.world.mutant == Mutant::ForgetsWhatItAsked;
                let again = if forgets { attempt } else { 0 };
                let id = (u128::from(self.number) << 64) | u128::from(self.asked * 10 + again);
                let change = Change {
                    id: Some(ChangeId(id)),
                    author: Author::new(author),
                    at: WallMillis(self.asked as i64),
                    edits: vec![edit(author, key, *is_put, *expect)],
                };
                match node.change(change).await {
                    Ok(outcome) => Answer::Made(outcome),
                    Err(ChangeError::Refused(refusal)) => Answer::Refused(refusal),
                    Err(
                        ChangeError::NoLeader { .. } | ChangeError::Outside | ChangeError::Store(_),
                    ) => Answer::NotDone,
                    Err(ChangeError::Unclear) if self.world.mutant == Mutant::SaysNoInDoubt => {
                        Answer::NotDone
                    }
                    Err(ChangeError::Unclear) => Answer::Unclear,
                }
            }
            Wish::Confirmed => {
                if self.world.mutant != Mutant::SkipsTheBarrier && node.confirm().await.is_err() {
                    return Answer::NotDone;
                }
                read(running)
            }
            Wish::Local => read(running),
        }
    }
}

fn read(running: &Running) -> Answer {
    let (revision, digest) = look(&running.node);
    Answer::Read { revision, digest }
}

fn edit(author: &str, key: &Key, is_put: bool, expect: Expect) -> Edit {
    let key = key.clone();
    if is_put {
        let document = Document::new(&format!("{{\"by\":\"{author}\"}}"), Vec::new()).unwrap();
        Edit::Put {
            key,
            document,
            expect,
        }
    } else {
        Edit::Delete { key, expect }
    }
}
