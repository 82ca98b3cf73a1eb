//! A snapshot in place of the log before it, and an end of what nothing refers to any more.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::gateway::{Failure, Range, Values, delete, is_at, is_there, put};
use super::layout::{ENTRIES_PER_PAGE, Entry, Head};
use super::store::{Inner, apart, to_json};
use crate::replication::registry_to_json;

/// Values in pieces that are deleted at a time: a transaction has at most 128 operations.
const DELETED_AT_ONCE: usize = 64;

/// A snapshot that failed is tried again after so many changes.
const AGAIN_AFTER: u64 = 64;

/// Makes a snapshot if the log has become long. Nobody waits for it.
pub(super) fn when_due(inner: &Arc<Inner>) {
    let due = {
        let state = inner.state.read();
        let after = inner.timing.snapshot_after;
        // The one who added that entry does it, so that one monitor does. If it fails, the next.
        let due = |head: &Head| {
            let length = head.last - head.base;
            length >= after && length.is_multiple_of(after.clamp(1, AGAIN_AFTER))
        };
        state.head.as_ref().is_some_and(|(head, _)| due(head))
    };
    if due {
        let inner = Arc::clone(inner);
        tokio::spawn(async move {
            // One at a time.
            let Ok(_compacting) = inner.compacting.try_lock() else {
                return;
            };
            if let Err(failure) = compact(&inner).await {
                tracing::warn!(%failure, "the log of the shared settings was not shortened");
            }
        });
    }
}

/// Makes a snapshot of what is applied here, and shortens the log.
pub(super) async fn compact(inner: &Inner) -> Result<(), Failure> {
    // A copy shares the documents.
    let (registry, base) = {
        let state = inner.state.read();
        (state.registry.clone(), state.applied)
    };
    let bytes = apart(move || registry_to_json(&registry)).await;
    let bytes = bytes.map_err(|error| Failure::Refused(error.to_string()))?;
    let name = format!("snapshot-{base}-{:08x}", inner.random() >> 96);
    let pieces = inner.write_pieces(&name, &bytes).await?;
    let _turn = inner.turn.lock().await;
    let mut failed_at = None;
    loop {
        inner.catch_up().await?;
        let Some((head, known)) = inner.state.read().head.clone() else {
            return Ok(());
        };
        if head.base >= base {
            return tidy_up(inner, &head).await;
        }
        if failed_at == Some(known) {
            // Another monitor tidied up before the head named them. The next one succeeds.
            let text = "the pieces of the snapshot are gone".to_owned();
            return Err(Failure::Refused(text));
        }
        failed_at = Some(known);
        let next = Head {
            base,
            snapshot: Some(pieces.clone()),
            ..head
        };
        let key = inner.keys.head();
        let make = [
            put(&key, &to_json(&next)?),
            delete(&inner.keys.entry(0), &inner.keys.entry(base + 1)),
        ];
        let written = is_there(&inner.keys.piece(&pieces.name, 0));
        let compare = [is_at(&key, known), written];
        let made = inner.gateway.transact(&compare, &make).await?;
        if made.succeeded {
            inner.state.write().head = Some((next.clone(), made.header.revision));
            return tidy_up(inner, &next).await;
        }
    }
}

/// Deletes pieces that neither the head nor the log names. Those of what is being written just now
/// may be among them: the transaction that is to name them does not hold then. A value's pieces go
/// all at once, so it suffices there to ask for the first one.
async fn tidy_up(inner: &Inner, head: &Head) -> Result<(), Failure> {
    let (from, to) = inner.keys.all_pieces();
    let range = Range {
        from,
        to: Some(to),
        limit: 0,
        revision: 0,
        values: Values::Without,
    };
    let found = inner.gateway.range(&range).await?;
    let names = found
        .kvs
        .iter()
        .filter_map(|piece| inner.keys.name_of(&piece.key));
    let mut spare: BTreeSet<String> = names.map(str::to_owned).collect();
    if let Some(snapshot) = &head.snapshot {
        spare.remove(&snapshot.name);
    }
    let mut next = head.base + 1;
    while !spare.is_empty() && next <= head.last {
        let range = Range {
            from: inner.keys.entry(next),
            to: Some(inner.keys.entry(head.last + 1)),
            limit: ENTRIES_PER_PAGE,
            revision: 0,
            values: Values::With,
        };
        let entries = inner.gateway.range(&range).await?.kvs;
        let Some(last) = entries
            .last()
            .and_then(|entry| inner.keys.index_of(&entry.key))
        else {
            break;
        };
        for entry in &entries {
            if let Ok(Entry::Pieces(pieces)) = serde_json::from_slice(&entry.value) {
                spare.remove(&pieces.name);
            }
        }
        next = last + 1;
    }
    let spare: Vec<String> = spare.into_iter().collect();
    // Another monitor may have written behind the head meanwhile, and named some of them.
    let Some((_, known)) = inner.state.read().head.clone() else {
        return Ok(());
    };
    for names in spare.chunks(DELETED_AT_ONCE) {
        let make: Vec<_> = (names.iter())
            .map(|name| inner.keys.pieces(name))
            .map(|(from, to)| delete(&from, &to))
            .collect();
        let compare = [is_at(&inner.keys.head(), known)];
        if !inner.gateway.transact(&compare, &make).await?.succeeded {
            break;
        }
    }
    Ok(())
}
