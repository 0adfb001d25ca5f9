//! `wharfinger policy import`: policies of other authorization plugins as lines of ours, for review and `policy apply`.
//!
//! Those plugins judge what is called, and hardly what a call asks for: powers over the host are never taken over, and
//! whoever needs one is to be given it by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;

use super::change::shown;
use crate::authz::Action;
use crate::engine::{self, Call, Door};

/// What the other plugins call what ours calls by these names; `container_create` alone lets nobody run anything here.
#[rustfmt::skip]
const NAMES: &[(&str, &str)] = &[
    ("container_archive",          "container.archive-get"),
    ("container_archive_extract",  "container.archive-put"),
    ("container_archive_info",     "container.archive-stat"),
    ("container_attach",           "container.attach"),
    ("container_attach_websocket", "container.attach"),
    ("container_changes",          "container.changes"),
    ("container_commit",           "image.commit"),
    ("container_copyfiles",        "container.archive-get"),
    ("container_create",           "container.create image.use network.use volume.use"),
    ("container_delete",           "container.delete"),
    ("container_remove",           "container.delete"),
    ("container_exec_create",      "container.exec"),
    ("container_exec_inspect",     "exec.inspect"),
    ("container_exec_resize",      "exec.resize"),
    ("container_exec_start",       "exec.start"),
    ("container_export",           "container.export"),
    ("container_inspect",          "container.inspect"),
    ("container_kill",             "container.kill"),
    ("container_list",             "container.list"),
    ("container_logs",             "container.logs"),
    ("container_pause",            "container.pause"),
    ("container_prune",            "container.prune"),
    ("container_rename",           "container.rename"),
    ("container_resize",           "container.resize"),
    ("container_restart",          "container.restart"),
    ("container_start",            "container.start"),
    ("container_stats",            "container.stats"),
    ("container_stop",             "container.stop"),
    ("container_top",              "container.top"),
    ("container_unpause",          "container.unpause"),
    ("container_update",           "container.update"),
    ("container_wait",             "container.wait"),
    ("docker_auth",                "system.auth"),
    ("docker_events",              "system.events"),
    ("docker_info",                "system.info"),
    ("docker_ping",                "system.ping"),
    ("docker_version",             "system.version"),
    ("auth",                       "system.auth"),
    ("events",                     "system.events"),
    ("info",                       "system.info"),
    ("ping",                       "system.ping"),
    ("version",                    "system.version"),
    ("image_build",                "image.build"),
    ("image_create",               "image.pull"),
    ("image_delete",               "image.delete"),
    ("image_remove",               "image.delete"),
    ("image_history",              "image.history"),
    ("image_inspect",              "image.inspect"),
    ("image_list",                 "image.list"),
    ("image_prune",                "image.prune"),
    ("image_push",                 "image.push"),
    ("image_tag",                  "image.tag"),
    ("images_archive",             "image.save"),
    ("images_load",                "image.load"),
    ("images_search",              "image.search"),
    ("image_search",               "image.search"),
    ("network_connect",            "network.connect"),
    ("network_create",             "network.create"),
    ("network_disconnect",         "network.disconnect"),
    ("network_inspect",            "network.inspect"),
    ("network_list",               "network.list"),
    ("network_prune",              "network.prune"),
    ("network_remove",             "network.delete"),
    ("volume_create",              "volume.create"),
    ("volume_inspect",             "volume.inspect"),
    ("volume_list",                "volume.list"),
    ("volume_prune",               "volume.prune"),
    ("volume_remove",              "volume.delete"),
];

/// Actions of a GET, which is all that a policy of twistlock's with `readonly` lets through.
const READING: &[&str] = &[
    "list",
    "inspect",
    "logs",
    "stats",
    "top",
    "changes",
    "export",
    "history",
    "events",
    "info",
    "ping",
    "version",
    "save",
    "search",
    "archive-get",
    "archive-stat",
    "wait",
];

/// The lines under way, and who holds what.
#[derive(Default)]
struct Lines {
    permissions: BTreeMap<String, BTreeSet<(String, String)>>,
    grants: BTreeSet<(String, String)>,
    notes: Vec<String>,
}

impl Lines {
    fn allow(&mut self, role: &str, action: &str, resource: &str) {
        let held = (action.to_owned(), resource.to_owned());
        self.permissions.entry(role.to_owned()).or_default().insert(held);
    }

    /// The actions behind another plugin's name.
    fn allow_named(&mut self, role: &str, name: &str) {
        match NAMES.iter().find(|(theirs, _)| *theirs == name) {
            Some((_, ours)) => ours.split(' ').for_each(|action| self.allow(role, action, "*")),
            None => self.note(format!("`{}` of {role}", shown(name))),
        }
    }

    fn note(&mut self, what: String) {
        self.notes.push(what);
    }

