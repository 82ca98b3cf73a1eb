//! Entries that take longer to send than openraft waits.
//!
//! openraft gives an append up after one interval of heartbeats and sends it anew, so one that
//! takes longer would never arrive; and while it is under way, the other side would hear no
//! heartbeat and look for another leader. So what is large is sent by a task that outlives the
//! attempt, the next attempt waits for the same task, and beside it go appends without entries.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use openraft::raft::AppendEntriesRequest;
use openraft::type_config::TypeConfigExt as _;
use openraft::{Entry, EntryPayload, LogId, Vote};
use tokio::task::JoinSet;

use super::Group;
use super::rpc::{Ask, CallError, Network, Reply, Request};
use auscult_core::monitor::registry::Edit;

/// From here on it may take longer than an interval of heartbeats.
const LARGE_BYTES: usize = 256 << 10;

/// How long it may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What is being sent to one other monitor, if something large is.
#[derive(Default)]
pub(super) struct Large {
    sending: Option<Sending>,
}

struct Sending {
    vote: Vote<u64>,
    after: Option<LogId<u64>>,
    last: LogId<u64>,
    /// One task, which ends with its owner.
    task: JoinSet<Result<Reply, CallError>>,
}

type Append = AppendEntriesRequest<Group>;

/// To whom it is sent, and by whom.
pub(super) struct To {
    pub(super) network: Arc<dyn Network>,
    pub(super) address: String,
    pub(super) group: String,
    pub(super) from: u64,
    pub(super) target: u64,
}

impl To {
    fn request(&self, append: Append) -> Request {
        Request {
            group: self.group.clone(),
            from: self.from,
            to: Some(self.target),
            ask: Ask::Append(append),
        }
    }
}

impl Large {
    /// Sends an append, or waits for what was begun before: then the last entry of that is told
    /// where it is not the last of this one.
    pub(super) async fn send(
        &mut self,
        to: To,
        append: Append,
        heartbeat: Duration,
    ) -> (Result<Reply, CallError>, Option<LogId<u64>>) {
        let Some(last) = append.entries.last().map(|entry| entry.log_id) else {
            return (Err(CallError::Broken("nothing to send".to_owned())), None);
        };
        let is_begun = |sending: &Sending| {
            let same = sending.vote == append.vote && sending.after == append.prev_log_id;
            same && sending.last <= last
        };
        if !self.sending.as_ref().is_some_and(is_begun) {
            let (vote, after) = (append.vote, append.prev_log_id);
            let mut task = JoinSet::new();
            task.spawn(send(to, append, heartbeat));
            let begun = Sending {
                vote,
                after,
                last,
                task,
            };
            self.sending = Some(begun);
        }
        let Some(sending) = &mut self.sending else {
            return (Err(CallError::Broken("nothing is sent".to_owned())), None);
        };
        // Given up here, it goes on.
        let sent = match sending.task.join_next().await {
            Some(Ok(sent)) => sent,
            Some(Err(_)) | None => Err(CallError::Broken("the process ends".to_owned())),
        };
        let up_to = (sending.last != last).then_some(sending.last);
        self.sending = None;
        (sent, up_to)
    }
}

async fn send(to: To, append: Append, heartbeat: Duration) -> Result<Reply, CallError> {
    let beat = Append {
        vote: append.vote,
        prev_log_id: append.prev_log_id,
        entries: Vec::new(),
        leader_commit: append.leader_commit,
    };
    let beats = async {
        loop {
            Group::sleep(heartbeat).await;
            let beat = to.request(beat.clone());
            // The next one follows.
            let _answered = to.network.call(&to.address, beat, heartbeat).await;
        }
    };
    let sent = to.network.call(&to.address, to.request(append), TIMEOUT);
    let beats: std::pin::Pin<&mut (dyn Future<Output = Infallible> + Send)> = std::pin::pin!(beats);
    tokio::select! {
        sent = sent => sent,
        never = beats => match never {},
    }
}

/// Whether entries may take long to send.
pub(super) fn is_large(entries: &[Entry<Group>]) -> bool {
    let mut bytes = 0;
    for entry in entries {
        if let EntryPayload::Normal(command) = &entry.payload {
            for edit in &command.0.edits {
                bytes += match edit {
                    Edit::Put { document, .. } => 64 + document.body().len(),
                    Edit::Delete { .. } => 64,
                };
                if bytes > LARGE_BYTES {
                    return true;
                }
            }
        }
    }
    false
}
