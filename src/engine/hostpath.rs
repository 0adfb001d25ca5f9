//! Host paths in one lexical form, and which of them give the host away.

use super::{Refusal, RefusalCode};

/// The one spelling of an absolute path as dockerd cleans a bind source: no empty, `.` or `..`
/// segment, no trailing slash. Symbolic links are not looked at: that takes the file system.
pub(crate) fn canonical(text: &str) -> Result<String, Refusal> {
    check(text)?;
    let mut segments = Vec::new();
    for segment in text.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    Ok(format!("/{}", segments.join("/")))
}

/// The one spelling of a path that reaches mount(2) as written: there `..` follows symbolic
/// links first, so a lexical answer could be another path and it is refused.
pub(crate) fn canonical_for_mount(text: &str) -> Result<String, Refusal> {
    check(text)?;
    if text.split('/').any(|segment| segment == "..") {
        return Err(Refusal::new(
            RefusalCode::BodyAmbiguous,
            "a host path holds `..`; write the path without it",
        ));
    }
    canonical(text)
}

/// Whether mounting this canonical path hands out the host, its daemon or other people's
/// containers: it is, holds or lies in a place of [`SENSITIVE`].
pub(crate) fn is_sensitive(canonical: &str) -> bool {
    if HARMLESS.iter().any(|place| is_within(canonical, place)) {
        return false;
    }
    let name = canonical.rsplit('/').next().unwrap_or("");
    ENGINE_SOCKETS.contains(&name)
        || SENSITIVE.iter().any(|(place, _)| is_within(canonical, place) || is_within(place, canonical))
}

/// Places that give the host away, each with its reason. What holds one (`/var`) is as
/// sensitive as what lies in it (`/var/lib/docker/volumes`).
const SENSITIVE: &[(&str, &str)] = &[
    ("/proc", "every process of the host: memory, environment, root directory"),
    ("/sys", "kernel settings, cgroup release agents, firmware"),
    ("/dev", "disks and memory as files"),
    ("/run", "sockets of docker, containerd, systemd, wharfinger; run-time secrets"),
    ("/var/run", "the old name of /run"),
    ("/etc", "accounts, sudo, ssh, cron, units, and this daemon's policy"),
    ("/root", "root's keys and start-up files"),
    ("/boot", "kernel and boot loader"),
    ("/efi", "boot loader"),
    ("/bin", "programs that root runs"),
    ("/sbin", "programs that root runs"),
    ("/lib", "libraries that root loads, kernel modules"),
    ("/lib32", "libraries that root loads"),
    ("/lib64", "libraries that root loads"),
    ("/libx32", "libraries that root loads"),
    ("/usr", "programs and libraries that root runs"),
    ("/snap", "programs that root runs"),
    ("/var/spool/cron", "commands that root runs by the clock"),
    ("/var/spool/at", "commands that root runs by the clock"),
    ("/var/lib/docker", "every container's files, volumes and settings"),
    ("/var/lib/docker-engine", "every container's files, on some packagings"),
    ("/var/snap/docker", "every container's files, with docker as a snap"),
    ("/var/lib/containerd", "every container's files"),
    ("/var/lib/containers", "every container's files, with podman beside docker"),
    ("/var/lib/buildkit", "build caches and their secrets"),
    ("/var/lib/wharfinger", "this daemon's policy, keys and trail"),
    ("/var/lib/kubelet", "every pod's secrets and volumes"),
    ("/var/lib/rancher", "a cluster's keys"),
    ("/var/lib/etcd", "a cluster's state and secrets"),
    ("/var/lib/lxc", "other containers' files"),
    ("/var/lib/lxd", "other containers' files and its socket"),
    ("/var/lib/incus", "other containers' files and its socket"),
    ("/var/lib/libvirt", "virtual machines' disks"),
    ("/var/lib/machines", "other containers' files"),
    ("/var/lib/systemd", "units' state, credentials key, timers"),
    ("/var/lib/cloud", "scripts that root runs at boot, the instance's secrets"),
    ("/var/lib/dpkg", "package scripts that root runs"),
    ("/var/lib/rpm", "package scripts that root runs"),
    ("/var/lib/snapd", "programs that root runs"),
    ("/var/lib/polkit-1", "rules about who may become root"),
    ("/var/lib/AccountsService", "accounts"),
    ("/var/lib/sss", "directory credentials"),
    ("/var/lib/NetworkManager", "network secrets"),
];

/// Exceptions to [`SENSITIVE`] that many images are given, powerless even when written to.
const HARMLESS: &[&str] = &["/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo"];

/// Sockets that are the host, wherever they lie.
const ENGINE_SOCKETS: &[&str] = &[
    "docker.sock",
    "docker-raw.sock",
    "dockerd.sock",
    "containerd.sock",
    "containerd.sock.ttrpc",
    "buildkitd.sock",
    "podman.sock",
    "crio.sock",
    "wharfinger.sock",
];

