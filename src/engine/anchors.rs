//! What a list is asked for relative to: filters that fail where there is no such thing, and so tell of it.

use super::query::Query;
use super::{Json, uri};
use crate::authz::{Action, Kind};

/// Filters whose value must exist.
const ANCHORS: &[(Action, &str, Kind)] = &[
    (Action::ContainerList, "before", Kind::Container),
    (Action::ContainerList, "since", Kind::Container),
    (Action::ImageList, "before", Kind::Image),
    (Action::ImageList, "since", Kind::Image),
    (Action::TaskList, "service", Kind::Service),
    (Action::TaskList, "node", Kind::Node),
];

/// What the filters of a list call name that must exist; nothing where they cannot be read.
pub fn anchors(operation: Action, target: &str) -> Vec<(Kind, String)> {
    let filters = uri::read(target).and_then(|target| Query::read(&target.raw_query)?.json("filters"));
    let Ok(Json::Object(filters)) = filters else { return Vec::new() };
    let mut found = Vec::new();
    for (filter, values) in filters.entries() {
        let of = ANCHORS.iter().filter(|(action, name, _)| *action == operation && *name == filter);
        for (_, _, kind) in of {
            // Newer clients write `{"since":{"web":true}}`, older ones `{"since":["web"]}`.
            let names: Vec<&str> = match values {
                Json::Object(values) => values.entries().map(|(name, _)| name).collect(),
                values => values.as_texts(filter).unwrap_or_default(),
            };
            found.extend(names.into_iter().map(|name| (*kind, name.to_owned())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_name_what_must_exist_in_both_spellings() {
        let found = |operation: Action, target: &str| {
            let found = anchors(operation, target).into_iter();
            found.map(|(kind, name)| format!("{}:{name}", kind.name())).collect::<Vec<_>>()
        };
        let (ps, tasks) = (Action::ContainerList, Action::TaskList);
        assert_eq!(
            found(ps, "/v1.41/containers/json?all=1&filters=%7B%22before%22:%7B%22web%22:true%7D%7D"),
            ["container:web"]
        );
        assert_eq!(
            found(ps, r#"/containers/json?filters={"since":["web"],"name":["x"]}"#),
            ["container:web"]
        );
        assert_eq!(found(tasks, r#"/tasks?filters={"service":["svc"]}"#), ["service:svc"]);
        assert_eq!(found(tasks, r#"/tasks?filters={"since":["svc"]}"#), [""; 0]);
        assert_eq!(found(ps, "/containers/json"), [""; 0]);
    }
}
