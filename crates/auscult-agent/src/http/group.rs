//! The group that this process is a member of, as the routes reach it.

use super::problem::{Kind, Problem};
use crate::handle::AgentHandle;

/// The agent behind the routes about members; none in a monitor that is no member of a group.
#[derive(Clone, Debug)]
pub struct Group(pub Option<AgentHandle>);

impl Group {
    /// The agent.
    ///
    /// # Errors
    /// There is none.
    pub fn agent(&self) -> Result<&AgentHandle, Problem> {
        self.0.as_ref().ok_or_else(|| {
            Problem::new(Kind::NoGroup)
                .detail("this monitor is no member of a group")
                .hint("give it a membership section in its settings, or --member-bind")
        })
    }
}

/// There is no such member.
pub(super) fn unknown_member(name: &str) -> Problem {
    Problem::new(Kind::UnknownMember)
        .detail(format!("no member named {name:?} is known here"))
        .hint("GET /v1/members lists them")
}
