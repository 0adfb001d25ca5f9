//! What is not visible is not there: the daemon's own words for what does not exist.

use crate::authz::{Action, Kind};
use crate::engine::Recognised;

/// The words of the daemon for each kind; `{}` is what the client called it.
const WORDS: &[(Kind, &str)] = &[
    (Kind::Container, "No such container: {}"),
    (Kind::Exec, "No such exec instance: {}"),
    (Kind::Image, "No such image: {}"),
    (Kind::Volume, "get {}: no such volume"),
    (Kind::Network, "network {} not found"),
    (Kind::Service, "service {} not found"),
    (Kind::Task, "task {} not found"),
    (Kind::Node, "node {} not found"),
    (Kind::Secret, "secret {} not found"),
    (Kind::Config, "config {} not found"),
    (Kind::Plugin, "plugin \"{}\" not found"),
];

/// Operations whose path names something that need not be on this host.
const ELSEWHERE: &[Action] = &[Action::DistributionInspect, Action::BuildCancel];

/// What the path of a call names, if that is a thing of the daemon's that could be hidden.
pub(super) fn named(call: &Recognised) -> Option<(Kind, &str)> {
    let kind = call.operation.kind();
    let name = call.names.first().filter(|name| !name.is_empty())?;
    let known = WORDS.iter().any(|(of, _)| *of == kind) && !ELSEWHERE.contains(&call.operation);
    known.then_some((kind, name.as_str()))
}

/// That a thing does not exist, as the daemon says it.
pub(super) fn words(operation: Action, kind: Kind, name: &str) -> Option<String> {
    let (_, words) = WORDS.iter().find(|(of, _)| *of == kind)?;
    let mut name = name.to_owned();
    // The daemon has read the name by then, and writes it with its tag; what may be the beginning of an ID as well.
    let read = kind == Kind::Image && operation != Action::ImageSave;
    if read
        && !name.contains('@')
        && !name.rsplit('/').next().unwrap_or_default().contains(':')
        && !is_id(&name)
    {
        name.push_str(":latest");
    }
    Some(words.replace("{}", &name))
}

fn is_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;

    #[test]
    fn a_call_names_what_could_be_hidden() {
        let found = |method: &str, uri: &str| {
            let call = engine::recognise(method, uri).unwrap();
            named(&call).map(|(kind, name)| format!("{}:{name}", kind.name()))
        };
        for (method, uri, expected) in [
            ("GET", "/v1.41/containers/web/json", Some("container:web")),
            ("POST", "/containers/web/exec", Some("container:web")),
            ("DELETE", "/v1.41/containers/web/checkpoints/c1", Some("container:web")),
            ("POST", "/exec/ab12/start", Some("exec:ab12")),
            ("POST", "/images/a%2Fb:1/tag?repo=x", Some("image:a/b:1")),
            ("DELETE", "/volumes/data", Some("volume:data")),
            ("POST", "/networks/n1/connect", Some("network:n1")),
            ("GET", "/plugins/p/json", Some("plugin:p")),
            ("GET", "/containers/json", None),
            ("POST", "/containers/create?name=web", None),
            ("GET", "/distribution/busybox/json", None),
            ("GET", "/images/get?names=busybox", None),
            ("GET", "/info", None),
        ] {
            assert_eq!(found(method, uri).as_deref(), expected, "{method} {uri}");
        }
    }

    #[test]
    fn the_words_are_those_of_the_daemon() {
        // As engines answered when they were asked for what is not there: operation, kind, name, message.
        let recorded = include_str!("../../../tests/data/views/missing.tsv");
        let mut checked = 0;
        for line in recorded.lines().filter(|line| !line.starts_with('#')) {
            let [method, uri, message] = *line.split('\t').collect::<Vec<_>>() else { panic!("{line}") };
            let call = engine::recognise(method, uri).unwrap();
            let (kind, name) = named(&call).unwrap();
            assert_eq!(words(call.operation, kind, name).as_deref(), Some(message), "{method} {uri}");
            checked += 1;
        }
        assert!(checked > 40, "{checked}");
    }
}
