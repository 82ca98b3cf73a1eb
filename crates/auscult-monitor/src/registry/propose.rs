//! Changing the settings that monitors share: what is wanted becomes a plan, the plan is proven to
//! make sense, and is then one change that is made whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::registry::{
    Action, Author, Change, ChangeId, Document, Edit, Expect, Key, Kind, Outcome, Plan, Refusal,
    Registry as SharedRegistry, Revision, Step, WallMillis,
};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::ready::Proven;
use super::{Refused, Registry};
use crate::settings::documents::{DEFAULTS_NAME, Sheet};
use crate::shared::ChangeError;

/// How often a plan is made anew because what it found has changed meanwhile.
const PLANS_MAX: usize = 5;

/// How often an unclear change is asked for again. It is made once at most.
const ASKED_MAX: usize = 3;

/// How long whoever had a change made waits until it is known here.
const ARRIVES_MAX: Duration = Duration::from_secs(20);

/// What becomes of settings that are there and are not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prune {
    /// They stay.
    Keep,
    /// Those go whose kind the sheet lists.
    Listed,
}

/// What somebody wants the shared settings to say.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What shall be there, and what shall be gone.
    pub sheet: Sheet,
    /// What becomes of everything else.
    pub prune: Prune,
    /// Only where this is found.
    pub expect: BTreeMap<Key, Expect>,
    /// Only if this is still the last change of all.
    pub revision: Option<Revision>,
}

impl Wanted {
    /// One setting shall say this.
    #[must_use]
    pub fn put(key: Key, document: Document) -> Self {
        let mut wanted = Self::nothing();
        wanted.sheet.put.insert(key, document);
        wanted
    }

    /// One setting shall be gone.
    #[must_use]
    pub fn delete(key: Key) -> Self {
        let mut wanted = Self::nothing();
        wanted.sheet.delete.insert(key);
        wanted
    }

    /// What a sheet says, and everything else stays.
    #[must_use]
    pub fn of(sheet: Sheet) -> Self {
        Self {
            sheet,
            ..Self::nothing()
        }
    }

    /// The same, only where this is found.
    #[must_use]
    pub fn expecting(mut self, key: Key, expect: Expect) -> Self {
        self.expect.insert(key, expect);
        self
    }

    fn nothing() -> Self {
        Self {
            sheet: Sheet::default(),
            prune: Prune::Keep,
            expect: BTreeMap::new(),
            revision: None,
        }
    }
}

/// What was made of what somebody wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What it came to.
    pub outcome: Outcome,
    /// What was done, by kind and name.
    pub plan: Plan,
}

/// What has to be proven of a plan before it is proposed.
#[derive(Default)]
struct Proof {
    defaults: Option<Document>,
    groups: BTreeMap<Key, Document>,
    /// Targets that say something else, or inherit something else.
    targets: Vec<(Key, Document)>,
    /// Targets that were not there.
    created: Vec<Key>,
}

impl Registry {
    /// What has to be done until the shared settings are as wanted, proven to make sense. Looks at
    /// every target that is concerned: not for an event loop.
    ///
    /// # Errors
    /// Why it cannot be done. State: nothing was changed, in every case.
    pub fn plan_shared(&self, wanted: &Wanted) -> Result<Plan, Refused> {
        self.plan_proven(wanted).map(|(plan, _)| plan)
    }

    fn plan_proven(&self, wanted: &Wanted) -> Result<(Plan, Proven), Refused> {
        let mut looked = None;
        self.shared.read(&mut |shared, _| {
            looked = Some(look(shared, wanted));
        });
        // Every store lets itself be read.
        let (plan, proof) = looked.unwrap_or_else(|| look(&SharedRegistry::default(), wanted))?;
        let proven = self.prove(proof)?;
        Ok((plan, proven))
    }

