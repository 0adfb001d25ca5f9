//! Commands in running containers: `docker exec` prepares one, then starts it.

use super::needs::Needs;
use super::table::{fields, harmless};
use super::{Request, isolation, names};
use crate::engine::Refusal;

fields! {
    /// moby `container.ExecCreateRequest`.
    EXEC_CREATE {
        "User"         harmless;
        "Privileged"   isolation::privileged;
        "Tty"          harmless;
        "ConsoleSize"  harmless;
        "AttachStdin"  harmless;
        "AttachStderr" harmless;
        "AttachStdout" harmless;
        "Detach"       harmless;
        "DetachKeys"   harmless;
        "Env"          harmless;
        "WorkingDir"   harmless;
        "Cmd"          harmless;
        "Container"    harmless;
    }

    /// moby `container.ExecStartRequest`.
    EXEC_START {
        "Detach"      harmless;
        "Tty"         harmless;
        "ConsoleSize" harmless;
    }
}

/// `POST /containers/{id}/exec`.
pub(in crate::engine) fn create(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(names::container(request.name()));
    EXEC_CREATE.read(&mut needs, request.body, "")?;
    Ok(needs)
}

/// `POST /exec/{id}/start`: it runs what was judged when it was created.
pub(in crate::engine) fn start(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(request.name());
    EXEC_START.read(&mut needs, request.body, "")?;
    Ok(needs)
}