    fn text(self, from: &str) -> String {
        let mut text = format!(
            "# Taken over from {from}. It could not tell what a call asks for, so powers over the host (privileged,\n\
             # host paths, devices, capabilities, ports) are left out: give those by name to whoever needs them.\n"
        );
        for note in &self.notes {
            writeln!(text, "# NOT taken over: {note}").ok();
        }
        for (role, held) in &self.permissions {
            writeln!(text).ok();
            for (action, resource) in held {
                writeln!(text, "p, role:{role}, {action}, {}, allow", quoted(resource)).ok();
            }
            for (principal, _) in self.grants.iter().filter(|(_, granted)| granted == role) {
                writeln!(text, "g, {}, role:{role}", quoted(principal)).ok();
            }
        }
        text
    }
}

/// A policy of twistlock/authz: one JSON object a line.
pub(super) fn twistlock(text: &str) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Policy {
        name: String,
        #[serde(default)]
        users: Vec<String>,
        #[serde(default)]
        actions: Vec<String>,
        #[serde(default)]
        readonly: bool,
    }
    let mut lines = Lines::default();
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
        let policy: Policy =
            serde_json::from_str(line).map_err(|error| anyhow::anyhow!("line {number}: {error}"))?;
        let role = role_name(&policy.name);
        for pattern in &policy.actions {
            let Some(matches) = simple(pattern) else {
                lines.note(format!("the expression `{}` of {role}", shown(pattern)));
                continue;
            };
            for (_, ours) in NAMES.iter().filter(|(theirs, _)| matches(theirs)) {
                for action in ours.split(' ') {
                    let reads = action.split_once('.').is_some_and(|(_, verb)| READING.contains(&verb));
                    if reads || !policy.readonly {
                        lines.allow(&role, action, "*");
                    }
                }
            }
        }
        for user in policy.users {
            let principal = if user.is_empty() { "anonymous".to_owned() } else { format!("user:{user}") };
            lines.grants.insert((principal, role.clone()));
        }
    }
    Ok(lines.text("twistlock/authz"))
}

/// A policy of casbin-authz-plugin: `p, path, method`, for whoever it is.
pub(super) fn casbin_authz(text: &str) -> anyhow::Result<String> {
    const ROLE: &str = "casbin-authz";
    let mut lines = Lines::default();
    let headers = BTreeMap::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let ["p", path, method] = fields.as_slice() else {
            anyhow::bail!("line {number}: `{}` is not `p, path, method`", shown(line));
        };
        let call = Call { method, uri: path, headers: &headers, body: None, door: Door::Plugin };
        match engine::classify(&call) {
            Ok(classified) => {
                for needed in &classified.requirements {
                    lines.allow(ROLE, needed.action.name(), &needed.resource.to_string());
                }
            }
            // Its body decides what it needs; the operation is known all the same.
            Err(refusal) => match refusal.operation {
                Some(Action::ContainerCreate) => lines.allow_named(ROLE, "container_create"),
                Some(operation) => lines.allow(ROLE, operation.name(), "*"),
                None => lines.note(format!("`{}`: no call of the Engine API that is known", shown(line))),
            },
        }
    }
    lines.grants.insert(("everyone".to_owned(), ROLE.to_owned()));
    Ok(lines.text("casbin-authz-plugin"))
}

/// The commands by which an hbm was set up: `hbm resource add …`, `hbm policy add …`, one a line.
pub(super) fn hbm(text: &str) -> String {
    let mut resources: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut collections: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut policies: Vec<(String, String)> = Vec::new();
    let mut lines = Lines::default();
    for line in text.lines().map(str::trim) {
        let Some(command) = line.trim_start_matches(['#', '$', ' ']).strip_prefix("hbm ") else { continue };
        let words: Vec<&str> = command.split_whitespace().collect();
        let flag = |name: &str| {
            words
                .iter()
                .position(|word| *word == name)
                .and_then(|at| words.get(at + 1))
                .map(|word| word.trim_matches('"').to_owned())
        };
        let last = words.last().map(|word| (*word).to_owned()).unwrap_or_default();
        match (words.first().copied(), words.get(1).copied()) {
            (Some("resource"), Some("add")) => {
                let (kind, value) = (flag("--type").unwrap_or_default(), flag("--value").unwrap_or_default());
                resources.insert(last, (kind, value));
            }
            (Some("resource"), Some("member")) => {
                if let Some(collection) = flag("--add") {
                    collections.entry(collection).or_default().push(last);
                }
            }
            (Some("user"), Some("member")) => {
                if let Some(group) = flag("--add") {
                    members.entry(group).or_default().push(last);
                }
            }
            (Some("policy"), Some("add")) => {
                policies
                    .push((flag("--group").unwrap_or_default(), flag("--collection").unwrap_or_default()));
            }
            (Some("collection" | "group" | "user"), Some("add")) => {}
            _ => lines.note(format!("`{}`", shown(line))),
        }
    }
    for (group, collection) in policies {
        let role = role_name(&collection);
        for (kind, value) in
            collections.get(&collection).into_iter().flatten().filter_map(|name| resources.get(name))
        {
            match kind.as_str() {
                "action" => lines.allow_named(&role, value),
                "image" => lines.allow(&role, "image.use", &format!("image:**{value}*")),
                "registry" => lines.allow(&role, "image.pull", &format!("image:{value}/**")),
                _ => lines.note(format!("{} `{}` of {role}", shown(kind), shown(value))),
            }
        }
        for user in members.get(&group).into_iter().flatten() {
            lines.grants.insert((format!("user:{user}"), role.clone()));
        }
    }
    lines.text("hbm")
}

