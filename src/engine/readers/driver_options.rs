//! Volume drivers and their options: the local driver's are the arguments of mount(2), done as root.

use super::mounts::{Access, host_path};
use super::needs::Needs;
use crate::authz::Action;
use crate::engine::{Refusal, RefusalCode, hostpath};

/// Adds what a volume of this driver with these options asks for.
pub(super) fn volume(needs: &mut Needs, driver: &str, options: &[(&str, &str)]) -> Result<(), Refusal> {
    match driver {
        "" | "local" => local(needs, options),
        other => {
            // What the options mean is the driver's own affair.
            needs.add(Action::HostVolumeDriver, other);
            Ok(())
        }
    }
}

/// Mount options of a tmpfs that change nothing but the volume itself.
const TMPFS_WORDS: &[&str] = &[
    "size",
    "mode",
    "uid",
    "gid",
    "nr_inodes",
    "nr_blocks",
    "ro",
    "rw",
    "nodev",
    "nosuid",
    "noexec",
    "noatime",
    "relatime",
];

fn local(needs: &mut Needs, options: &[(&str, &str)]) -> Result<(), Refusal> {
    let option = |key| options.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| *value);
    for (key, _) in options {
        // An option that the driver of today refuses could be another kind of mount tomorrow.
        if !matches!(*key, "type" | "o" | "device" | "size") {
            needs.unknown(format!("DriverOpts.{key}"));
        }
    }
    let (kind, words, device) = (option("type"), option("o"), option("device"));
    if kind.is_empty() && words.is_empty() && device.is_empty() {
        return Ok(());
    }
    // White space counts: ` bind` is no flag to the daemon but data for a file system, and some
    // file systems ignore data that they do not know.
    let words: Vec<&str> = words.split(',').filter(|word| !word.is_empty()).collect();
    if words.iter().any(|word| matches!(*word, "bind" | "rbind")) {
        return bind(needs, device, &words);
    }
    let harmless_words = || {
        words.iter().all(|word| TMPFS_WORDS.contains(&word.split_once('=').map_or(*word, |(name, _)| name)))
    };
    if kind == "tmpfs" && device == "tmpfs" && harmless_words() {
        return Ok(());
    }
    // Fail closed: an overlay's layers, a disk, a share; whatever it is, root mounts it.
    needs.add(Action::HostMountFilesystem, kind);
    Ok(())
}

fn bind(needs: &mut Needs, device: &str, words: &[&str]) -> Result<(), Refusal> {
    if !device.starts_with('/') {
        return Err(Refusal::new(
            RefusalCode::BodyInvalid,
            "the `device` of a volume that binds is not an absolute path",
        ));
    }
    let path = hostpath::canonical_for_mount(device)?;
    let read_only = words.contains(&"ro") && !words.contains(&"rw");
    host_path(needs, &path, if read_only { Access::Read } else { Access::Write });
    for word in words {
        match *word {
            "shared" | "rshared" | "slave" | "rslave" => needs.add(Action::HostMountPropagation, &path),
            // A remount changes a mount that is there already.
            "remount" => needs.add(Action::HostMountFilesystem, "remount"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(driver: &str, options: &[(&str, &str)]) -> Result<Vec<String>, &'static str> {
        let mut needs = Needs::new(Action::VolumeCreate, "v");
        volume(&mut needs, driver, options)
            .and_then(|()| needs.finish(""))
            .map(|classified| classified.requirements.iter().skip(1).map(ToString::to_string).collect())
            .map_err(|refusal| refusal.code.name())
    }

    #[test]
    fn a_volume_without_mount_options_asks_for_nothing() {
        assert_eq!(needed("", &[]), Ok(vec![]));
        assert_eq!(needed("local", &[("size", "1g")]), Ok(vec![]));
        assert_eq!(
            needed("local", &[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m,uid=5")]),
            Ok(vec![])
        );
    }

    #[test]
    fn a_volume_that_binds_is_a_host_path() {
        assert_eq!(
            needed("local", &[("type", "nfs"), ("o", "nosuid,rbind,ro"), ("device", "/srv/")]),
            Ok(vec!["host.mount-readonly path:/srv".to_owned()])
        );
        assert_eq!(
            needed("local", &[("o", "bind,ro,rw"), ("device", "/srv")]),
            Ok(vec!["host.mount path:/srv".to_owned()])
        );
        assert_eq!(needed("local", &[("o", "bind"), ("device", "srv")]), Err("body-invalid"));
        assert_eq!(needed("local", &[("o", "bind"), ("device", "/srv/x/..")]), Err("body-ambiguous"));
    }

    #[test]
    fn a_volume_of_another_file_system_is_a_mount() {
        assert_eq!(
            needed("local", &[("type", "overlay"), ("o", "lowerdir=/etc:/x"), ("device", "overlay")]),
            Ok(vec!["host.mount-filesystem filesystem:overlay".to_owned()])
        );
        assert_eq!(
            needed("", &[("type", "tmpfs"), ("device", "tmpfs"), ("o", "mpol=bind:0")]),
            Ok(vec!["host.mount-filesystem filesystem:tmpfs".to_owned()])
        );
        assert_eq!(
            needed("", &[("device", "/dev/sda1")]),
            Ok(vec!["host.mount-filesystem filesystem:*".to_owned()])
        );
    }

    #[test]
    fn a_word_that_is_no_flag_does_not_make_a_bind_of_another_file_system() {
        for words in [" bind", "bind ", "Bind", "xbind", "bind=1"] {
            assert_eq!(
                needed("local", &[("type", "debugfs"), ("o", words), ("device", "/srv")]),
                Ok(vec!["host.mount-filesystem filesystem:debugfs".to_owned()]),
                "{words}"
            );
        }
    }

    #[test]
    fn another_driver_is_a_power_of_its_own() {
        assert_eq!(
            needed("vieux/sshfs", &[("sshcmd", "x")]),
            Ok(vec!["host.volume-driver volume-driver:vieux/sshfs".to_owned()])
        );
    }
}
