//! Taking over what an earlier version kept for itself: the targets that were added over its API,
//! once, into the settings that monitors share.
//!
//! The old file is renamed when everything in it was decided, so a monitor that ends in between
//! does it again: the change has an id made of what the file says and is not made twice, and what
//! is there already is left as it is.

use std::path::Path;
use std::sync::Arc;

use auscult_core::monitor::registry::{Author, Change, ChangeId, Edit, Expect, Kind, WallMillis};
use ring::digest::{SHA256, digest};
use serde_json::{Value as Json, json};

use super::{Refused, Registry};
use crate::settings::documents::{Sheet, Written, document};
use crate::store::{Contents, OldStore};

/// Who is said to have made the change.
const AUTHOR: &str = "import";

impl Registry {
    /// Takes over the old store in a folder, if there is one, and tells how many settings came
    /// from it. Asked again after an error, it goes on.
    ///
    /// # Errors
    /// Why not. State: the old file is as it was.
    pub async fn import(self: &Arc<Self>, folder: &Path) -> Result<usize, Refused> {
        let from = folder.to_owned();
        let opened = tokio::task::spawn_blocking(move || OldStore::open(&from));
        let opened = opened
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        let Some((old, contents)) = opened else {
            return Ok(0);
        };
        let sheet = self.sheet_of(&contents);
        self.shared.confirm().await?;
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
        let taken = edits.len();
        if taken > 0 {
            let change = Change {
                id: Some(id_of(&contents)),
                author: Author::new(AUTHOR),
                at: WallMillis(self.engine.clock().wall_now().as_millisecond()),
                edits,
            };
            self.shared.change(change).await?;
        }
        let renamed = tokio::task::spawn_blocking(move || old.retire());
        renamed
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        tracing::info!(
            taken,
            "the targets of the old store are shared settings now"
        );
        self.clone().catch_up_apart().await;
        Ok(taken)
    }

    fn sheet_of(&self, contents: &Contents) -> Sheet {
        let mut sheet = Sheet::default();
        for (id, text) in &contents.targets {
            let body: Json = serde_json::from_str(text).unwrap_or_default();
            match document(Kind::Target, Some(id), Written::Json(&body)) {
                Ok((key, document)) => {
                    sheet.put.insert(key, document);
                }
                Err(problems) => tracing::error!(
                    target_id = id,
                    "a target of the old store cannot be read, and stays in the old file: {problems}"
                ),
            }
        }
        for id in &contents.paused {
            let pause = document(Kind::Pause, Some(id), Written::Json(&json!({})));
            sheet.put.extend(pause);
        }
        self.add_groups(&mut sheet);
        sheet
    }
}

/// The same for the same contents, and for no others.
fn id_of(contents: &Contents) -> ChangeId {
    let text = json!({"targets": contents.targets, "paused": contents.paused}).to_string();
    let hash = digest(&SHA256, text.as_bytes());
    let first = hash.as_ref().iter().take(16);
    ChangeId(first.fold(0, |id, byte| (id << 8) | u128::from(*byte)))
}
