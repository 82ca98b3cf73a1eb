//! The figures of the group of monitors.

use auscult_agent::http::exposition::{Exposition, LabelText};

use super::families as family;
use crate::shared::{Role, StoreStatus};

pub(super) fn write_cluster(out: &mut Exposition, status: &StoreStatus) {
    let monitors = |role: Role| {
        let all = status.monitors.iter();
        let count = all.filter(|it| it.role == role).count();
        (role.as_str(), count)
    };
    let roles = [Role::Leader, Role::Follower, Role::Learner];
    out.by(&family::CLUSTER_MONITORS, roles.into_iter().map(monitors));
    let leads = status.leader == Some(status.id);
    out.single(&family::CLUSTER_IS_LEADER, u64::from(leads));
    out.single(
        &family::CLUSTER_HAS_LEADER,
        u64::from(status.leader.is_some()),
    );
    out.single(&family::CLUSTER_TERM, status.term);
    out.single(&family::CLUSTER_CAMPAIGNS, status.counters.campaigns);
    out.single(&family::CLUSTER_REVISION, status.revision.number());
    out.family(&family::CLUSTER_AGE);
    if let Some(age) = status.age.0 {
        out.sample(&LabelText::default(), age.as_secs_f64());
    }
    out.single(&family::CLUSTER_LOG_LAST, status.log_last);
    out.single(&family::CLUSTER_LOG_APPLIED, status.log_applied);
    out.family(&family::CLUSTER_LAG);
    for monitor in &status.monitors {
        if let Some(lag) = monitor.lag.filter(|_| monitor.id != status.id) {
            out.sample(&LabelText::new(&[("monitor", &monitor.monitor.name)]), lag);
        }
    }
    let stopped = status.role == Role::Stopped;
    out.single(&family::CLUSTER_STOPPED, u64::from(stopped));
    let counters = &status.counters;
    out.single(&family::CLUSTER_CHANGES, counters.proposed);
    let failed = [
        ("refused", counters.refused),
        ("no_leader", counters.no_leader),
        ("unclear", counters.unclear),
        ("storage", counters.unstored),
    ];
    out.by(&family::CLUSTER_CHANGES_FAILED, failed.into_iter());
}
