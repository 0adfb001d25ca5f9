//! What keeps a container apart from its host, and what takes that away.

use super::names;
use super::needs::Needs;
use super::table::invalid;
use crate::authz::Action;
use crate::engine::Refusal;
use crate::engine::json::{Fields, Json};

/// `Privileged`, of a container and of an exec.
pub(super) fn privileged(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    if fields.flag(name)? {
        needs.any(Action::HostPrivileged);
    }
    Ok(())
}

/// `CapAdd` and its like: names in any case, with or without `CAP_`; one string in place of a list
/// counts on engines up to 28.
pub(super) fn capabilities(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for capability in fields.texts_or_one(name)? {
        let upper = capability.to_uppercase();
        let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if short.is_empty()
            || !short.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        {
            return Err(invalid(&fields.path_of(name), "a list of capabilities"));
        }
        needs.add(Action::HostCapability, short);
    }
    Ok(())
}

/// `SecurityOpt`.
pub(super) fn security_options(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for option in fields.texts(name)? {
        security_option(needs, option)
            .ok_or_else(|| invalid(&fields.path_of(name), "a list of security options"))?;
    }
    Ok(())
}

/// Adds what one option asks for, written `kind=value`, `kind:value` or as a word alone; hardening
/// asks for nothing, and a profile is never spelled out. `None` for what is no option.
pub(super) fn security_option(needs: &mut Needs, option: &str) -> Option<()> {
    let (kind, value) = match option {
        "no-new-privileges" => ("no-new-privileges", "true"),
        "disable" => ("label", "disable"),
        "writable-cgroups" => ("writable-cgroups", "true"),
        _ => option.split_once('=').or_else(|| option.split_once(':'))?,
    };
    if kind.is_empty() || !kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return None;
    }
    let class = match (kind, value) {
        ("no-new-privileges", "1" | "t" | "T" | "true" | "TRUE" | "True") => return Some(()),
        ("no-new-privileges" | "writable-cgroups" | "label" | "apparmor" | "systempaths", _)
        | ("seccomp", "unconfined" | "builtin") => value,
        // A seccomp profile, or what only a newer daemon knows.
        _ => "custom",
    };
    needs.add(Action::HostSecurity, format!("{kind}={class}"));
    Some(())
}

/// `MaskedPaths` and `ReadonlyPaths`: null keeps the daemon's lists, any list replaces them, and
/// an empty one leaves nothing hidden.
pub(super) fn masked_paths(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    if *fields.get(name) != Json::Null {
        fields.texts(name)?;
        needs.any(Action::HostUnmask);
    }
    Ok(())
}

/// `PidMode`.
pub(super) fn pid(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    namespace(needs, fields, name, "pid", &[])
}

/// `IpcMode`; a shareable one is only open to whoever may join the container.
pub(super) fn ipc(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    namespace(needs, fields, name, "ipc", &["none", "private", "shareable"])
}

/// `UTSMode`.
pub(super) fn uts(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    namespace(needs, fields, name, "uts", &["private"])
}

/// `UsernsMode`.
pub(super) fn user_namespace(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    namespace(needs, fields, name, "user", &["private"])
}

/// `CgroupnsMode`.
pub(super) fn cgroup_namespace(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    namespace(needs, fields, name, "cgroup", &["private"])
}

/// `Cgroup`, which knows no host.
pub(super) fn container_cgroup(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    namespace(needs, fields, name, "cgroup", &[])
}

fn namespace(
    needs: &mut Needs,
    fields: &Fields<'_>,
    name: &str,
    kind: &str,
    harmless: &[&str],
) -> Result<(), Refusal> {
    let mode = fields.text(name)?;
    if mode == "host" {
        needs.add(Action::HostNamespace, kind);
    } else if let Some(container) = mode.strip_prefix("container:") {
        needs.add(Action::ContainerJoin, names::container(container));
    } else if !mode.is_empty() && !harmless.contains(&mode) {
        return Err(invalid(&fields.path_of(name), "a namespace mode"));
    }
    Ok(())
}

/// `Sysctls`, one requirement a kernel parameter, with dots for slashes.
pub(super) fn sysctls(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for (key, _) in fields.text_map(name)? {
        let key = key.replace('/', ".");
        if key.split('.').any(str::is_empty) {
            return Err(invalid(&fields.path_of(name), "a map of kernel parameters"));
        }
        needs.add(Action::HostSysctl, key);
    }
    Ok(())
}

/// `Runtime`; also the usual one by name, for it need not be the daemon's default.
pub(super) fn runtime(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let runtime = fields.text(name)?;
    if !runtime.is_empty() {
        needs.add(Action::HostRuntime, runtime);
    }
    Ok(())
}

/// `Annotations`, which runtimes act upon; the values stay out of the record.
pub(super) fn annotations(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for (key, _) in fields.text_map(name)? {
        needs.add(Action::HostAnnotation, key);
    }
    Ok(())
}

/// `GroupAdd` of a container, `Groups` of a service: by name or number, as given.
pub(super) fn groups(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for group in fields.texts(name)? {
        needs.add(Action::HostGroup, group);
    }
    Ok(())
}

/// `CgroupParent`.
pub(super) fn cgroup_parent(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let parent = fields.text(name)?;
    if !parent.is_empty() {
        needs.add(Action::HostCgroup, parent);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardening_asks_for_nothing_and_weakening_is_named_without_its_profile() {
        for (option, wanted) in [
            ("no-new-privileges", Some(None)),
            ("no-new-privileges:true", Some(None)),
            ("no-new-privileges=false", Some(Some("no-new-privileges=false"))),
            ("seccomp:unconfined", Some(Some("seccomp=unconfined"))),
            ("seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}", Some(Some("seccomp=custom"))),
            ("label=type:spc_t", Some(Some("label=type:spc_t"))),
            ("disable", Some(Some("label=disable"))),
            ("brand-new=yes", Some(Some("brand-new=custom"))),
            ("nonsense", None),
            ("=x", None),
            ("[\"seccomp=unconfined\"]", None),
        ] {
            let mut needs = Needs::new(Action::ContainerCreate, "");
            let read = security_option(&mut needs, option);
            let added = needs.finish("").unwrap().requirements.iter().nth(1).map(ToString::to_string);
            assert_eq!(
                read.map(|()| added),
                wanted.map(|class| class.map(|class| format!("host.security security-opt:{class}"))),
                "{option}"
            );
        }
    }
}