/// Whether an expression without anything but `^`, `$` and `.*` is found in a name; `None` for any other.
fn simple(pattern: &str) -> Option<impl Fn(&str) -> bool> {
    let (start, end) = (pattern.starts_with('^'), pattern.ends_with('$'));
    let inner = pattern.trim_start_matches('^').trim_end_matches('$');
    let parts: Vec<String> = inner.split(".*").map(str::to_owned).collect();
    let plain = |part: &String| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    parts.iter().all(plain).then_some(move |name: &str| {
        let mut rest = name;
        for (at, part) in parts.iter().enumerate() {
            let last = at + 1 == parts.len();
            let found = match (at == 0 && start, last && end) {
                (true, true) => (rest == part).then_some(""),
                (true, false) => rest.strip_prefix(part.as_str()),
                (false, true) => rest.ends_with(part.as_str()).then_some(""),
                (false, false) => rest.split_once(part.as_str()).map(|(_, after)| after),
            };
            match found {
                Some(after) => rest = after,
                None => return false,
            }
        }
        true
    })
}

fn role_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect()
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{NAMES, casbin_authz, hbm, twistlock};
    use crate::authz::Action;
    use crate::policy::{MODEL, load};

    /// The lines that say something; all of it has to be a policy.
    fn lines(text: anyhow::Result<String>) -> Vec<String> {
        let text = text.unwrap();
        load(MODEL, &text).unwrap();
        text.lines().skip(2).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn every_name_stands_for_actions_that_there_are() {
        for (theirs, ours) in NAMES {
            assert!(ours.split(' ').all(|action| Action::parse(action).is_some()), "{theirs}: {ours}");
        }
    }

    #[test]
    fn policies_of_twistlock_are_taken_over() {
        let text = "{\"name\":\"p 1\",\"users\":[\"alice\",\"\"],\"actions\":[\"^container_l\",\"image_list\"]}\n\
                    {\"name\":\"all\",\"users\":[\"bob\"],\"actions\":[\"container\"],\"readonly\":true}\n\
                    {\"name\":\"odd\",\"users\":[\"eve\"],\"actions\":[\"docker_(info|ping)\"]}\n";
        let lines = lines(twistlock(text));
        assert_eq!(lines[0], "# NOT taken over: the expression `docker_(info|ping)` of odd");
        for line in [
            "p, role:p-1, container.list, *, allow",
            "p, role:p-1, container.logs, *, allow",
            "p, role:p-1, image.list, *, allow",
            "g, user:alice, role:p-1",
            "g, anonymous, role:p-1",
            "p, role:all, container.inspect, *, allow",
            "g, user:bob, role:all",
        ] {
            assert!(lines.contains(&line.to_owned()), "{line}: {lines:#?}");
        }
        assert!(
            !lines
                .iter()
                .any(|line| line.contains("role:all, container.delete") || line.contains("role:odd"))
        );
        let everything = twistlock("{\"name\":\"a\",\"users\":[\"x\"],\"actions\":[\"\"]}").unwrap();
        assert!(everything.matches("\np, ").count() > 50 && !everything.contains("host."));
    }

    #[test]
    fn policies_of_casbin_authz_plugin_are_taken_over() {
        let text = "p, /_ping, GET\np, /v1.27/images/json, GET\np, /v1.27/containers/web/json, GET\np, /v1.27/containers/create, POST\np, /v1.27/nothing, GET\n";
        assert_eq!(
            lines(casbin_authz(text)),
            [
                "# NOT taken over: `p, /v1.27/nothing, GET`: no call of the Engine API that is known",
                "p, role:casbin-authz, container.create, *, allow",
                "p, role:casbin-authz, container.inspect, container:web, allow",
                "p, role:casbin-authz, image.list, image:*, allow",
                "p, role:casbin-authz, image.use, *, allow",
                "p, role:casbin-authz, network.use, *, allow",
                "p, role:casbin-authz, system.ping, system:*, allow",
                "p, role:casbin-authz, volume.use, *, allow",
                "g, everyone, role:casbin-authz",
            ]
        );
    }

    #[test]
    fn the_commands_of_an_hbm_are_taken_over() {
        let text = "# hbm group add devs\n# hbm user add alice\nhbm user member --add devs alice\nhbm collection add c1\n\
                    hbm resource add --type action --value info i\nhbm resource add --type volume --value /srv v\n\
                    hbm resource member --add c1 i\nhbm resource member --add c1 v\nhbm policy add --group devs --collection c1 p1\n";
        assert_eq!(
            lines(Ok(hbm(text))),
            [
                "# NOT taken over: volume `/srv` of c1",
                "p, role:c1, system.info, *, allow",
                "g, user:alice, role:c1"
            ]
        );
    }
}
