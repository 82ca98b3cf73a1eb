//! Reading up to the head of the log, and what is done where there is no head.

use std::time::Duration;

use auscult_core::monitor::registry::{Change, Outcome, Refusal, Registry, Revision};
use auscult_core::time::Instant;
use serde_json::json;

use super::gateway::{Failure, Found, KeyValue, Range, Values, delete, is_at, is_there, put};
use super::layout::{ENTRIES_PER_PAGE, Entry, FORMAT, Head, PIECES_PER_PAGE, Pieces};
use super::roster;
use super::store::{Inner, apart, to_json};
use crate::replication::{Command, registry_from_json, registry_to_json};

/// What is done with an entry of the log: its index, and the change.
type Take<'a> = &'a mut (dyn FnMut(u64, &Change) + Send);

impl Inner {
    /// Reads up to the head. For the holder of the turn.
    pub(super) async fn catch_up(&self) -> Result<(), Failure> {
        loop {
            match self.read_on().await {
                // A snapshot took its place while it was being read.
                Err(Failure::Compacted) => {}
                outcome => {
                    let trouble = outcome.as_ref().err().map(ToString::to_string);
                    self.state.write().trouble = trouble;
                    return outcome;
                }
            }
        }
    }

    async fn read_on(&self) -> Result<(), Failure> {
        let asked = self.clock.now();
        let range = Range {
            from: self.keys.head(),
            to: None,
            limit: 0,
            revision: 0,
            values: Values::With,
        };
        let reads = [range.to_json(), self.keys.monitors().to_json()];
        let reads = reads.map(|range| json!({ "request_range": range }));
        let made = self.gateway.transact(&[], &reads).await?;
        let at = made.header.revision;
        let mut parts = made.responses.into_iter();
        let mut part = || parts.next().and_then(|part| part.response_range);
        let (heads, others) = (part().unwrap_or_default(), part().unwrap_or_default());
        self.take_others(asked, &others);
        let Some(found) = heads.kvs.first() else {
            return self.without_a_log(asked).await;
        };
        let head: Head = read_json(found)?;
        if head.format != FORMAT {
            let text = format!("{} has format {}", self.prefix, head.format);
            return Err(Failure::Refused(text));
        }
        match self.goes_on_from(&head)? {
            Some(applied) => {
                // Whoever proposed it was answered; here it only has to be as it is there.
                let mut apply = |index, change: &Change| {
                    let _answer = self.apply(index, change);
                };
                let from = applied + 1;
                self.take_entries(from, head.last, at, &mut apply).await?;
            }
            None => self.take_all(&head, at).await?,
        }
        let mut state = self.state.write();
        state.head = Some((head, found.mod_revision));
        state.term = made.header.raft_term;
        state.current = Some(asked);
        state.kept = None;
        state.missing_since = None;
        Ok(())
    }

    fn take_others(&self, now: Instant, others: &Found) {
        let found = others.kvs.iter().filter_map(|found| {
            Some(roster::Found {
                id: self.keys.id_of(&found.key)?,
                present: read_json(found).ok()?,
                written: found.mod_revision,
            })
        });
        let found = found.collect();
        let mut state = self.state.write();
        (state.roster).read(now, self.id, &self.monitor.name, found);
    }

    /// Up to where the log is applied here, if the one that is there is the same one and goes on
    /// from there; nothing if it has to be read anew. When somebody put another one or an older
    /// copy in its place, what is watched stays as it is until an operator has looked.
    fn goes_on_from(&self, head: &Head) -> Result<Option<u64>, Failure> {
        let state = self.state.read();
        let reaches = head.base <= state.applied && state.applied <= head.last;
        let Some((known, _)) = &state.head else {
            // What it knew before it was started counts as long as it is the same log.
            let is_same = (state.kept.as_ref()).is_none_or(|kept| kept.group == head.group);
            return Ok((is_same && reaches).then_some(state.applied));
        };
        let what = if head.group != known.group {
            "were replaced by others"
        } else if head.last < state.applied {
            "were replaced by an older copy"
        } else {
            return Ok(reaches.then_some(state.applied));
        };
        let prefix = &self.prefix;
        let text =
            format!("the settings in {prefix} {what}; restart this monitor to take what is there");
        Err(Failure::Refused(text))
    }

    /// There is no log. Where there never was one, it is begun. Where it was deleted, those who
    /// know what it said put it back after a while; whoever had read all of it comes first.
    async fn without_a_log(&self, now: Instant) -> Result<(), Failure> {
        let prefix = &self.prefix;
        let (is_known, others_know, left) = {
            let mut state = self.state.write();
            let since = *state.missing_since.get_or_insert(now);
            let unread = state.current.map_or(Duration::ZERO, |at| since.since(at));
            let due = self.timing.put_back_after + unread * 2;
            let left = due.saturating_sub(now.since(since));
            let is_known = state.head.is_some() || state.kept.is_some();
            (is_known, state.roster.has_settings(), left)
        };
        if !is_known && !others_know {
            return self.found().await;
        }
        let text = match (is_known, left) {
            (true, Duration::ZERO) => return self.put_back().await,
            (true, left) => format!(
                "the settings in {prefix} were deleted; this monitor puts them back in {} s",
                left.as_secs_f64().ceil()
            ),
            (false, _) => format!(
                "the settings in {prefix} were deleted; other monitors know them and put them back"
            ),
        };
        Err(Failure::Refused(text))
    }

