//! The swarm: joining one hands this host to its managers; services are containers on other hosts.

use super::needs::Needs;
use super::service::SERVICE;
use super::shapes::{dispatcher, encryption, flag, number, orchestration, raft, text, text_map, texts};
use super::table::{Table, fields};
use super::{Request, logs, shapes, url};
use crate::authz::Action;
use crate::engine::Refusal;
use crate::engine::json::Fields;

fields! {
    /// moby `swarm.InitRequest`.
    INIT {
        "ListenAddr"       text;
        "AdvertiseAddr"    text;
        "DataPathAddr"     text;
        "DataPathPort"     number;
        "ForceNewCluster"  flag;
        "Spec"             spec;
        "AutoLockManagers" flag;
        "Availability"     text;
        "DefaultAddrPool"  texts;
        "SubnetSize"       number;
    }

    /// moby `swarm.JoinRequest`.
    JOIN {
        "ListenAddr"    text;
        "AdvertiseAddr" text;
        "DataPathAddr"  text;
        "RemoteAddrs"   texts;
        "JoinToken"     text;
        "Availability"  text;
    }

    /// moby `swarm.UnlockRequest`.
    UNLOCK {
        "UnlockKey" text;
    }

    /// moby `swarm.Spec`.
    SPEC {
        "Name"             text;
        "Labels"           text_map;
        "Orchestration"    orchestration;
        "Raft"             raft;
        "Dispatcher"       dispatcher;
        "CAConfig"         certificates;
        "TaskDefaults"     task_defaults;
        "EncryptionConfig" encryption;
    }

    /// moby `swarm.CAConfig`.
    CA_CONFIG {
        "NodeCertExpiry" number;
        "ExternalCAs"    external_authorities;
        "SigningCACert"  text;
        "SigningCAKey"   text;
        "ForceRotate"    number;
    }

    /// moby `swarm.TaskDefaults`.
    TASK_DEFAULTS {
        "LogDriver" logs::log_driver;
    }

    /// moby `swarm.NodeSpec`.
    NODE {
        "Name"         text;
        "Labels"       text_map;
        "Role"         text;
        "Availability" text;
    }

    /// moby `swarm.SecretSpec`; the payload is never looked at.
    SECRET {
        "Name"       text;
        "Labels"     text_map;
        "Data"       text;
        "Driver"     driver;
        "Templating" shapes::driver;
    }

    /// moby `swarm.ConfigSpec`; the payload is never looked at.
    CONFIG {
        "Name"       text;
        "Labels"     text_map;
        "Data"       text;
        "Templating" shapes::driver;
    }
}

/// `POST /swarm/init`.
pub(in crate::engine) fn init(request: &Request<'_>) -> Result<Needs, Refusal> {
    on_all(request, &INIT)
}

/// `POST /swarm/join`.
pub(in crate::engine) fn join(request: &Request<'_>) -> Result<Needs, Refusal> {
    on_all(request, &JOIN)
}

/// `POST /swarm/update`.
pub(in crate::engine) fn update(request: &Request<'_>) -> Result<Needs, Refusal> {
    on_all(request, &SPEC)
}

/// `POST /swarm/unlock`.
pub(in crate::engine) fn unlock(request: &Request<'_>) -> Result<Needs, Refusal> {
    on_all(request, &UNLOCK)
}

/// `POST /nodes/{id}/update`.
pub(in crate::engine) fn node_update(request: &Request<'_>) -> Result<Needs, Refusal> {
    on_path(request, &NODE)
}

/// `POST /services/create`.
pub(in crate::engine) fn service_create(request: &Request<'_>) -> Result<Needs, Refusal> {
    on_new(request, &SERVICE)
}

/// `POST /services/{id}/update`; a rollback still carries the specification.
pub(in crate::engine) fn service_update(request: &Request<'_>) -> Result<Needs, Refusal> {
    on_path(request, &SERVICE)
}

/// `POST /secrets/create`.
pub(in crate::engine) fn secret_create(request: &Request<'_>) -> Result<Needs, Refusal> {
    on_new(request, &SECRET)
}

/// `POST /secrets/{id}/update`.
pub(in crate::engine) fn secret_update(request: &Request<'_>) -> Result<Needs, Refusal> {
    on_path(request, &SECRET)
}

/// `POST /configs/create`.
pub(in crate::engine) fn config_create(request: &Request<'_>) -> Result<Needs, Refusal> {
    on_new(request, &CONFIG)
}

/// `POST /configs/{id}/update`.
pub(in crate::engine) fn config_update(request: &Request<'_>) -> Result<Needs, Refusal> {
    on_path(request, &CONFIG)
}

/// The operation on the swarm.
fn on_all(request: &Request<'_>, table: &Table) -> Result<Needs, Refusal> {
    let mut needs = request.needs("");
    table.read(&mut needs, request.body, "")?;
    Ok(needs)
}

/// The operation on the object that the path names.
fn on_path(request: &Request<'_>, table: &Table) -> Result<Needs, Refusal> {
    let mut needs = request.needs(request.name());
    table.read(&mut needs, request.body, "")?;
    Ok(needs)
}

/// The operation on the object that the body names.
fn on_new(request: &Request<'_>, table: &Table) -> Result<Needs, Refusal> {
    let fields = request.body.as_fields("", table.names)?;
    let mut needs = request.needs(fields.text("Name")?);
    table.read_fields(&mut needs, &fields)?;
    Ok(needs)
}

fn spec(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    SPEC.read_within(needs, fields, name)
}

fn certificates(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    CA_CONFIG.read_within(needs, fields, name)
}

fn task_defaults(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    TASK_DEFAULTS.read_within(needs, fields, name)
}

/// Authorities outside that the managers ask for certificates.
fn external_authorities(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for authority in fields.each(name, &["Protocol", "URL", "Options", "CACert"])? {
        needs.note_unknown(&authority);
        needs.add(Action::HostFetch, url::canonical(authority.text("URL")?, "https")?);
    }
    Ok(())
}

/// A plugin that keeps the secret instead of the swarm.
fn driver(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let driver = fields.within(name, &["Name", "Options"])?;
    needs.note_unknown(&driver);
    if !fields.get(name).is_zero() {
        needs.add(Action::PluginUse, driver.text("Name")?);
    }
    Ok(())
}
