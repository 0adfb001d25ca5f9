//! Containers: create, and the other calls that change what a container is.

use std::collections::BTreeSet;

use super::checkpoint::{directory, name as checkpoint_name};
use super::config::CREATE;
use super::host_config::{HOST_CONFIG, RESOURCES, restart_policy};
use super::needs::Needs;
use super::shapes::text;
use super::table::fields;
use super::{Request, names};
use crate::authz::{Action, Kind};
use crate::engine::json::{Fields, Json};
use crate::engine::{Refusal, RefusalCode};

/// `POST /containers/create`.
pub(in crate::engine) fn create(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(names::container(request.key("name")));
    let config = request.body.as_fields("", CREATE.names)?;
    names::add_image(&mut needs, Action::ImageUse, config.text("Image")?)?;
    // Engines up to 26 take every field of an absent HostConfig from beside it; which engine
    // asks is not known here, so what stands there counts.
    let (place, path) = match config.get("HostConfig") {
        Json::Null => (request.body, ""),
        present => (present, "HostConfig"),
    };
    let host = place.as_fields(path, HOST_CONFIG.names)?;
    let resources = place.as_fields(path, RESOURCES.names)?;
    if path.is_empty() {
        unknown_to_all(&mut needs, &[&config, &host, &resources]);
    } else {
        unknown_to_all(&mut needs, &[&config]);
        unknown_to_all(&mut needs, &[&host, &resources]);
    }
    CREATE.read_known(&mut needs, &config)?;
    HOST_CONFIG.read_known(&mut needs, &host)?;
    RESOURCES.read_known(&mut needs, &resources)?;
    Ok(needs)
}

/// Adds the fields of one object that none of the struct types read from it knows.
fn unknown_to_all(needs: &mut Needs, views: &[&Fields<'_>]) {
    let Some((first, others)) = views.split_first() else { return };
    let others: Vec<BTreeSet<&str>> =
        others.iter().map(|view| view.unknown().map(|(name, _)| name).collect()).collect();
    for (name, _) in first.unknown() {
        if others.iter().all(|unknown| unknown.contains(name)) {
            needs.unknown(first.path_of(name));
        }
    }
}

fields! {
    /// moby `container.UpdateConfig`, beside its [`RESOURCES`].
    UPDATE {
        "RestartPolicy" restart_policy;
    }

    /// The body of the copy call that engines up to 25 know.
    COPY {
        "Resource" text;
    }
}

/// `POST /containers/{id}/update`.
pub(in crate::engine) fn update(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(request.name());
    let update = request.body.as_fields("", UPDATE.names)?;
    let resources = request.body.as_fields("", RESOURCES.names)?;
    unknown_to_all(&mut needs, &[&update, &resources]);
    UPDATE.read_known(&mut needs, &update)?;
    RESOURCES.read_known(&mut needs, &resources)?;
    // Unlike at creation, 0 is not what a container has anyway: it takes a limit away.
    if *resources.get("PidsLimit") != Json::Null && resources.number("PidsLimit")? <= 0 {
        needs.add(Action::HostLimit, "PidsLimit");
    }
    Ok(needs)
}

/// `GET /containers/{id}/top`, which shows what `ps` does, the environment of processes included.
#[expect(clippy::unnecessary_wraps, reason = "it stands in the route table beside readers that can refuse")]
pub(in crate::engine) fn top(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(request.name());
    if could_show_environment(request.key("ps_args")) {
        needs.add(Action::ContainerInspectEnv, request.name());
    }
    Ok(needs)
}

/// Options with an `e` that chooses processes; elsewhere, it can ask for their environment.
const CHOOSING: &[&str] = &["-e", "-ef", "-eF", "-el", "-eLf", "-eo", "-eO", "-efww"];

/// Columns with an `e` in their names.
#[rustfmt::skip]
const COLUMNS: &[&str] = &["cgroupname", "cputime", "egid", "egroup", "etime", "etimes", "euid", "euser", "nice", "pid", "ppid",
    "ruser", "size", "start_time", "state", "suser", "time", "user", "uname"];

/// Whether `ps` could take its arguments for a wish to see environments.
///
/// It reads a word that it does not understand as options in the style of BSD, in which `e` is that wish.
fn could_show_environment(arguments: &str) -> bool {
    let mut columns_follow = false;
    for word in arguments.split_whitespace() {
        let columns = columns_follow
            && word.split([',', '=']).all(|column| !column.contains('e') || COLUMNS.contains(&column));
        let long = word.starts_with("--") && !word.contains("environ");
        if word.contains('e') && !columns && !long && !CHOOSING.contains(&word) {
            return true;
        }
        columns_follow = word == "--format" || (word.starts_with('-') && word.ends_with(['o', 'O']));
    }
    false
}

/// `POST /containers/{id}/start`, which may restore a checkpoint from any directory of the host.
pub(in crate::engine) fn start(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(request.name());
    checkpoint_name(request.key("checkpoint"), RefusalCode::QueryInvalid)?;
    directory(&mut needs, request, "checkpoint-dir")?;
    Ok(needs)
}

/// `POST /containers/{id}/rename`: both names must be within reach, the new one too.
pub(in crate::engine) fn rename(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(request.name());
    let new = names::container(request.key("name"));
    if new.is_empty() {
        return Err(Refusal::new(
            RefusalCode::QueryInvalid,
            "the query parameter `name` is missing: the new name",
        ));
    }
    needs.add(request.operation, new);
    Ok(needs)
}

/// `POST /containers/{id}/copy`, how files were copied out before API 1.20.
pub(in crate::engine) fn copy(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(request.name());
    COPY.read(&mut needs, request.body, "")?;
    Ok(needs)
}

/// `POST /commit`: the image gets a name, and everything that is in the container.
pub(in crate::engine) fn commit(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(names::tagged(request.key("repo"), request.key("tag"))?);
    needs.on(request.operation, Kind::Container, names::container(request.key("container")));
    // The body is the image's configuration; fields of a HostConfig have no effect here.
    CREATE.read(&mut needs, request.body, "")?;
    Ok(needs)
}
