//! One normaliser for everything that is mounted: `Binds`, `Mounts` of containers and of services.

use super::driver_options;
use super::names;
use super::needs::Needs;
use super::shapes::{flag, nothing, number, structs, text, text_lists, text_map};
use super::table::{elsewhere, fields, invalid};
use crate::authz::{Action, Resource};
use crate::engine::json::Fields;
use crate::engine::{Refusal, hostpath};

/// How a host path is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Adds a host path that is mounted; the path must be canonical.
pub(super) fn host_path(needs: &mut Needs, path: &str, access: Access) {
    needs.add(
        match access {
            Access::Read => Action::HostMountReadonly,
            Access::Write => Action::HostMount,
        },
        path,
    );
    if hostpath::is_sensitive(path) {
        needs.add(Action::HostMountSensitive, path);
    }
}

/// `HostConfig.Binds`: `source:target[:options]`, or a target alone for an anonymous volume.
pub(super) fn binds(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for bind in fields.texts(name)? {
        let parts: Vec<&str> = bind.split(':').collect();
        match *parts.as_slice() {
            [target] if !target.is_empty() => {}
            [source, target] if !source.is_empty() && !target.is_empty() => one_bind(needs, source, "")?,
            [source, target, options] if !source.is_empty() && !target.is_empty() => {
                one_bind(needs, source, options)?;
            }
            _ => return Err(invalid(&fields.path_of(name), "a list of `source:target[:options]`")),
        }
    }
    Ok(())
}

/// Options of a bind that leave it as writable as it is without them.
const HARMLESS: &[&str] =
    &["rw", "ro-non-recursive", "nocopy", "consistent", "cached", "delegated", "default"];

fn one_bind(needs: &mut Needs, source: &str, options: &str) -> Result<(), Refusal> {
    // The daemon takes an absolute source for a host path, and anything else for a volume's name.
    let path = if source.starts_with('/') { Some(hostpath::canonical(source)?) } else { None };
    let mut access = Access::Write;
    for option in options.split(',').filter(|_| !options.is_empty()) {
        match (option, &path) {
            ("ro" | "rro" | "ro-force-recursive", _) => access = Access::Read,
            ("z" | "Z", None) => {}
            (word, _) if HARMLESS.contains(&word) => {}
            // The daemon rewrites the labels of the files, on the host too.
            ("z" | "Z", Some(_)) => needs.add(Action::HostSecurity, "label=relabel"),
            (word, Some(path)) => propagation(needs, path, word)?,
            (word, None) => propagation(needs, source, word)?,
        }
    }
    match path {
        Some(path) => host_path(needs, &path, access),
        None => needs.add(Action::VolumeUse, source),
    }
    Ok(())
}

/// Adds what mount propagation asks for; `private` is what the daemon does anyway.
fn propagation(needs: &mut Needs, source: &str, mode: &str) -> Result<(), Refusal> {
    match mode.to_lowercase().as_str() {
        "" | "private" | "rprivate" => Ok(()),
        "shared" | "rshared" | "slave" | "rslave" => {
            needs.add(Action::HostMountPropagation, source);
            Ok(())
        }
        _ => Err(invalid("the options of a mount", "known to wharfinger")),
    }
}

fields! {
    /// moby `mount.Mount`.
    MOUNT {
        "Type"           elsewhere;
        "Source"         elsewhere;
        "Target"         text;
        "ReadOnly"       elsewhere;
        "Consistency"    text;
        "BindOptions"    bind_options;
        "VolumeOptions"  volume_options;
        "TmpfsOptions"   tmpfs_options;
        "ImageOptions"   image_options;
        "ClusterOptions" nothing;
    }
    BIND_OPTIONS {
        "Propagation"            elsewhere;
        "NonRecursive"           flag;
        "CreateMountpoint"       flag;
        "ReadOnlyNonRecursive"   flag;
        "ReadOnlyForceRecursive" flag;
    }
    VOLUME_OPTIONS {
        "NoCopy"       flag;
        "Labels"       text_map;
        "Subpath"      text;
        "DriverConfig" driver_config;
    }
    TMPFS_OPTIONS {
        "SizeBytes" number;
        "Mode"      number;
        "Options"   text_lists;
    }
    IMAGE_OPTIONS {
        "Subpath" text;
    }
}

structs! {
    bind_options   read_within BIND_OPTIONS;
    volume_options read_within VOLUME_OPTIONS;
    tmpfs_options  read_within TMPFS_OPTIONS;
    image_options  read_within IMAGE_OPTIONS;
}

/// `Mounts` of a container's `HostConfig` and of a service's `ContainerSpec`.
pub(super) fn mounts(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    fields.each(name, MOUNT.names)?.iter().try_for_each(|mount| one_mount(needs, mount))
}

