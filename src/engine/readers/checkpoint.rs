//! Checkpoints of containers, which the daemon can keep in any directory of its host.

use super::Request;
use super::needs::Needs;
use super::shapes::flag;
use super::table::fields;
use crate::authz::Action;
use crate::engine::json::Fields;
use crate::engine::{Refusal, RefusalCode, hostpath};

fields! {
    /// moby `checkpoint.CreateRequest`.
    CHECKPOINT {
        "CheckpointID"  checkpoint;
        "CheckpointDir" written_directory;
        "Exit"          flag;
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

fn checkpoint(_: &mut Needs, fields: &Fields<'_>, field: &str) -> Result<(), Refusal> {
    name(fields.text(field)?, RefusalCode::BodyInvalid)
}

/// Refuses a checkpoint's name that is a path: at a start the daemon would follow it anywhere.
pub(super) fn name(name: &str, code: RefusalCode) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if !name.bytes().all(plain) || name.starts_with('.') {
        let message = "the name of a checkpoint has letters, digits, `_`, `.` and `-`, and no path";
        return Err(Refusal::new(code, message));
    }
    Ok(())
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