    /// Has the shared settings made as wanted: decided for good and live here when this returns.
    ///
    /// # Errors
    /// Why not. State: nothing was changed, except after [`Refused::Unclear`].
    pub async fn make_shared_as(
        self: &Arc<Self>,
        author: &Author,
        wanted: Wanted,
    ) -> Result<Made, Refused> {
        let wanted = Arc::new(wanted);
        let mut confirmed = false;
        let mut plans = 0;
        loop {
            plans += 1;
            let planned = self.clone().plan_apart(Arc::clone(&wanted)).await;
            let nothing_to_do = matches!(&planned, Ok((plan, _)) if plan.steps.is_empty());
            if (planned.is_err() || nothing_to_do) && !confirmed {
                // What is known here may be old: nothing is refused, or said to be done already,
                // for that.
                self.shared.confirm().await.map_err(Refused::from)?;
                confirmed = true;
                continue;
            }
            let (plan, proven) = planned?;
            if nothing_to_do {
                let outcome = unchanged(&plan);
                return Ok(Made { outcome, plan });
            }
            let id = self.change_id()?;
            let change = Change {
                id: Some(id),
                author: author.clone(),
                at: WallMillis(self.engine.clock().wall_now().as_millisecond()),
                edits: edits(&plan, &wanted),
            };
            *self.proven.lock() = proven.of(id);
            let decided = self.decide(change).await;
            if decided.is_err() {
                *self.proven.lock() = Proven::default();
            }
            match decided {
                Ok(outcome) => {
                    self.arrived(outcome.revision).await;
                    self.clone().catch_up_apart().await;
                    return Ok(Made { outcome, plan });
                }
                Err(Refused::Shared(refusal)) if plans < PLANS_MAX => {
                    tracing::debug!(%refusal, "a plan was overtaken, and is made anew");
                    self.shared.confirm().await.map_err(Refused::from)?;
                    confirmed = true;
                }
                Err(refused) => return Err(refused),
            }
        }
    }

    /// Waits until a change that was decided is known here: a monitor that lags behind takes a
    /// moment to make a large one.
    async fn arrived(&self, revision: Revision) {
        let mut revisions = self.shared.revisions();
        let here = revisions.wait_for(|known| *known >= revision);
        if tokio::time::timeout(ARRIVES_MAX, here).await.is_err() {
            tracing::warn!(%revision, "a change was decided, and is not known here yet");
        }
    }

    /// Has a change made, asking again with its id while it is unclear whether it was.
    async fn decide(&self, change: Change) -> Result<Outcome, Refused> {
        let mut unclear = false;
        for _ in 0..ASKED_MAX {
            match self.shared.change(change.clone()).await {
                Err(ChangeError::Unclear) => unclear = true,
                // That nothing was done this time says nothing of the times before: the change may
                // stand in somebody's log, and be made yet.
                Err(
                    ChangeError::NoLeader { .. } | ChangeError::Outside | ChangeError::Store(_),
                ) if unclear => {}
                // Whoever decided it knows its id, so this is how it was decided the first time.
                decided => return decided.map_err(Refused::from),
            }
        }
        Err(ChangeError::Unclear.into())
    }

    async fn plan_apart(self: Arc<Self>, wanted: Arc<Wanted>) -> Result<(Plan, Proven), Refused> {
        let planned = tokio::task::spawn_blocking(move || self.plan_proven(&wanted));
        planned.await.unwrap_or_else(broken)
    }

    pub(super) async fn catch_up_apart(self: Arc<Self>) {
        let followed = tokio::task::spawn_blocking(move || self.catch_up());
        followed.await.unwrap_or_else(broken);
    }

    fn change_id(&self) -> Result<ChangeId, Refused> {
        let mut bytes = [0; 16];
        let filled = SystemRandom::new().fill(&mut bytes);
        filled.map_err(|_| Refused::NoRandomness)?;
        Ok(ChangeId(u128::from_le_bytes(bytes)))
    }

