//! Who tells of which alerts: the owner of their target, as this monitor sees it.

use std::time::Duration;

use auscult_core::alert::Duty;
use auscult_core::monitor::observers::{Lineup, Liveness, MonitorName};
use auscult_core::time::Instant;

use crate::observers::Observatory;

/// How long one who comes to own targets waits before it tells of their alerts: longer than a beat,
/// so that who owned them knows by then, and the others told it what they know.
const HANDOVER: Duration = Duration::from_millis(1_500);

/// Who tells of which alerts.
#[derive(Clone, Debug, Default)]
pub(super) struct Office {
    desks: Desks,
    /// Who sat where before, while what was gained is not taken over yet.
    before: Option<Desks>,
    /// When what was gained is taken over.
    takes_over_at: Option<Instant>,
}

/// Who sits where, as it was seen at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Desks {
    me: Option<MonitorName>,
    /// The others that live.
    others: Vec<MonitorName>,
    is_shared: bool,
    is_isolated: bool,
    is_serving: bool,
    lineup: Lineup,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Nothing,
    /// Alerts may be told of elsewhere from now on.
    Lost,
    /// Alerts may be told of here from now on.
    Gained,
}

impl Office {
    /// Looks who is there.
    pub(super) fn look(&mut self, now: Instant, observatory: &Observatory) -> News {
        let desks = observatory.read(|machine| Desks {
            me: Some(machine.me().clone()),
            others: {
                let others = machine.roster().into_iter().skip(1);
                let live = others.filter(|seat| seat.liveness == Liveness::Live);
                live.map(|seat| seat.name).collect()
            },
            is_shared: machine.has_company(),
            is_isolated: machine.is_isolated(),
            is_serving: machine.is_serving_now(),
            lineup: machine.lineup(),
        });
        if desks != self.desks {
            let alone = !desks.is_shared || !self.desks.is_shared;
            let before = std::mem::replace(&mut self.desks, desks);
            self.before = (!alone).then_some(before);
            self.takes_over_at = Some(match alone {
                true => now,
                false => now.after(HANDOVER),
            });
            if !alone {
                return News::Lost;
            }
        }
        match self.takes_over_at {
            Some(at) if at <= now => {
                self.takes_over_at = None;
                self.before = None;
                News::Gained
            }
            Some(_) | None => News::Nothing,
        }
    }

    /// Whether there are other monitors.
    pub(super) const fn is_shared(&self) -> bool {
        self.desks.is_shared
    }

    /// The other monitors that live.
    pub(super) fn colleagues(&self) -> Vec<MonitorName> {
        match self.desks.is_shared {
            true => self.desks.others.clone(),
            false => Vec::new(),
        }
    }

    /// Who tells of the alerts of a target that monitors share.
    pub(super) fn duty(&self, target: &str) -> Duty {
        let duty = self.desks.duty(target);
        let before = self.before.as_ref().map(|desks| desks.duty(target));
        match duty == Duty::Here && before.is_some_and(|before| before != Duty::Here) {
            true => Duty::There(None),
            false => duty,
        }
    }
}

impl Desks {
    fn duty(&self, target: &str) -> Duty {
        if !self.is_shared {
            return Duty::Here;
        }
        let observers = self.lineup.observers(target);
        let owner = observers.first().copied();
        match owner {
            // Who is cut off cannot know who else tells.
            _ if self.is_isolated => Duty::There(None),
            Some(_) if owner == self.me.as_ref() => match self.is_serving {
                true => Duty::Here,
                false => Duty::There(None),
            },
            Some(_) | None => Duty::There(owner.cloned()),
        }
    }
}
