//! Telling long-lived answers that the server ends, so that they end too.

use tokio::sync::watch;

/// Ends every [`Stop`] when it is told to, or dropped.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    /// Says that the server ends.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Resolves when the server ends.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A pair of the one who says and the one who is told.
    #[must_use]
    pub fn channel() -> (Stopper, Self) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Self(receiver))
    }

    /// Waits for the end.
    pub async fn stopped(mut self) {
        // A dropped sender is an end as well.
        let _ended = self.0.wait_for(|stop| *stop).await;
    }
}