fn is_within(path: &str, place: &str) -> bool {
    place == "/" || path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn check(text: &str) -> Result<(), Refusal> {
    let invalid = |message| Err(Refusal::new(RefusalCode::BodyInvalid, message));
    if !text.starts_with('/') {
        return invalid("a host path is not absolute; start it with `/`");
    }
    if text.chars().any(char::is_control) {
        return invalid("a host path holds a control character");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_path_is_the_clean_one() {
        for (text, path) in [
            ("/", "/"),
            ("//", "/"),
            ("/..", "/"),
            ("/../..", "/"),
            ("/./.", "/"),
            ("/etc", "/etc"),
            ("/etc/", "/etc"),
            ("//etc///ssh//", "/etc/ssh"),
            ("/srv/../etc", "/etc"),
            ("/srv/a/../../../etc/./ssh/..", "/etc"),
            ("/srv/.../a..b/.c", "/srv/.../a..b/.c"),
            ("/srv/a b\\c", "/srv/a b\\c"),
        ] {
            assert_eq!(canonical(text), Ok(path.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_absolute_path_is_refused() {
        for text in
            ["", "etc", "./etc", "../etc", "~", "C:\\", "\\etc", " /etc", "/a\0b", "/a\nb", "/a\u{7f}"]
        {
            assert_eq!(canonical(text).unwrap_err().code, RefusalCode::BodyInvalid, "{text:?}");
            assert_eq!(canonical_for_mount(text).unwrap_err().code, RefusalCode::BodyInvalid, "{text:?}");
        }
    }

    #[test]
    fn going_up_is_refused_where_the_kernel_follows_links_first() {
        assert_eq!(canonical_for_mount("/srv/link/../x").unwrap_err().code, RefusalCode::BodyAmbiguous);
        assert_eq!(canonical_for_mount("//srv/./x/..y/"), Ok("/srv/x/..y".to_owned()));
    }

    #[test]
    fn places_that_give_the_host_away_are_sensitive_with_what_holds_and_what_lies_in_them() {
        for path in [
            "/",
            "/proc",
            "/proc/1/root",
            "/sys/fs/cgroup",
            "/dev/sda",
            "/run",
            "/run/docker.sock",
            "/run/docker/plugins",
            "/run/wharfinger",
            "/run/containerd/containerd.sock",
            "/var",
            "/var/run",
            "/var/run/docker.sock",
            "/var/lib",
            "/var/lib/docker",
            "/var/lib/docker/volumes/x/_data",
            "/var/lib/containerd",
            "/var/lib/wharfinger/store",
            "/etc",
            "/etc/wharfinger",
            "/etc/shadow",
            "/etc/cron.d",
            "/root",
            "/root/.ssh",
            "/boot",
            "/usr",
            "/usr/bin",
            "/usr/share",
            "/lib/modules",
            "/bin",
            "/var/spool",
            "/var/spool/cron/crontabs",
        ] {
            assert!(is_sensitive(path), "{path}");
        }
    }

    #[test]
    fn an_engines_socket_is_sensitive_wherever_it_lies() {
        assert!(is_sensitive("/srv/data/docker.sock"));
        assert!(is_sensitive("/home/alice/.docker/run/docker.sock"));
    }

    #[test]
    fn other_places_are_not_sensitive() {
        for path in [
            "/srv",
            "/srv/data",
            "/home",
            "/home/alice",
            "/opt/app",
            "/mnt/nfs",
            "/tmp",
            "/data",
            "/var/www",
            "/var/lib/app",
            "/var/lib/docker2",
            "/var/log/app",
            "/rootfs",
            "/etcetera",
            "/procession",
            "/etc/localtime",
            "/etc/timezone",
            "/usr/share/zoneinfo/Europe/Paris",
            "/srv/docker.sock.d",
            "/srv/etc/shadow",
        ] {
            assert!(!is_sensitive(path), "{path}");
        }
    }

    #[test]
    fn every_place_is_written_in_its_canonical_form() {
        for place in SENSITIVE.iter().map(|(place, _)| place).chain(HARMLESS) {
            assert_eq!(canonical(place).as_deref(), Ok(*place));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            if let Ok(path) = canonical(&text) {
                is_sensitive(&path);
            }
        }

        #[test]
        fn the_canonical_form_is_its_own(text in "/[a-b./]{0,16}") {
            let path = canonical(&text).unwrap();
            prop_assert_eq!(canonical(&path), Ok(path.clone()));
            prop_assert!(path == "/" || !path.ends_with('/'));
            prop_assert!(!path.split('/').any(|segment| segment == "." || segment == ".."));
        }

        #[test]
        fn what_holds_a_sensitive_place_is_sensitive(place in prop::sample::select(SENSITIVE), depth in 0_usize..4) {
            let above: Vec<&str> = place.0.split('/').take(depth + 1).collect();
            let above = canonical(&format!("/{}", above.join("/"))).unwrap();
            prop_assert!(is_sensitive(&above), "{}", above);
        }

        #[test]
        fn no_spelling_of_a_sensitive_place_is_harmless(
            place in prop::sample::select(SENSITIVE),
            noise in prop::sample::select(vec!["/", "/.", "/x/..", "/./y/../."]),
            below in prop::sample::select(vec!["", "/a", "/a/b"]),
        ) {
            let text = format!("{}{below}", place.0).replace('/', &format!("{noise}/"));
            prop_assert!(is_sensitive(&canonical(&text).unwrap()), "{}", text);
        }
    }
}
