//! Takes small decisions off the front of what a fuzzer gives; after its end, all are 0.

use std::time::Duration;

pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn next(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        byte
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// From 0 ns to 6 days, every magnitude as likely as another.
    pub(crate) fn span(&mut self) -> Duration {
        let magnitude = self.next() % 42;
        Duration::from_nanos(u64::from(self.next()) << magnitude)
    }
}
