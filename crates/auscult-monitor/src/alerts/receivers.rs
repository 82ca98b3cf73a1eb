//! Receivers are settings that monitors share, too: those of the shared settings are laid over the
//! file's own whenever they change.

use std::collections::BTreeMap;

use auscult_core::id::ReceiverName;
use auscult_core::monitor::registry::Kind;

use super::AlertDesk;
use crate::settings::{AlertSettings, SharedReceivers, Way};
use crate::shared::SettingsStore;

/// What the shared settings say of receivers by now. What cannot be used here is logged, and left
/// out.
pub(super) fn read(store: &dyn SettingsStore) -> SharedReceivers {
    let mut receivers = SharedReceivers::default();
    store.read(&mut |settings, _| {
        for (key, setting) in settings.of_kind(Kind::Receiver) {
            if let Err(problems) = receivers.add(setting.document.body()) {
                let receiver = key.name();
                tracing::error!(
                    receiver,
                    "a shared receiver cannot be used here: {problems}"
                );
            }
        }
        for (key, setting) in settings.of_kind(Kind::Group) {
            // What is wrong with a group is told where its targets are made.
            let _reported = receivers.add_group(key.name(), setting.document.body());
        }
    });
    receivers
}

/// Both together, or the file's alone where they do not go together.
pub(super) fn over(receivers: &SharedReceivers, file: &AlertSettings) -> AlertSettings {
    for receiver in receivers.missing(file) {
        tracing::warn!(
            %receiver,
            "a rule names this shared receiver, and there is none; whoever else it names is told"
        );
    }
    receivers.over(file).unwrap_or_else(|fault| {
        tracing::error!("the shared receivers cannot be used with those of the file: {fault}");
        file.clone()
    })
}

/// Says which files of receivers cannot be read here. A file's own were looked at when it was
/// taken; what monitors share may name one that only others have, and that would show when somebody
/// is to be told.
pub(super) fn complain(ways: BTreeMap<ReceiverName, Way>) {
    tokio::task::spawn_blocking(move || {
        for (receiver, way) in &ways {
            for file in way.files() {
                if let Err(error) = std::fs::File::open(file) {
                    let file = file.display();
                    tracing::warn!(
                        %receiver, %file,
                        "this receiver cannot be told of anything from here: the file cannot be \
                         read: {error}"
                    );
                }
            }
        }
    });
}

impl AlertDesk {
    /// Takes the receivers of the shared settings. Tells whether anything changed: then everything
    /// that is not well is to be told anew.
    pub(super) fn take_receivers(&self, store: &dyn SettingsStore) -> bool {
        let receivers = read(store);
        if receivers == **self.0.shared.load() {
            return false;
        }
        self.0.shared.store(std::sync::Arc::new(receivers));
        self.adopt();
        true
    }
}
