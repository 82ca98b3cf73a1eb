//! Changing single targets, as `/v1/targets` does: over the shared settings, with the rules that
//! come from a target standing in the file or coming from heartbeats.

use std::collections::BTreeSet;
use std::sync::Arc;

use auscult_core::id::TargetId;
use auscult_core::monitor::registry::{Author, Document, Expect, Key, Kind, Outcome, Refusal};

use super::{Made, Origin, Prune, Refused, Registry, Wanted, Watched};
use crate::settings::TargetSpec;
use crate::settings::documents::{Sheet, Written, document};

/// What became of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Nothing of that name was watched.
    Added,
    /// Something of that name was watched.
    Replaced,
}

/// Sees the target that is there, if one is, and says whether the caller still means to change it.
pub type OnlyIf = Box<dyn FnOnce(Option<&Watched>) -> bool + Send>;

impl Registry {
    /// Watches a new target.
    ///
    /// # Errors
    /// Why not. State: unchanged, except after [`Refused::Unclear`].
    pub async fn create(
        self: &Arc<Self>,
        author: &Author,
        (key, document): (Key, Document),
    ) -> Result<Arc<TargetSpec>, Refused> {
        match self.watched(key.name()) {
            Some(Watched {
                origin: Origin::Heartbeat | Origin::Membership,
                ..
            })
            | None => {}
            Some(watched) => return Err(Refused::Exists(watched.spec.id.clone())),
        }
        let wanted = self.with_group(&key, document);
        let wanted = wanted.expecting(key.clone(), Expect::Nothing);
        let made = self.make_shared_as(author, wanted).await;
        match made {
            Err(Refused::Shared(Refusal::Condition { key: of, .. })) if of == key => {
                Err(TargetId::new(key.name()).map_or_else(
                    |_| Refused::NotFound(key.name().to_owned()),
                    Refused::Exists,
                ))
            }
            made => made.and_then(|_| self.live_spec(&key)),
        }
    }

    /// Watches a target in place of the one of that name, or a new one.
    ///
    /// # Errors
    /// Why not. State: unchanged, except after [`Refused::Unclear`].
    pub async fn replace(
        self: &Arc<Self>,
        author: &Author,
        (key, document): (Key, Document),
        only_if: Option<OnlyIf>,
    ) -> Result<(Put, Arc<TargetSpec>), Refused> {
        if only_if.is_some() || self.is_already(&key, &document) {
            self.look_again().await?;
        }
        let (watched, expect) = self.found(&key, only_if)?;
        self.refuse_of_file(watched.as_ref())?;
        let put = match &watched {
            Some(_) => Put::Replaced,
            None => Put::Added,
        };
        if self.is_already(&key, &document) {
            // What it inherits shall go on to be inherited.
            return Ok((put, self.live_spec(&key)?));
        }
        let wanted = self.with_group(&key, document);
        let wanted = wanted.expecting(key.clone(), expect);
        let made = self.make_shared_as(author, wanted).await;
        made.map_err(|refused| changed(refused, &key))?;
        Ok((put, self.live_spec(&key)?))
    }

    /// Watches a target no longer.
    ///
    /// # Errors
    /// Why not. State: unchanged, except after [`Refused::Unclear`].
    pub async fn remove(
        self: &Arc<Self>,
        author: &Author,
        id: &str,
        only_if: Option<OnlyIf>,
    ) -> Result<(), Refused> {
        if only_if.is_some() || self.watched(id).is_none() {
            self.look_again().await?;
        }
        let not_found = || Refused::NotFound(id.to_owned());
        let key = Key::new(Kind::Target, id).map_err(|_| not_found())?;
        let found = self.watched(id).ok_or_else(not_found)?;
        let (_, expect) = self.found(&key, only_if)?;
        self.refuse_of_file(Some(&found))?;
        let id = found.spec.id.clone();
        if found.origin == Origin::Membership {
            return Err(Refused::IsMember(id));
        }
        let wanted = Wanted::delete(key.clone()).expecting(key.clone(), expect);
        let made = self.make_shared_as(author, wanted).await;
        made.map_err(|refused| changed(refused, &key))?;
        let mut places = self.places.lock();
        if places.created.remove(&id).is_some() && places.watched(&id).is_none() {
            self.forget(&mut places, &id);
        }
        Ok(())
    }

    /// Judges a target no longer, until it is resumed, over restarts too.
    ///
    /// # Errors
    /// Why not. State: unchanged, except after [`Refused::Unclear`].
    pub async fn pause(self: &Arc<Self>, author: &Author, id: &str) -> Result<Outcome, Refused> {
        let key = self.pause_of(id).await?;
        let body = serde_json::json!({});
        let (key, document) = document(Kind::Pause, Some(key.name()), Written::Json(&body))
            .map_err(|problems| Refused::of_document(None, problems))?;
        let made = self
            .make_shared_as(author, Wanted::put(key, document))
            .await;
        made.map(|made| made.outcome)
    }

