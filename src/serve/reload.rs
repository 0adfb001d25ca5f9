//! Reload: policy, directory file and keys of tokens are read again; what is bad leaves the good one in force.

use std::sync::Arc;

use tracing::{error, info};

use crate::directory::Directory;
use crate::identity::Identifier;
use crate::policy::Store;

/// What a reload is about.
#[derive(Clone, Debug)]
pub struct Reload {
    policy: Arc<Store>,
    directory: Arc<Directory>,
    identifier: Identifier,
}

impl Reload {
    pub(super) fn new(policy: Arc<Store>, directory: Arc<Directory>, identifier: Identifier) -> Self {
        Self { policy, directory, identifier }
    }

    /// Reads everything again; a message for each part that stays as it was.
    pub fn run(&self) -> Result<String, Vec<String>> {
        let mut problems = Vec::new();
        if let Err(problem) = self.policy.reload() {
            error!(%problem, "policy not reloaded; the one before stays in force");
            problems.push(format!("policy not reloaded, the one before stays in force: {problem}"));
        }
        if let Err(problem) = self.directory.reload() {
            error!(%problem, "directory not reloaded; the one before stays in use");
            problems.push(format!("directory not reloaded, the one before stays in use: {problem}"));
        }
        if let Err(problem) = self.identifier.reload() {
            error!(%problem, "keys not reloaded; the ones before stay in use");
            problems.push(format!("keys not reloaded, the ones before stay in use: {problem}"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let version = self.policy.current().digest.clone();
        info!(policy = %version, "reloaded");
        Ok(version)
    }

    /// Forgets everything that the directory said.
    pub(super) fn flush_directory(&self) {
        let forgotten = self.directory.flush(None);
        info!(forgotten, "directory answers flushed");
    }

    /// For the admin interface, which does not know how things are wired.
    pub(super) fn as_action(&self) -> crate::admin::ReloadAction {
        let reload = self.clone();
        Arc::new(move || reload.run())
    }
}