fn one_mount(needs: &mut Needs, mount: &Fields<'_>) -> Result<(), Refusal> {
    MOUNT.read_fields(needs, mount)?;
    let source = mount.text("Source")?;
    let bind = mount.within("BindOptions", BIND_OPTIONS.names)?;
    // Services fold the type's case and take an empty one for a bind; containers know neither,
    // so the broader reading serves for both.
    match mount.text("Type")?.to_uppercase().as_str() {
        "" | "BIND" => {
            // Without recursion the mounts below the path stay writable.
            let read_only = mount.flag("ReadOnly")? && !bind.flag("ReadOnlyNonRecursive")?;
            let access = if read_only { Access::Read } else { Access::Write };
            if is_template(source) {
                propagation(needs, Resource::ANY, bind.text("Propagation")?)?;
                any_host_path(needs, access);
                return Ok(());
            }
            let path = hostpath::canonical(source)?;
            propagation(needs, &path, bind.text("Propagation")?)?;
            host_path(needs, &path, access);
        }
        "VOLUME" | "CLUSTER" if source.is_empty() => {}
        "VOLUME" | "CLUSTER" if is_template(source) => needs.any(Action::VolumeUse),
        "VOLUME" | "CLUSTER" => needs.add(Action::VolumeUse, source),
        "IMAGE" => names::add_image(needs, Action::ImageUse, source)?,
        "TMPFS" => {}
        _ => return Err(invalid(&mount.path_of("Type"), "a type of mount that is known to wharfinger")),
    }
    Ok(())
}

/// Whether the swarm fills this in on the node where a task of a service runs: what it becomes,
/// nobody can tell here, least of all by its slashes and dots.
fn is_template(text: &str) -> bool {
    text.contains("{{")
}

/// Adds a host path that could be any.
fn any_host_path(needs: &mut Needs, access: Access) {
    host_path(needs, Resource::ANY, access);
    needs.any(Action::HostMountSensitive);
}

fn driver_config(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let driver = fields.within(name, &["Name", "Options"])?;
    needs.note_unknown(&driver);
    if driver.text_map("Options")?.iter().any(|(_, value)| is_template(value)) {
        any_host_path(needs, Access::Write);
        needs.any(Action::HostMountFilesystem);
    }
    driver_options::volume(needs, driver.text("Name")?, &driver.text_map("Options")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::Action;
    use crate::engine::json;

    /// The requirements beside the operation, or the refusal's code.
    fn needed(read: super::super::table::FieldReader, body: &str) -> Result<Vec<String>, &'static str> {
        let body = json::read(body.as_bytes()).unwrap();
        let fields = body.as_fields("", &["X"]).unwrap();
        let mut needs = Needs::new(Action::ContainerCreate, "");
        read(&mut needs, &fields, "X")
            .and_then(|()| needs.finish(""))
            .map(|classified| classified.requirements.iter().skip(1).map(ToString::to_string).collect())
            .map_err(|refusal| refusal.code.name())
    }

    #[test]
    fn a_bind_is_a_host_path_or_a_volume() {
        for (bind, wanted) in [
            ("/srv/a/../b//:/x", "host.mount path:/srv/b"),
            ("/srv/b:/x:ro", "host.mount-readonly path:/srv/b"),
            ("data:/x:ro", "volume.use volume:data"),
        ] {
            assert_eq!(needed(binds, &format!(r#"{{"X":["{bind}"]}}"#)), Ok(vec![wanted.to_owned()]));
        }
        assert_eq!(needed(binds, r#"{"X":["/x"]}"#), Ok(vec![]));
        assert_eq!(needed(binds, r#"{"X":["/a:/b:rw:ro"]}"#), Err("body-invalid"));
        assert_eq!(needed(binds, r#"{"X":["/a:/b:new"]}"#), Err("body-invalid"));
    }

    #[test]
    fn a_sensitive_path_needs_its_own_permission_beside_the_mount() {
        assert_eq!(
            needed(binds, r#"{"X":["/var/run/docker.sock:/s:ro"]}"#),
            Ok(vec![
                "host.mount-readonly path:/var/run/docker.sock".to_owned(),
                "host.mount-sensitive path:/var/run/docker.sock".to_owned(),
            ])
        );
    }

    #[test]
    fn a_mount_without_a_type_or_in_odd_case_is_a_bind_as_services_read_it() {
        for kind in ["", "BiNd", "b\u{131}nd"] {
            assert_eq!(
                needed(mounts, &format!(r#"{{"X":[{{"Type":"{kind}","Source":"/srv","Target":"/x"}}]}}"#)),
                Ok(vec!["host.mount path:/srv".to_owned()]),
                "{kind}"
            );
        }
    }

    #[test]
    fn a_template_could_become_any_path_volume_or_option() {
        for (mount, wanted) in [
            (
                r#"{"Type":"bind","Source":"/srv/{{\"../../etc\"}}","ReadOnly":true}"#,
                &["host.mount-readonly path:*", "host.mount-sensitive path:*"][..],
            ),
            (
                r#"{"Type":"bind","Source":"{{.Node.Hostname}}","BindOptions":{"Propagation":"shared"}}"#,
                &["host.mount-propagation path:*", "host.mount path:*", "host.mount-sensitive path:*"],
            ),
            (r#"{"Type":"volume","Source":"data-{{.Task.Slot}}"}"#, &["volume.use volume:*"]),
            (
                r#"{"Type":"volume","VolumeOptions":{"DriverConfig":{"Options":{"size":"{{1}}"}}}}"#,
                &["host.mount path:*", "host.mount-sensitive path:*", "host.mount-filesystem filesystem:*"],
            ),
        ] {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            assert_eq!(needed(mounts, &format!(r#"{{"X":[{mount}]}}"#)), Ok(wanted), "{mount}");
        }
    }

    #[test]
    fn a_read_only_mount_that_leaves_its_submounts_writable_counts_as_writable() {
        assert_eq!(
            needed(
                mounts,
                r#"{"X":[{"Type":"bind","Source":"/srv","ReadOnly":true,"BindOptions":{"ReadOnlyNonRecursive":true}}]}"#
            ),
            Ok(vec!["host.mount path:/srv".to_owned()])
        );
    }
}
