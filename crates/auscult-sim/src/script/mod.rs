//! Stories as text: a group of members, what happens to it and when, and what must then be the
//! case. Below a line `---` a file may have the trace that its play gives, and a test compares.
//!
//! ```text
//! seed 7                     # decides everything that happens by chance; 1 without it
//! preset lan                 # or local, or wan
//! set suspicion_multiplier 5 # one of the parameters of the machine
//! network wan                # or lan
//! delay 1ms..5ms             # and so: loss 1%, duplicate 1%, reorder 1% by 5ms
//! members m 10               # m0 to m9, which know each other when the story begins
//! members b 3 label other    # another cluster
//! show m0,m3                 # whose events are in the trace; all without it, or none
//!
//! 10s crash m3               # or: crash m3 host, which then answers nothing at all
//! 12s restart m3 via m0      # ... forgetful: without its incarnation; ... at port, ... at host
//! 13s start x via m0,m1      # ... named m3, ... label other
//! 14s leave m4
//! 15s stall m5 for 10s       # ... stall m5 messages: it only cannot send and receive
//! 15s resume m5
//! 16s slow m6 20ms
//! 17s clock m7 forward 1h    # or back 5s, gain 500ppm, lose 500ppm
//! 20s partition m0..m4 | m5..m9 for 90s
//! 20s cut from m1 to m2 flip 20s/20s
//! 20s lose 20% of m1         # or: between m1 and m2, from m1 to m2; everywhere without it
//! 20s lose bursts 9s 1s 0% 50%
//! 20s delay lognormal 40ms 0.5 for 30s
//! 50s heal                   # no rule holds any more
//! 51s set m1 role=web        # metadata; unset m1 role
//! 52s tell m1 "hello" as greeting
//! 53s watch m1 m2            # heartbeats whatever the size of the group; unwatch m1 m2
//! 54s limit all 0            # up to how many members all send heartbeats to all
//! 60s expect agreed
//! 60s expect m3 dead at all
//! 60s expect within 10s m3 alive at all
//! 60s expect no verdict of m0..m2
//! 60s expect live 10 at m0..m9
//! 60s expect mode direct at all
//! 90s end
//! ```

mod expect;
mod forms;
mod play;
mod problem;
mod read;
mod settings;
mod tell;
mod values;
mod words;
mod write;

use std::time::Duration;

use auscult_core::swim::Label;

use crate::deed::Deed;
use crate::net::Net;
use crate::ways::Places;

pub use expect::Expectation;
pub use play::{Outcome, Played};
pub use problem::{Problem, Problems};
pub(crate) use settings::Settings;
pub use tell::Scribe;
pub(crate) use values::Names;

/// A story.
#[derive(Clone, Debug)]
pub struct Script {
    /// Decides everything that happens by chance.
    pub seed: u64,
    pub(crate) settings: Settings,
    pub(crate) net: Net,
    pub(crate) groups: Vec<Group>,
    pub(crate) show: Show,
    pub(crate) names: Names,
    /// In the order of their moments.
    pub(crate) steps: Vec<Step>,
    /// The moment of the last line that was read.
    pub(crate) end: Duration,
    /// How long the story takes: to its end, or until all that it began is over.
    pub(crate) length: Duration,
}

/// Members that know each other when the story begins.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) prefix: String,
    pub(crate) count: usize,
    pub(crate) label: Option<Label>,
}

/// Whose events are in the trace.
#[derive(Clone, Debug)]
pub(crate) enum Show {
    All,
    Only(Places),
}

/// What happens at one moment of the story.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// After the beginning of the story.
    pub(crate) at: Duration,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Deed(Deed),
    Expect(Expectation),
}

impl Script {
    /// Reads a story. `file` is its name for people.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        read::script(file, text)
    }

    /// Members that there are when the story begins.
    #[must_use]
    pub fn members(&self) -> usize {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// How long the story takes.
    #[must_use]
    pub const fn span(&self) -> Duration {
        self.length
    }
}

/// The text above the line `---`, and the trace below it.
#[must_use]
pub fn split(text: &str) -> (&str, &str) {
    text.split_once("---\n").unwrap_or((text, ""))
}
