//! From a call to what it needs: target, route, body, reader, in this order, and no way around one.

use super::readers::Request;
use super::{Call, Classified, Refusal, RefusalCode, body, labels, matching, query::Query, uri};

/// Works out what a call is and everything that it needs, as the daemon would understand it.
///
/// # Errors
/// A [`Refusal`] for what is no known operation, could be read in two ways, or is not shown.
pub fn classify(call: &Call<'_>) -> Result<Classified, Refusal> {
    let target = uri::read(call.uri)?;
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
        if !matches!(route.method, "GET" | "HEAD" | "OPTIONS") {
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