    /// Judges a paused target again.
    ///
    /// # Errors
    /// Why not. State: unchanged, except after [`Refused::Unclear`].
    pub async fn resume(self: &Arc<Self>, author: &Author, id: &str) -> Result<Outcome, Refused> {
        let key = self.pause_of(id).await?;
        let made = self.make_shared_as(author, Wanted::delete(key)).await;
        made.map(|made| made.outcome)
    }

    /// Watches these targets in place of all that are shared. One that stands in the settings file
    /// may be among them if it is the same there; it stays the file's. What heartbeats created
    /// stays.
    ///
    /// # Errors
    /// Why not. State: unchanged, except after [`Refused::Unclear`].
    pub async fn replace_all(
        self: &Arc<Self>,
        author: &Author,
        targets: Vec<(Key, Document)>,
    ) -> Result<Made, Refused> {
        let mut sheet = Sheet::default();
        sheet.listed.insert(Kind::Target);
        for (key, document) in targets {
            if let Some(spec_of_file) = self.places.lock().file.get(key.name()).cloned() {
                let inheritance = self.followed.lock().inheritance().clone();
                let spec = inheritance.target(document.body());
                let spec =
                    spec.map_err(|problems| Refused::of_document(Some(key.clone()), problems))?;
                if *spec_of_file == spec {
                    continue;
                }
                let origin = Origin::File {
                    line: spec_of_file.line,
                };
                let watched = Watched {
                    spec: spec_of_file,
                    origin,
                };
                self.refuse_of_file(Some(&watched))?;
            }
            if sheet.put.insert(key.clone(), document).is_some() {
                return Err(Refused::NamedTwice(key));
            }
        }
        self.add_groups(&mut sheet);
        let wanted = Wanted {
            prune: Prune::Listed,
            ..Wanted::of(sheet)
        };
        self.make_shared_as(author, wanted).await
    }

    async fn pause_of(self: &Arc<Self>, id: &str) -> Result<Key, Refused> {
        if self.watched(id).is_none() {
            self.look_again().await?;
        }
        let known = self.watched(id).is_some();
        let key = Key::new(Kind::Pause, id).ok().filter(|_| known);
        key.ok_or_else(|| Refused::NotFound(id.to_owned()))
    }

    /// Makes everything live here that was decided anywhere before this call.
    async fn look_again(self: &Arc<Self>) -> Result<(), Refused> {
        self.shared.confirm().await.map_err(Refused::from)?;
        self.clone().catch_up_apart().await;
        Ok(())
    }

    /// Whether a shared target is watched just as this document says.
    fn is_already(&self, key: &Key, document: &Document) -> bool {
        let Some(watched) = self.watched(key.name()) else {
            return false;
        };
        let spec = self.followed.lock().inheritance().target(document.body());
        watched.origin == Origin::Api && spec.is_ok_and(|spec| spec == *watched.spec)
    }

    fn live_spec(&self, key: &Key) -> Result<Arc<TargetSpec>, Refused> {
        let spec = self.spec(key.name());
        spec.ok_or_else(|| match self.unusable_for(key) {
            Some(why) => Refused::Unusable {
                key: key.clone(),
                why,
            },
            None => Refused::NotFound(key.name().to_owned()),
        })
    }

    /// A target, and its group where there is none of that name yet: a group without settings is
    /// the name that such targets always had.
    fn with_group(&self, key: &Key, document: Document) -> Wanted {
        let mut sheet = Sheet::default();
        sheet.put.insert(key.clone(), document);
        self.add_groups(&mut sheet);
        Wanted::of(sheet)
    }

    pub(super) fn add_groups(&self, sheet: &mut Sheet) {
        let targets = sheet.put.values().flat_map(|document| document.refers());
        let groups: BTreeSet<Key> = targets
            .filter(|key| key.kind() == Kind::Group && !sheet.put.contains_key(*key))
            .cloned()
            .collect();
        let mut missing = Vec::new();
        self.shared.read(&mut |shared, _| {
            let missing_one = |key: &&Key| shared.get(key).is_none();
            missing = groups.iter().filter(missing_one).cloned().collect();
        });
        for key in missing {
            let body = serde_json::json!({});
            let made = document(Kind::Group, Some(key.name()), Written::Json(&body));
            sheet.put.extend(made);
        }
    }

    /// The target as it is watched, and the condition under which it still is when a change is
    /// made.
    fn found(
        &self,
        key: &Key,
        only_if: Option<OnlyIf>,
    ) -> Result<(Option<Watched>, Expect), Refused> {
        let followed = self.followed.lock();
        let watched = self.watched(key.name());
        let Some(only_if) = only_if else {
            return Ok((watched, Expect::Anything));
        };
        if !only_if(watched.as_ref()) {
            return Err(Refused::Changed(key.name().to_owned()));
        }
        let revision = followed.known(key);
        Ok((watched, revision.map_or(Expect::Nothing, Expect::Revision)))
    }
}

/// A condition on the target itself that does not hold means that it has changed.
fn changed(refused: Refused, key: &Key) -> Refused {
    if let Refused::Shared(Refusal::Condition { key: of, .. }) = &refused
        && of == key
    {
        return Refused::Changed(key.name().to_owned());
    }
    refused
}
