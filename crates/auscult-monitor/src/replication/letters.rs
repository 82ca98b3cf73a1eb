//! Letters between observers, carried by the group's own network.

use std::sync::Arc;
use std::time::Duration;

use super::Monitor;
use super::node::Node;
use super::rpc::{Ask, Reply, Request};
use crate::observers::wire::{Answer, Letter};

/// Takes the letters of other observers.
pub trait Colleague: Send + Sync + 'static {
    /// Takes a letter of the monitor of that name, and answers it. Soon: it is called on an event
    /// loop.
    fn take(&self, from: &str, letter: Letter) -> Answer;
}

impl Node {
    /// This monitor's name and addresses.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        self.0.identity.read().monitor.clone()
    }

    /// Says who takes the letters of other observers. The first one does; before, they are refused.
    pub fn set_colleague(&self, colleague: Arc<dyn Colleague>) {
        // A second one would be a mistake of the program, and changes nothing.
        let _taken = self.0.colleague.set(colleague);
    }

    /// Has the monitor of that name answer a letter.
    ///
    /// # Errors
    /// Why there is no answer. State: it may have taken it.
    pub async fn send_letter(
        &self,
        to: &str,
        letter: Letter,
        timeout: Duration,
    ) -> Result<Answer, String> {
        let roster = self.roster();
        let known = roster.values().find(|monitor| monitor.name == to);
        let Some(address) = known.map(|monitor| monitor.raft.clone()) else {
            return Err(format!("{to} is no monitor of the group"));
        };
        let (group, from) = {
            let identity = self.0.identity.read();
            (identity.group.clone(), identity.id)
        };
        let request = Request {
            group,
            from,
            to: None,
            ask: Ask::Observe(letter),
        };
        match self.0.network.call(&address, request, timeout).await {
            Ok(Reply::Observed(answer)) => Ok(answer),
            Ok(Reply::Failed { text }) => Err(text),
            Ok(other) => Err(format!("it answered something else: {other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn take_letter(&self, from: u64, letter: Letter) -> Reply {
        let roster = self.roster();
        let refused = |text: &str| {
            Reply::Observed(Answer::Refused {
                text: text.to_owned(),
            })
        };
        let Some(monitor) = roster.get(&from) else {
            return refused("the sender is not known here as a monitor of the group");
        };
        match self.0.colleague.get() {
            Some(colleague) => Reply::Observed(colleague.take(&monitor.name, letter)),
            None => refused("this monitor does not observe yet"),
        }
    }
}
