//! Checkpoints of containers, which the daemon can keep in any directory of its host.

use super::Request;
use super::needs::Needs;
use super::table::{fields, harmless};
use crate::authz::Action;
use crate::engine::json::Fields;
use crate::engine::{Refusal, RefusalCode, hostpath};

fields! {
    /// moby `checkpoint.CreateRequest`.
    CHECKPOINT {
        "CheckpointID"  harmless;
        "CheckpointDir" written_directory;
        "Exit"          harmless;
    }
}

/// `POST /containers/{id}/checkpoints`.
pub(in crate::engine) fn create(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(request.name());
    CHECKPOINT.read(&mut needs, request.body, "")?;
    Ok(needs)
}

/// Listing and deleting, where the query may name the directory.
pub(in crate::engine) fn in_directory(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(request.name());
    directory(&mut needs, request, "dir")?;
    Ok(needs)
}

/// Adds a directory of the host, named by a query key, in which the daemon finds checkpoints.
pub(super) fn directory(needs: &mut Needs, request: &Request<'_>, key: &str) -> Result<(), Refusal> {
    let code = RefusalCode::QueryInvalid;
    add(needs, request.key(key)).map_err(|refusal| Refusal { code, ..refusal })
}

fn written_directory(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    add(needs, fields.text(name)?)
}

fn add(needs: &mut Needs, path: &str) -> Result<(), Refusal> {
    if !path.is_empty() {
        needs.add(Action::HostPath, hostpath::canonical(path)?);
    }
    Ok(())
}