    /// Begins a log where there is none. The one who comes too late finds the other's.
    async fn found(&self) -> Result<(), Failure> {
        let head = Head {
            format: FORMAT,
            group: format!("{:016x}", self.random() >> 64),
            last: 0,
            base: 0,
            snapshot: None,
        };
        let key = self.keys.head();
        let make = [put(&key, &to_json(&head)?)];
        self.gateway.transact(&[is_at(&key, 0)], &make).await?;
        // What is there now is read in the next round.
        Err(Failure::Compacted)
    }

    /// Writes a log that was deleted again, from what is applied here.
    async fn put_back(&self) -> Result<(), Failure> {
        let (registry, base) = {
            let state = self.state.read();
            (state.registry.clone(), state.applied)
        };
        let bytes = apart(move || registry_to_json(&registry)).await;
        let bytes = bytes.map_err(|error| Failure::Refused(error.to_string()))?;
        let name = format!("snapshot-{base}-{:08x}", self.random() >> 96);
        let pieces = self.write_pieces(&name, &bytes).await?;
        let key = self.keys.head();
        let compare = [is_at(&key, 0), is_there(&self.keys.piece(&pieces.name, 0))];
        let head = Head {
            format: FORMAT,
            group: self.group(),
            last: base,
            base,
            snapshot: Some(pieces),
        };
        let make = [
            put(&key, &to_json(&head)?),
            delete(&self.keys.entry(0), &self.keys.entry(u64::MAX)),
        ];
        if self.gateway.transact(&compare, &make).await?.succeeded {
            let prefix = &self.prefix;
            tracing::warn!("the settings in {prefix} were deleted, and are put back as they were");
        }
        Err(Failure::Compacted)
    }

    /// Reads everything anew, beside what is applied here, and puts it in its place at once.
    async fn take_all(&self, head: &Head, at: u64) -> Result<(), Failure> {
        let mut registry = match &head.snapshot {
            None => Registry::default(),
            Some(pieces) => {
                let bytes = self.read_pieces(pieces, at).await?;
                let read = apart(move || registry_from_json(&bytes)).await;
                read.map_err(|error| self.damaged(&error.to_string()))?
            }
        };
        let mut apply = |_, change: &Change| {
            let _answer = registry.apply(change);
        };
        let from = head.base + 1;
        self.take_entries(from, head.last, at, &mut apply).await?;
        let revision = registry.revision();
        let mut state = self.state.write();
        state.registry = registry;
        state.applied = head.last;
        drop(state);
        self.tell(revision);
        Ok(())
    }

    async fn take_entries(
        &self,
        from: u64,
        last: u64,
        at: u64,
        take: Take<'_>,
    ) -> Result<(), Failure> {
        let mut next = from;
        while next <= last {
            let range = Range {
                from: self.keys.entry(next),
                to: Some(self.keys.entry(last + 1)),
                limit: ENTRIES_PER_PAGE,
                revision: at,
                values: Values::With,
            };
            let found = self.gateway.range(&range).await?;
            for entry in &found.kvs {
                if self.keys.index_of(&entry.key) != Some(next) {
                    break;
                }
                let change = match read_json(entry)? {
                    Entry::Change(command) => command.0,
                    Entry::Pieces(pieces) => {
                        let bytes = self.read_pieces(&pieces, at).await?;
                        let read = apart(move || serde_json::from_slice::<Command>(&bytes)).await;
                        read.map_err(|error| self.damaged(&error.to_string()))?.0
                    }
                };
                take(next, &change);
                next += 1;
            }
            let complete = found
                .kvs
                .last()
                .and_then(|last| self.keys.index_of(&last.key));
            if complete != Some(next - 1) {
                return Err(self.damaged(&format!("entry {next} of the log is missing")));
            }
        }
        Ok(())
    }

    async fn read_pieces(&self, pieces: &Pieces, at: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let mut next = 0;
        while next < pieces.count {
            let range = Range {
                from: self.keys.piece(&pieces.name, next),
                to: Some(self.keys.pieces(&pieces.name).1),
                limit: PIECES_PER_PAGE,
                revision: at,
                values: Values::With,
            };
            let found = self.gateway.range(&range).await?;
            for piece in &found.kvs {
                if piece.key != self.keys.piece(&pieces.name, next) {
                    break;
                }
                bytes.extend_from_slice(&piece.value);
                next += 1;
            }
            if found.kvs.is_empty() || (!found.more && next < pieces.count) {
                return Err(self.damaged(&format!("piece {next} of {} is missing", pieces.name)));
            }
        }
        Ok(bytes)
    }

    fn damaged(&self, text: &str) -> Failure {
        Failure::Refused(format!("what stands in {} is damaged: {text}", self.prefix))
    }

    pub(super) fn apply(&self, index: u64, change: &Change) -> Result<Outcome, Refusal> {
        let mut state = self.state.write();
        let answer = state.registry.apply(change);
        state.applied = index;
        let revision = state.registry.revision();
        drop(state);
        self.tell(revision);
        answer
    }

    fn tell(&self, revision: Revision) {
        self.revisions.send_if_modified(|told| {
            let is_new = *told != revision;
            *told = revision;
            is_new
        });
    }
}

fn read_json<T: for<'de> serde::Deserialize<'de>>(found: &KeyValue) -> Result<T, Failure> {
    serde_json::from_slice(&found.value).map_err(|error| {
        Failure::Refused(format!(
            "what stands under {} is not ours: {error}",
            found.key
        ))
    })
}
