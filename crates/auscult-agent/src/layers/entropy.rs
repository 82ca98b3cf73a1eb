//! Random bytes that nobody can guess, as an argument, so that tests can know them.

use ring::rand::{SecureRandom as _, SystemRandom};

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEntropy;

/// Gives random bytes.
pub trait Entropy: Send {
    /// Fills `bytes` with bytes that nobody can guess and that were never given before.
    ///
    /// # Errors
    /// There are none now. State: what `bytes` holds is unspecified.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy>;
}

/// What the operating system gives.
#[derive(Debug)]
pub struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    /// Opens nothing and takes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.fill(bytes).map_err(|_unspecified| NoEntropy)
    }
}
