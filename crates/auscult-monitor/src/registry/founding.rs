//! What the settings file of a monitor is to the group that it begins: the first settings of all.
//!
//! What is there already is left as it is, and the change has an id that is made of what the file
//! says, so that whoever ends in between may do it again: it is not made twice, and what somebody
//! deleted meanwhile does not come back.

use std::sync::Arc;

use auscult_core::monitor::registry::{Author, Change, ChangeId, Edit, Expect, WallMillis};
use ring::digest::{Context, SHA256};

use super::{Refused, Registry};
use crate::settings::documents::Sheet;

/// Who is said to have made the change.
const AUTHOR: &str = "settings file";

/// What becomes of the targets that the settings file of a monitor lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTargets {
    /// This monitor watches them: nobody shares its settings.
    Own,
    /// They are what the group begins with, if this monitor begins it. Later the group's settings
    /// say what is watched, whatever the file says.
    OfGroup,
}

impl Registry {
    /// Shares what a settings file says, but for what is shared under the same names, and tells
    /// how many settings that were. Asked again after an error, it goes on.
    ///
    /// # Errors
    /// Why not. State: nothing was changed, except after [`Refused::Unclear`].
    pub async fn begin_with(self: &Arc<Self>, mut sheet: Sheet) -> Result<usize, Refused> {
        // Of what the file says, whatever is there already.
        let id = id_of(&sheet);
        self.shared.confirm().await?;
        self.add_groups(&mut sheet);
        let mut edits = Vec::new();
        self.shared.read(&mut |shared, _| {
            let absent = sheet
                .put
                .iter()
                .filter(|(key, _)| shared.get(key).is_none());
            let put = absent.map(|(key, document)| Edit::Put {
                key: key.clone(),
                document: document.clone(),
                expect: Expect::Anything,
            });
            edits = put.collect();
        });
        let shared = edits.len();
        if shared > 0 {
            let change = Change {
                id: Some(id),
                author: Author::new(AUTHOR),
                at: WallMillis(self.engine.clock().wall_now().as_millisecond()),
                edits,
            };
            self.shared.change(change).await?;
            self.clone().catch_up_apart().await;
        }
        Ok(shared)
    }
}

/// The same for the same settings, and for no others.
fn id_of(sheet: &Sheet) -> ChangeId {
    let mut context = Context::new(&SHA256);
    for (key, document) in &sheet.put {
        for part in [key.kind().as_str(), key.name(), document.body()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
    }
    let hash = context.finish();
    let first = hash.as_ref().iter().take(16);
    ChangeId(first.fold(0, |id, byte| (id << 8) | u128::from(*byte)))
}
