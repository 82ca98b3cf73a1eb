//! What runs at a place of a world: the machine as it is in production, or one that was broken on
//! purpose.

use auscult_core::swim::{Config, Identity, Input, Output, Swim, Wake};
use auscult_core::time::Instant;

/// A member's machine. Implemented by [`Swim`] itself, and by wrappers that tamper with what goes
/// in or comes out, to see whether a checker notices.
pub trait Machine {
    /// As [`Swim::handle`].
    fn handle(&mut self, now: Instant, input: Input<'_>);
    /// As [`Swim::poll_output`].
    fn poll_output(&mut self) -> Option<Output>;
    /// As [`Swim::poll_timeout`].
    fn poll_timeout(&self) -> Option<(Instant, Wake)>;
    /// What it is asked about itself and others.
    fn swim(&self) -> &Swim;
    /// The machine beneath, for calls that are no input.
    fn swim_mut(&mut self) -> &mut Swim;
}

impl Machine for Swim {
    fn handle(&mut self, now: Instant, input: Input<'_>) {
        Self::handle(self, now, input);
    }

    fn poll_output(&mut self) -> Option<Output> {
        Self::poll_output(self)
    }

    fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        Self::poll_timeout(self)
    }

    fn swim(&self) -> &Swim {
        self
    }

    fn swim_mut(&mut self) -> &mut Swim {
        self
    }
}

/// All that a machine is made from.
#[derive(Clone, Debug)]
pub struct Birth {
    /// The place in the world at which it will run.
    pub place: usize,
    /// Who it is.
    pub identity: Identity,
    /// How it behaves.
    pub config: Config,
    /// Decides what it chooses by chance.
    pub seed: u64,
    /// The time on its clock.
    pub now: Instant,
}

impl Birth {
    /// The machine as it is in production.
    #[must_use]
    pub fn swim(self) -> Swim {
        Swim::new(self.identity, self.config, self.seed, self.now)
    }
}