    /// A secret that nobody can guess.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new_secret(&self) -> Result<String, Refused> {
        let (first, second) = (self.change_id()?, self.change_id()?);
        Ok(format!("auscult_{:032x}{:032x}", first.0, second.0))
    }

    /// Whether everything that a plan concerns makes sense with what it inherits, and fits here.
    fn prove(&self, proof: Proof) -> Result<Proven, Refused> {
        let mut inheritance = self.settings.load().inheritance();
        let key = Key::new(Kind::Defaults, DEFAULTS_NAME);
        let body = proof.defaults.as_ref().map(Document::body);
        inheritance
            .set_defaults(body)
            .map_err(|problems| Refused::of_document(key.ok(), problems))?;
        for (key, document) in &proof.groups {
            inheritance
                .set_group(key.name(), Some(document.body()))
                .map_err(|problems| Refused::of_document(Some(key.clone()), problems))?;
        }
        let ready = self.ready_all(&inheritance, &[], &proof.targets);
        let mut targets = Vec::with_capacity(ready.len());
        for ((key, document), ready) in proof.targets.into_iter().zip(ready) {
            targets.push((key, (document, ready?)));
        }
        self.refuse_too_many(&proof.created)?;
        Ok(Proven::new(inheritance, targets.into_iter().collect()))
    }

    fn refuse_too_many(&self, created: &[Key]) -> Result<(), Refused> {
        let limit = self.engine.config().targets_max;
        let places = self.places.lock();
        if places.upper_bound() + created.len() <= limit {
            return Ok(());
        }
        let mut all: BTreeSet<String> = places.all().keys().map(ToString::to_string).collect();
        all.extend(created.iter().map(|key| key.name().to_owned()));
        match all.len() > limit {
            true => Err(Refused::Full { limit }),
            false => Ok(()),
        }
    }
}

/// The plan for what is wanted, and what has to be proven of it.
fn look(shared: &SharedRegistry, wanted: &Wanted) -> Result<(Plan, Proof), Refused> {
    if let Some(revision) = wanted.revision.filter(|&it| it != shared.revision()) {
        return Err(Refused::Moved {
            expected: revision,
            found: shared.revision(),
        });
    }
    for (key, expect) in &wanted.expect {
        meets(shared, key, *expect)?;
    }
    let plan = plan(shared, wanted);
    let change = Change {
        id: None,
        author: Author::new(""),
        at: WallMillis(0),
        edits: plan.edits(),
    };
    shared.check(&change).map_err(Refused::Shared)?;
    guard_admins(shared, &plan)?;
    let proof = proof(shared, &plan);
    Ok((plan, proof))
}

fn meets(shared: &SharedRegistry, key: &Key, expect: Expect) -> Result<(), Refused> {
    let found = shared.get(key).map(|setting| setting.revision);
    let holds = match expect {
        Expect::Anything => true,
        Expect::Nothing => found.is_none(),
        Expect::Something => found.is_some(),
        Expect::Revision(revision) => found == Some(revision),
    };
    if holds {
        return Ok(());
    }
    Err(Refused::Shared(Refusal::Condition {
        key: key.clone(),
        expected: expect,
        found,
    }))
}

fn plan(shared: &SharedRegistry, wanted: &Wanted) -> Plan {
    let kinds: Vec<Kind> = match wanted.prune {
        Prune::Keep => Vec::new(),
        Prune::Listed => wanted.sheet.listed.iter().copied().collect(),
    };
    let mut plan = shared.plan(&kinds, &wanted.sheet.put);
    let mut gone: BTreeSet<Key> = wanted.sheet.delete.clone();
    // Whether a target is paused goes with it.
    let removed = plan.steps.iter().filter(|step| step.after.is_none());
    let removed = removed.map(|step| &step.key).chain(&wanted.sheet.delete);
    let targets = removed.filter(|key| key.kind() == Kind::Target);
    let pauses: Vec<Key> = targets
        .filter_map(|key| Key::new(Kind::Pause, key.name()).ok())
        .collect();
    gone.extend(pauses);
    let planned: BTreeSet<Key> = plan.steps.iter().map(|step| step.key.clone()).collect();
    for key in gone.difference(&planned).cloned() {
        let Some(found) = shared.get(&key) else {
            continue;
        };
        plan.steps.push(Step {
            key,
            action: Action::Deleted,
            before: Some(found.document.clone()),
            after: None,
            found: Some(found.revision),
        });
    }
    plan.steps.sort_by(|a, b| a.key.cmp(&b.key));
    plan
}

