//! How the file of readings is doing: told by the shelf, read by metrics and health.

/// Whether what peers publish outlives the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepingState {
    /// There is no data folder.
    #[default]
    Off,
    /// What changes is written.
    Writing,
    /// The disk takes nothing. What changed waits in memory, the latest of each metric of a peer.
    Failing,
}

impl KeepingState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Off, Self::Writing, Self::Failing];

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Writing => "writing",
            Self::Failing => "failing",
        }
    }
}

/// How the file of readings is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Whether it is written.
    pub state: KeepingState,
    /// Why it is not, and what to do about it.
    pub problem: Option<String>,
    /// Times that it could not be written.
    pub failures: u64,
}

impl Keeping {
    /// There is a file, and it can be written.
    pub(super) fn begin(&mut self) {
        self.state = KeepingState::Writing;
        self.problem = None;
    }

    /// It cannot be written, or not even be opened.
    pub(super) fn fail(&mut self, problem: String) {
        self.failures += 1;
        self.state = KeepingState::Failing;
        self.problem = Some(problem);
    }
}
