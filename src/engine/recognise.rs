//! What a call is before its body is read, and the one spelling of its target that is forwarded.

use std::fmt::Write as _;

use super::body::Body;
use super::classify::unknown;
use super::{Refusal, matching, uri};
use crate::authz::Action;

/// A call whose route is known; nothing is decided yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// The operation.
    pub operation: Action,
    /// The docker command line that people know it by.
    pub verb: &'static str,
    /// What the daemon expects as its body.
    pub body: Body,
    /// What the path names, in order: of `/containers/web/json` it is `web`; decoded.
    pub names: Vec<String>,
    /// The target in its one spelling: origin form, the version as dockerd writes it, the path with no more
    /// escapes than it needs, the query as it came.
    pub target: String,
}

/// Finds the route of a call.
///
/// # Errors
/// A [`Refusal`] for a target that could be read in two ways, and for what is no known operation.
pub fn recognise(method: &str, uri: &str) -> Result<Recognised, Refusal> {
    let target = uri::read(uri)?;
    let Some((route, names)) = matching::find(method, &target.path) else {
        return Err(unknown(method, &target.path));
    };
    Ok(Recognised {
        operation: route.operation,
        verb: route.verb,
        body: route.body,
        names: names.into_iter().map(str::to_owned).collect(),
        target: canonical(&target),
    })
}

fn canonical(target: &uri::Target) -> String {
    let mut spelled = String::with_capacity(target.path.len() + target.raw_query.len() + 8);
    if let Some(version) = target.version {
        // Writing to a string cannot fail.
        write!(spelled, "/v{version}").ok();
    }
    for byte in target.path.bytes() {
        // Everything that a path may hold as it is (RFC 3986), and nothing that somebody could read otherwise.
        if byte.is_ascii_alphanumeric() || b"-._~/:@!$&'()*+,=".contains(&byte) {
            spelled.push(char::from(byte));
        } else {
            write!(spelled, "%{byte:02X}").ok();
        }
    }
    if !target.raw_query.is_empty() {
        spelled.push('?');
        spelled.push_str(&target.raw_query);
    }
    spelled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(method: &str, uri: &str) -> String {
        recognise(method, uri).unwrap().target
    }

    #[test]
    fn a_call_is_known_by_its_route_and_what_it_names() {
        let call = recognise("POST", "/v1.41/exec/ab12/start").unwrap();
        assert_eq!((call.operation, call.body), (Action::ExecStart, Body::JsonOrEmpty));
        assert_eq!(call.names, ["ab12"]);
        assert!(recognise("POST", "/v1.41/nosuch").is_err());
    }

    #[test]
    fn every_spelling_of_a_target_is_forwarded_as_one() {
        for uri in [
            "/v1.41/containers/create?name=a%20b",
            "/v01.041/%63ontainers/create?name=a%20b",
            "/%76%31%2e%34%31/containers%2Fcreate?name=a%20b",
            "http://somebody@host:1/v1.41.0/containers/create?name=a%20b",
        ] {
            assert_eq!(target("POST", uri), "/v1.41/containers/create?name=a%20b", "{uri}");
        }
        assert_eq!(target("GET", "/_ping?"), "/_ping");
    }

    #[test]
    fn what_would_mean_something_else_unescaped_stays_escaped() {
        assert_eq!(target("GET", "/containers/a%3Fb%23%25%3bc/json"), "/containers/a%3Fb%23%25%3Bc/json");
    }

    proptest! {
        #[test]
        fn the_one_spelling_means_the_same_and_is_its_own_spelling(name in "[ -~äſ]{1,12}", query in "[a-z=&%41]{0,8}") {
            let escaped = name.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
            let uri = format!("/v1.41/containers/{escaped}/json?{query}");
            if let Ok(call) = recognise("GET", &uri) {
                let again = recognise("GET", &call.target).unwrap();
                prop_assert_eq!(&again, &call);
                prop_assert_eq!(&call.names, &[name]);
            }
        }
    }
}
