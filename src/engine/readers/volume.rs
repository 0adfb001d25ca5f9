//! Volumes: what a driver is told is a mount that happens when a container starts.

use super::needs::Needs;
use super::shapes::{access_mode, capacity, text, text_map, topologies};
use super::table::fields;
use super::{Request, driver_options};
use crate::authz::Action;
use crate::engine::Refusal;
use crate::engine::json::Fields;

const VOLUME: &[&str] = &["Name", "Driver", "DriverOpts", "Labels", "ClusterVolumeSpec"];

fields! {
    /// moby `volume.UpdateOptions`.
    VOLUME_UPDATE {
        "Spec" cluster_volume;
    }
    /// moby `volume.ClusterVolumeSpec`.
    CLUSTER_VOLUME {
        "Group"                     text;
        "AccessMode"                access_mode;
        "AccessibilityRequirements" topologies;
        "CapacityRange"             capacity;
        "Secrets"                   secrets;
        "Availability"              text;
    }
}

/// `POST /volumes/create`.
pub(in crate::engine) fn create(request: &Request<'_>) -> Result<Needs, Refusal> {
    let volume = request.body.as_fields("", VOLUME)?;
    let mut needs = request.needs(volume.text("Name")?);
    needs.note_unknown(&volume);
    text_map(&mut needs, &volume, "Labels")?;
    driver_options::volume(&mut needs, volume.text("Driver")?, &volume.text_map("DriverOpts")?)?;
    cluster_volume(&mut needs, &volume, "ClusterVolumeSpec")?;
    Ok(needs)
}

/// `PUT /volumes/{name}`, which only cluster volumes know.
pub(in crate::engine) fn update(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(request.name());
    VOLUME_UPDATE.read(&mut needs, request.body, "")?;
    Ok(needs)
}

fn cluster_volume(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    CLUSTER_VOLUME.read_within(needs, fields, name)
}

/// Secrets of the swarm that are handed to the volume's driver.
fn secrets(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for secret in fields.each(name, &["Key", "Secret"])? {
        needs.note_unknown(&secret);
        needs.add(Action::SecretUse, secret.text("Secret")?);
    }
    Ok(())
}
