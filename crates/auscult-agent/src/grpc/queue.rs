//! A bounded queue that drops the oldest: what a socket's buffer is to datagrams, for streams.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A queue between tasks. The newest is worth more than the oldest, so nobody waits to add.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    added: Notify,
    most: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    open: Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Yes,
    No,
}

/// Whether adding cost an older item its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Kept,
    /// The oldest was dropped, or the item itself as nobody reads any more.
    Dropped,
}

impl<T> Queue<T> {
    /// An empty queue for at least one item.
    pub(super) fn new(most: usize) -> Self {
        let state = State {
            items: VecDeque::new(),
            open: Open::Yes,
        };
        Self {
            state: Mutex::new(state),
            added: Notify::new(),
            most: most.max(1),
        }
    }

    pub(super) fn push(&self, item: T) -> Pushed {
        let mut state = self.state.lock();
        if state.open == Open::No {
            return Pushed::Dropped;
        }
        let full = state.items.len() >= self.most;
        if full {
            state.items.pop_front();
        }
        state.items.push_back(item);
        drop(state);
        self.added.notify_one();
        if full { Pushed::Dropped } else { Pushed::Kept }
    }

    pub(super) fn try_pop(&self) -> Option<T> {
        self.state.lock().items.pop_front()
    }

    /// The oldest item, once there is one; `None` when the queue is closed and empty. One task may
    /// wait at a time.
    pub(super) async fn pop(&self) -> Option<T> {
        loop {
            {
                let mut state = self.state.lock();
                if let Some(item) = state.items.pop_front() {
                    return Some(item);
                }
                if state.open == Open::No {
                    return None;
                }
            }
            self.added.notified().await;
        }
    }

    /// Waits until there is an item. One task may wait at a time.
    pub(super) async fn ready(&self) {
        while self.is_empty() {
            self.added.notified().await;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state.lock().items.is_empty()
    }

    /// Forgets what waits, and returns how much that was.
    pub(super) fn clear(&self) -> usize {
        let mut state = self.state.lock();
        let forgotten = state.items.len();
        state.items.clear();
        forgotten
    }

    /// Takes nothing more; what waits can still be read.
    pub(super) fn close(&self) {
        self.state.lock().open = Open::No;
        self.added.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_the_oldest() {
        let queue = Queue::new(2);
        assert_eq!(queue.push(1), Pushed::Kept);
        assert_eq!(queue.push(2), Pushed::Kept);
        assert_eq!(queue.push(3), Pushed::Dropped);
        assert_eq!((queue.try_pop(), queue.try_pop()), (Some(2), Some(3)));
        assert_eq!(queue.try_pop(), None);
    }

    #[tokio::test]
    async fn a_reader_is_woken_by_items_and_by_the_end() {
        let queue = std::sync::Arc::new(Queue::new(4));
        let reader = tokio::spawn({
            let queue = queue.clone();
            async move { (queue.pop().await, queue.pop().await, queue.pop().await) }
        });
        queue.push('a');
        tokio::task::yield_now().await;
        queue.push('b');
        queue.close();
        assert_eq!(queue.push('c'), Pushed::Dropped);
        assert_eq!(reader.await.ok(), Some((Some('a'), Some('b'), None)));
    }
}
