//! From a call to what it needs: target, route, body, reader, in this order, and no way around one.

use super::readers::Request;
use super::routes::ANY;
use super::{ApiVersion, Call, Classified, Refusal, RefusalCode, body, labels, matching, query::Query, uri};

/// Works out what a call is and everything that it needs, as the daemon would understand it.
///
/// # Errors
/// A [`Refusal`] for what is no known operation, could be read in two ways, or is not shown.
pub fn classify(call: &Call<'_>) -> Result<Classified, Refusal> {
    classify_since(call, ApiVersion::OLDEST)
}

/// The same, which refuses calls of an older API version than `minimum`.
///
/// # Errors
/// As [`classify`].
pub fn classify_since(call: &Call<'_>, minimum: ApiVersion) -> Result<Classified, Refusal> {
    let target = uri::read_since(call.uri, minimum)?;
    let Some((route, names)) = matching::find(call.method, &target.path) else {
        // The daemon asks about known routes only, so this is one of a newer engine: fail closed.
        return Err(unknown(call.method, &target.path));
    };
    let read = || {
        let shown = body::read(route.body, call)?;
        let query = Query::read(&target.raw_query)?;
        query.check(route.once, route.all)?;
        let request = Request {
            operation: route.operation,
            names: &names,
            query: &query,
            body: &shown.json,
            query_holds: shown.query_holds,
            door: call.door,
        };
        labels::check(route.operation, &shown.json, &query, call.door)?;
        let mut needs = (route.reader)(&request)?;
        if !matches!(route.method, "GET" | "HEAD" | "OPTIONS" | ANY) {
            // A key that a newer daemon may act upon. Reading calls are spared: there a key can
            // only choose among what the operation shows anyway.
            needs.unknown_keys(&query, &[route.once, route.all].concat());
        }
        needs.finish(route.verb)
    };
    read().map_err(|refusal| Refusal { operation: Some(route.operation), ..refusal })
}

/// The refusal of what is in no table.
pub(super) fn unknown(method: &str, path: &str) -> Refusal {
    Refusal::new(
        RefusalCode::Unclassified,
        format!(
            "`{method} {path}` is no operation that this version of wharfinger knows; \
             it may be newer than wharfinger: update it, or use an older API version"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::Door;

    #[test]
    fn a_minimum_api_version_refuses_what_is_older_and_leaves_the_daemons_newest() {
        let minimum = ApiVersion::parse("1.41").unwrap();
        let code = |uri| {
            let call = Call { method: "GET", uri, headers: &BTreeMap::new(), body: None, door: Door::Plugin };
            classify_since(&call, minimum).map_err(|refusal| refusal.code)
        };
        assert_eq!(code("/v1.40/containers/json").unwrap_err(), RefusalCode::ApiVersion);
        for uri in ["/v1.41/containers/json", "/containers/json", "/v1.55/containers/json"] {
            assert!(code(uri).is_ok(), "{uri}");
        }
    }
}
