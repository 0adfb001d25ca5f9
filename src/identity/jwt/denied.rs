//! Ids of tokens that are denied although everything else about them is good.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::TokenError;
use crate::identity::SettingsError;

/// The ids of one issuer.
#[derive(Debug)]
pub(super) struct Denied {
    file: Option<PathBuf>,
    ids: ArcSwap<HashSet<String>>,
}

impl Denied {
    pub(super) fn open(file: Option<PathBuf>) -> Result<Self, SettingsError> {
        let opened = Self { file, ids: ArcSwap::default() };
        opened.replace(opened.read()?);
        Ok(opened)
    }

    /// Refuses a token whose id is in the file.
    pub(super) fn check(&self, id: Option<&str>) -> Result<(), TokenError> {
        let ids = self.ids.load();
        if id.is_some_and(|id| ids.contains(id)) { Err(TokenError::Revoked) } else { Ok(()) }
    }

    /// What the file says now: one id a line; empty lines and those with `#` in front say nothing.
    pub(super) fn read(&self) -> Result<HashSet<String>, SettingsError> {
        let Some(file) = &self.file else { return Ok(HashSet::new()) };
        let text = std::fs::read_to_string(file).map_err(|error| {
            let message = format!("`{}` cannot be read: {error}", file.display());
            SettingsError::new("identity.jwt.denied_ids_file", message)
        })?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Ok(lines.map(str::to_owned).collect())
    }

    pub(super) fn replace(&self, ids: HashSet<String>) {
        self.ids.store(Arc::new(ids));
    }
}
