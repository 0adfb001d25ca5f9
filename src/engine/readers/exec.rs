//! Commands in running containers: `docker exec` prepares one, then starts it.

use super::needs::Needs;
use super::shapes::{flag, numbers, text, texts, texts_or_one};
use super::table::fields;
use super::{Request, isolation, names};
use crate::engine::Refusal;

fields! {
    /// moby `container.ExecCreateRequest`.
    EXEC_CREATE {
        "User"         text;
        "Privileged"   isolation::privileged;
        "Tty"          flag;
        "ConsoleSize"  numbers;
        "AttachStdin"  flag;
        "AttachStderr" flag;
        "AttachStdout" flag;
        "Detach"       flag;
        "DetachKeys"   text;
        "Env"          texts;
        "WorkingDir"   text;
        "Cmd"          texts_or_one;
        "Container"    text;
    }

    /// moby `container.ExecStartRequest`.
    EXEC_START {
        "Detach"      flag;
        "Tty"         flag;
        "ConsoleSize" numbers;
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
