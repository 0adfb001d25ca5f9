//! Which bodies a route may have, and what may be believed about one that is not shown.

use super::json::{self, Json};
use super::{Call, Door, Refusal, RefusalCode};

/// What the daemon expects as a route's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// The method is one for which the daemon looks at no body.
    Unread,
    /// There must be none.
    Empty,
    /// JSON that decides what the call does.
    Json,
    /// As [`Body::Json`], or nothing at all.
    JsonOrEmpty,
    /// Nothing at all, or JSON that says nothing about what the call does.
    Ignored,
    /// A stream, such as a tar archive, which no door shows.
    Archive,
    /// A user's password, which no door shows and nobody looks at.
    Credentials,
}

/// What is known of a call's body once the route's rule was applied.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// The body where the route reads JSON; [`Json::Null`] for none.
    pub(super) json: Json,
    /// Whether no form can hide in the body, whose values the daemon would prefer to the query's.
    pub(super) query_holds: bool,
}

/// Applies a route's rule to a call.
///
/// The route alone decides how a body is read, as in the daemon; of the Content-Type only a form
/// counts, which the daemon would read instead of the query.
pub(super) fn read(rule: Body, call: &Call<'_>) -> Result<Shown, Refusal> {
    refuse_form(call)?;
    let announced = call.headers.get("Content-Length").map(String::as_str);
    let bytes = call.body.unwrap_or_default();
    let nothing = bytes.is_empty() && announced == Some("0");
    // dockerd shows a body only if the first of its Content-Types, the one it obeys, is JSON.
    let query_holds = call.door == Door::Gateway || nothing || !bytes.is_empty();
    let json = match rule {
        Body::Unread | Body::Archive | Body::Credentials => Json::Null,
        Body::Empty | Body::JsonOrEmpty | Body::Ignored if nothing => Json::Null,
        Body::Ignored if !bytes.is_empty() => Json::Null,
        // Fail closed: with a second Content-Type even a form could be in what is not shown.
        Body::Empty | Body::Ignored => return Err(unexpected()),
        Body::Json | Body::JsonOrEmpty => whole(bytes, announced)?,
    };
    Ok(Shown { json, query_holds })
}

/// Refuses form bodies on every route, by a test that is broader than Go's parser is.
fn refuse_form(call: &Call<'_>) -> Result<(), Refusal> {
    let Some(kind) = call.headers.get("Content-Type") else { return Ok(()) };
    let lower = kind.to_ascii_lowercase();
    // Go's lower-casing makes ASCII letters of some others, so nothing but ASCII is compared.
    if !kind.is_ascii() || lower.contains("x-www-form-urlencoded") || lower.contains("multipart/") {
        return Err(Refusal::new(
            RefusalCode::BodyForm,
            format!(
                "a body of type `{kind}` could override the query unseen; \
                 send the parameters in the query alone"
            ),
        ));
    }
    Ok(())
}

/// How many bytes may be missing at the end of a JSON value that is complete without them.
///
/// The daemon's decoder stops at the end of the value, so nothing behind it can change what it
/// means; more than a line's end, though, is a sign of a body that was withheld.
const SLACK: usize = 4;

/// Reads a body that is all there; an absent or shortened one is refused.
fn whole(bytes: &[u8], announced: Option<&str>) -> Result<Json, Refusal> {
    if bytes.is_empty() {
        return Err(missing(
            "the body decides what this call does, and the daemon showed none: send one as \
             `Content-Type: application/json` of at most 1 MiB, or update the Docker Engine, \
             for older ones hide chunked and large bodies",
        ));
    }
    let Some(announced) = announced else { return json::read(bytes) };
    let shown = bytes.len();
    let short = |wanted| {
        missing(format!("only {shown} of the body's {wanted} bytes were shown; send the call again"))
    };
    match announced.parse::<usize>() {
        Ok(wanted) if wanted == shown => json::read(bytes),
        Ok(wanted) if wanted > shown && wanted - shown <= SLACK => {
            json::read(bytes).map_err(|_| short(wanted))
        }
        Ok(wanted) if wanted > shown => Err(short(wanted)),
        Ok(_) | Err(_) => Err(Refusal::new(
            RefusalCode::BodyAmbiguous,
            format!("the body has {shown} bytes, but its Content-Length is `{announced}`"),
        )),
    }
}