/// Refuses to leave tokens without one that may change them.
fn guard_admins(shared: &SharedRegistry, plan: &Plan) -> Result<(), Refused> {
    if plan.steps.iter().all(|step| step.key.kind() != Kind::Token) {
        return Ok(());
    }
    let mut roles: BTreeMap<&Key, &Document> = shared
        .of_kind(Kind::Token)
        .map(|(key, setting)| (key, &setting.document))
        .collect();
    for step in &plan.steps {
        match &step.after {
            Some(document) if step.key.kind() == Kind::Token => roles.insert(&step.key, document),
            Some(_) => None,
            None => roles.remove(&step.key),
        };
    }
    match roles.is_empty() || roles.into_values().any(is_admin) {
        true => Ok(()),
        false => Err(Refused::NoAdmin),
    }
}

fn is_admin(token: &Document) -> bool {
    let body: serde_json::Value = serde_json::from_str(token.body()).unwrap_or_default();
    body["role"] == super::tokens::Role::Admin.as_str()
}

fn proof(shared: &SharedRegistry, plan: &Plan) -> Proof {
    let after: BTreeMap<&Key, &Step> = plan.steps.iter().map(|step| (&step.key, step)).collect();
    let holds = |key: &Key| match after.get(key) {
        Some(step) => step.after.clone(),
        None => shared.get(key).map(|setting| setting.document.clone()),
    };
    let mut proof = Proof::default();
    let of_kind = |kind: Kind| {
        plan.steps
            .iter()
            .filter(move |step| step.key.kind() == kind)
    };
    if let Ok(key) = Key::new(Kind::Defaults, DEFAULTS_NAME) {
        proof.defaults = holds(&key);
    }
    let mut concerned: BTreeSet<Key> = BTreeSet::new();
    for step in of_kind(Kind::Target) {
        if step.after.is_some() {
            concerned.insert(step.key.clone());
        }
        if step.action == Action::Created {
            proof.created.push(step.key.clone());
        }
    }
    if of_kind(Kind::Defaults).next().is_some() {
        concerned.extend(shared.of_kind(Kind::Target).map(|(key, _)| key.clone()));
    }
    for step in of_kind(Kind::Group) {
        concerned.extend(shared.referrers(&step.key).cloned());
        // A group that nobody belongs to yet is read all the same.
        proof
            .groups
            .extend(step.after.clone().map(|it| (step.key.clone(), it)));
    }
    for key in concerned {
        let Some(document) = holds(&key) else {
            continue;
        };
        for group in document.refers() {
            if group.kind() == Kind::Group && !proof.groups.contains_key(group) {
                proof
                    .groups
                    .extend(holds(group).map(|it| (group.clone(), it)));
            }
        }
        proof.targets.push((key, document));
    }
    proof
}

/// The edits of a plan. Whoever named no condition for a setting means it whatever is there, but
/// for what a plan deletes without being told to by name, and for a plan that was shown before.
fn edits(plan: &Plan, wanted: &Wanted) -> Vec<Edit> {
    let exact = plan.edits();
    let relaxed = |edit: Edit| match edit {
        Edit::Put { key, document, .. } if wanted.revision.is_none() => {
            let expect = wanted.expect.get(&key).copied();
            Edit::Put {
                expect: expect.unwrap_or(Expect::Anything),
                key,
                document,
            }
        }
        Edit::Delete { key, .. }
            if wanted.revision.is_none() && wanted.sheet.delete.contains(&key) =>
        {
            let expect = wanted.expect.get(&key).copied();
            Edit::Delete {
                expect: expect.unwrap_or(Expect::Anything),
                key,
            }
        }
        Edit::Put { .. } | Edit::Delete { .. } => edit,
    };
    exact.into_iter().map(relaxed).collect()
}

const fn unchanged(plan: &Plan) -> Outcome {
    Outcome {
        revision: plan.revision,
        created: 0,
        replaced: 0,
        deleted: 0,
        unchanged: plan.unchanged,
    }
}

fn broken<R>(error: tokio::task::JoinError) -> R {
    std::panic::resume_unwind(error.into_panic())
}
