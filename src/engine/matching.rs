//! Finds the route that the daemon would take: exact method, anchored path, first match in table order.

use super::routes::{ANY, ROUTES, Route};

/// The first route that matches, and the values of its path's variables in order.
pub(super) fn find<'a>(method: &str, path: &'a str) -> Option<(&'static Route, Vec<&'a str>)> {
    ROUTES
        .iter()
        .filter(|route| route.method == method || route.method == ANY)
        .find_map(|route| Some((route, variables(route.path, path)?)))
}

/// The values that make the template equal to the path, or `None`.
///
/// `{x:.*}` and `{x:.+}` stand for any text, slashes included, and so are matched from the end;
/// `{x}` stands for one segment. None of them matches an empty text: the daemon's `.*` would,
/// but no object has an empty name, so such a call is left unknown and denied.
fn variables<'a>(template: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let Some((before, rest)) = template.split_once('{') else {
        return (template == path).then(Vec::new);
    };
    let (variable, after) = rest.split_once('}')?;
    let tail = path.strip_prefix(before)?;
    if variable.contains(':') {
        return tail.strip_suffix(after).filter(|value| !value.is_empty()).map(|value| vec![value]);
    }
    let (value, remainder) = tail.split_at_checked(tail.find('/').unwrap_or(tail.len()))?;
    if value.is_empty() {
        return None;
    }
    let mut values = vec![value];
    values.extend(variables(after, remainder)?);
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> Option<(&'static str, Vec<&'static str>)> {
        let path: &'static str = path.to_owned().leak();
        find(method, path).map(|(route, values)| (route.operation.name(), values))
    }

    #[test]
    fn a_greedy_name_is_matched_from_the_end() {
        assert_eq!(
            found("POST", "/containers/x/json/exec/kill"),
            Some(("container.kill", vec!["x/json/exec"]))
        );
        assert_eq!(found("POST", "/containers/create/start"), Some(("container.start", vec!["create"])));
        assert_eq!(found("GET", "/images/json/json"), Some(("image.inspect", vec!["json"])));
        assert_eq!(found("DELETE", "/containers/json"), Some(("container.delete", vec!["json"])));
    }

    #[test]
    fn the_checkpoint_route_comes_before_the_container_that_it_could_name() {
        assert_eq!(
            found("DELETE", "/containers/x/checkpoints/c1"),
            Some(("checkpoint.delete", vec!["x", "c1"]))
        );
        assert_eq!(
            found("DELETE", "/containers/x/checkpoints/c/1"),
            Some(("container.delete", vec!["x/checkpoints/c/1"]))
        );
    }

    #[test]
    fn a_single_segment_does_not_span_slashes() {
        assert_eq!(found("GET", "/services/a"), Some(("service.inspect", vec!["a"])));
        assert_eq!(found("GET", "/services/a/b"), None);
    }

    #[test]
    fn a_profile_is_served_whatever_the_method_and_options_come_first() {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "BREW"] {
            assert_eq!(found(method, "/debug/vars"), Some(("system.debug", vec![])), "{method}");
        }
        assert_eq!(found("POST", "/debug/pprof/heap"), Some(("system.debug", vec!["heap"])));
        assert_eq!(found("OPTIONS", "/debug/vars").unwrap().0, "system.options");
    }

    #[test]
    fn only_the_exact_method_and_spelling_is_a_route() {
        for (method, path) in [
            ("HEAD", "/containers/json"),
            ("get", "/containers/json"),
            ("GET", "/containers/json/"),
            ("GET", "/Containers/json"),
            ("POST", "/containers/createx"),
            ("POST", "/xcontainers/create"),
            ("DELETE", "/containers/"),
            ("GET", ""),
        ] {
            assert_eq!(found(method, path), None, "{method} {path}");
        }
    }
}
