//! The other monitors that use the same settings: who they are, and letters to and from them.
//!
//! etcd says who they are; what they tell each other goes straight from one to the other, over the
//! route that monitors of a Raft group use. So reports are as quick as there, and etcd has none of
//! that load.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auscult_core::monitor::observers::MonitorName;
use futures_util::future::BoxFuture;

use super::roster::Seat;
use super::store::{Inner, Store};
use crate::observers::wire::{Answer, Letter};
use crate::observers::{Circle, Post, PostError};
use crate::replication::{Ask, Callee, Colleague, Network, Reply, Request};
use crate::shared::{Monitor, MonitorId};

/// The monitors that use the same settings in etcd.
pub struct Neighbours {
    inner: Arc<Inner>,
    network: Arc<dyn Network>,
    colleague: OnceLock<Arc<dyn Colleague>>,
}

impl fmt::Debug for Neighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Neighbours").finish_non_exhaustive()
    }
}

impl Store {
    /// Those who use the same settings; letters to them go over this network.
    #[must_use]
    pub fn neighbours(&self, network: Arc<dyn Network>) -> Neighbours {
        Neighbours {
            inner: Arc::clone(&self.inner),
            network,
            colleague: OnceLock::new(),
        }
    }
}

impl Callee for Neighbours {
    fn answer(&self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(std::future::ready(self.take(request)))
    }
}

impl Neighbours {
    fn take(&self, request: Request) -> Reply {
        let Ask::Observe(letter) = request.ask else {
            return Reply::Failed {
                text: "this monitor keeps its settings in etcd: there is no group to join; start \
                       the others with the same --settings"
                    .to_owned(),
            };
        };
        let group = self.inner.group();
        if group.is_empty() || request.group != group {
            return Reply::OtherGroup { group };
        }
        let refused = |text: &str| {
            Reply::Observed(Answer::Refused {
                text: text.to_owned(),
            })
        };
        let sender = |(id, _): &(MonitorId, &Seat)| id.0 == request.from;
        let Some(name) = self.name_of(sender) else {
            return refused("the sender does not stand in etcd, or not yet");
        };
        match self.colleague.get() {
            Some(colleague) => Reply::Observed(colleague.take(&name, letter)),
            None => refused("this monitor does not observe yet"),
        }
    }

    fn name_of(&self, which: impl Fn(&(MonitorId, &Seat)) -> bool) -> Option<String> {
        let state = self.inner.state.read();
        let (_, seat) = state.roster.others().find(which)?;
        Some(seat.present.monitor.name.clone())
    }

    async fn ask(&self, to: &str, letter: Letter, timeout: Duration) -> Result<Answer, String> {
        let address = {
            let state = self.inner.state.read();
            let mut others = state.roster.others();
            let found = others.find(|(_, seat)| seat.present.monitor.name == to);
            found.map(|(_, seat)| seat.present.monitor.raft.clone())
        };
        let Some(address) = address.filter(|address| !address.is_empty()) else {
            return Err(format!("{to} has no address in etcd"));
        };
        let request = Request {
            group: self.inner.group(),
            from: self.inner.id.0,
            to: None,
            ask: Ask::Observe(letter),
        };
        match self.network.call(&address, request, timeout).await {
            Ok(Reply::Observed(answer)) => Ok(answer),
            Ok(Reply::Failed { text }) => Err(text),
            Ok(other) => Err(format!("it answered something else: {other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Post for Neighbours {
    fn send<'a>(
        &'a self,
        to: &'a MonitorName,
        letter: Letter,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Answer, PostError>> {
        Box::pin(async move {
            let answer = self.ask(to, letter, timeout).await;
            answer.map_err(PostError)
        })
    }
}

impl Circle for Neighbours {
    fn me(&self) -> Monitor {
        self.inner.monitor.clone()
    }

    fn label(&self) -> String {
        self.inner.group()
    }

    fn monitors(&self) -> Vec<Monitor> {
        let state = self.inner.state.read();
        let others = state.roster.others();
        // One that nobody reaches observes alone, and is no part of it.
        let reached = others.filter(|(_, seat)| !seat.present.monitor.raft.is_empty());
        let monitors = reached.map(|(_, seat)| seat.present.monitor.clone());
        monitors.chain([self.me()]).collect()
    }

    fn set_colleague(&self, colleague: Arc<dyn Colleague>) {
        // A second one would be a mistake of the program, and changes nothing.
        let _taken = self.colleague.set(colleague);
    }
}