fn missing(message: impl AsRef<str>) -> Refusal {
    Refusal::new(RefusalCode::BodyMissing, message)
}

fn unexpected() -> Refusal {
    Refusal::new(
        RefusalCode::BodyUnexpected,
        "this call takes no body, and one could be hidden in it; send it with `Content-Length: 0`",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn outcome(
        rule: Body,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
        door: Door,
    ) -> Result<bool, &'static str> {
        let headers: BTreeMap<String, String> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let call = Call { method: "POST", uri: "/", headers: &headers, body, door };
        read(rule, &call).map(|shown| shown.query_holds).map_err(|refusal| refusal.code.name())
    }

    #[test]
    fn a_route_without_a_body_wants_to_see_that_there_is_none() {
        assert_eq!(outcome(Body::Empty, &[("Content-Length", "0")], None, Door::Plugin), Ok(true));
        assert_eq!(outcome(Body::Empty, &[], None, Door::Plugin), Err("body-unexpected"));
        assert_eq!(outcome(Body::Empty, &[], Some(b"{}"), Door::Plugin), Err("body-unexpected"));
        assert_eq!(
            outcome(Body::Empty, &[("Content-Length", "00")], None, Door::Plugin),
            Err("body-unexpected")
        );
    }

    #[test]
    fn a_json_route_wants_its_whole_body() {
        assert_eq!(outcome(Body::Json, &[], Some(b"{}"), Door::Plugin), Ok(true));
        assert_eq!(outcome(Body::Json, &[("Content-Length", "2")], Some(b"{}"), Door::Plugin), Ok(true));
        assert_eq!(outcome(Body::Json, &[("Content-Length", "3")], Some(b"{}"), Door::Plugin), Ok(true));
        assert_eq!(
            outcome(Body::Json, &[("Content-Length", "3")], Some(b"{\""), Door::Plugin),
            Err("body-missing")
        );
        assert_eq!(
            outcome(Body::Json, &[("Content-Length", "7")], Some(b"{}"), Door::Plugin),
            Err("body-missing")
        );
        assert_eq!(
            outcome(Body::Json, &[("Content-Length", "1")], Some(b"{}"), Door::Plugin),
            Err("body-ambiguous")
        );
        assert_eq!(outcome(Body::Json, &[("Content-Length", "0")], None, Door::Plugin), Err("body-missing"));
        assert_eq!(outcome(Body::JsonOrEmpty, &[("Content-Length", "0")], None, Door::Plugin), Ok(true));
        assert_eq!(outcome(Body::JsonOrEmpty, &[], None, Door::Plugin), Err("body-missing"));
    }

    #[test]
    fn the_query_of_a_stream_holds_only_where_the_gateway_or_an_empty_body_vouches_for_it() {
        assert_eq!(outcome(Body::Archive, &[], None, Door::Plugin), Ok(false));
        assert_eq!(outcome(Body::Archive, &[], None, Door::Gateway), Ok(true));
        assert_eq!(outcome(Body::Archive, &[("Content-Length", "0")], None, Door::Plugin), Ok(true));
    }

    #[test]
    fn forms_are_refused_in_every_spelling() {
        for kind in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-URLencoded ; charset=utf-8",
            "multipart/form-data; boundary=x",
            "text/plain, multipart/form-data",
            "appl\u{130}cation/x-www-form-urlencoded",
        ] {
            assert_eq!(
                outcome(Body::Unread, &[("Content-Type", kind)], None, Door::Gateway),
                Err("body-form"),
                "{kind}"
            );
        }
    }
}
