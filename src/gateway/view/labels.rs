//! Labels on what a subject creates: who, and by which decision. A hint for people and tools, and no proof.

use hyper::body::Bytes;

use super::ViewError;
use super::json;
use crate::authz::Action;
use crate::engine::{self, Recognised, Refusal};
use crate::plugin::{Holder, Ticket};

/// Who created it.
const OWNER: &str = "io.wharfinger.owner";

/// The id of the decision by which it was created.
const DECISION: &str = "io.wharfinger.decision";

/// What creates something that has labels: all of them have `Labels` at the top of the body.
const CREATES: &[Action] = &[
    Action::ContainerCreate,
    Action::VolumeCreate,
    Action::NetworkCreate,
    Action::ServiceCreate,
    Action::SecretCreate,
    Action::ConfigCreate,
];

/// The body that is forwarded in place of the one that the client sent; called for every body that is not streamed.
///
/// All but the labels stays as it was written. What is no JSON object, or has labels of another type or twice, is
/// forwarded as it is: the plugin refuses it, or the daemon.
///
/// # Errors
/// A [`Refusal`] of a client that sets a label of ours itself.
pub fn prepare(call: &Recognised, ticket: &Ticket, body: Bytes) -> Result<Bytes, Refusal> {
    let Holder::Known(attested) = &ticket.holder else { return Ok(body) };
    if !CREATES.contains(&call.operation) {
        return Ok(body);
    }
    let Ok(text) = std::str::from_utf8(&body) else { return Ok(body) };
    let labels = [(OWNER, attested.user.clone()), (DECISION, ticket.id.to_string())];
    match labelled(text, &labels) {
        Ok(Some(labelled)) => Ok(labelled.into()),
        Ok(None) => Ok(body),
        Err(refusal) => Err(Refusal { operation: Some(call.operation), ..refusal }),
    }
}

fn labelled(text: &str, labels: &[(&str, String)]) -> Result<Option<String>, Refusal> {
    let Ok(members) = json::members(text) else { return Ok(None) };
    // As Go reads keys: whatever their case.
    let mut found = members.iter().filter(|(key, _)| engine::is_field(key, "Labels"));
    let ours: Vec<String> =
        labels.iter().map(|(key, value)| format!("{}:{}", json::quoted(key), json::quoted(value))).collect();
    let ours = ours.join(",");
    let (first, second) = (found.next(), found.next());
    let Some((key, value)) = first.filter(|_| second.is_none()) else {
        return Ok(if first.is_none() {
            behind_brace(text, &format!("\"Labels\":{{{ours}}}"))
        } else {
            None
        });
    };
    if json::is_null(value) {
        return Ok(replaced(text, key, &format!("{{{ours}}}")));
    }
    let Ok(own) = json::members(value) else { return Ok(None) };
    if let Some((label, _)) = own.iter().find(|(label, _)| engine::is_reserved_label(label)) {
        return Err(Refusal::of_label(label));
    }
    Ok(behind_brace(value, &ours).and_then(|labels| replaced(text, key, &labels)))
}

fn replaced(text: &str, key: &str, value: &str) -> Option<String> {
    let edited: Result<String, ViewError> =
        json::edit_values(text, |found, _| Ok((found == key).then(|| value.to_owned())));
    edited.ok()
}

/// An object with more members at its beginning.
fn behind_brace(object: &str, members: &str) -> Option<String> {
    let (before, rest) = object.split_once('{')?;
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    Some(format!("{before}{{{members}{comma}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> [(&'static str, String); 2] {
        [(OWNER, "al\"ice".to_owned()), (DECISION, "D1".to_owned())]
    }

    #[test]
    fn our_labels_come_first_and_all_else_stays_as_it_was_written() {
        let labels = r#""io.wharfinger.owner":"al\"ice","io.wharfinger.decision":"D1""#;
        for (body, expected) in [
            (r#"{"Image":"\u0061"}"#, r#"{"Labels":{LABELS},"Image":"\u0061"}"#),
            ("{}", r#"{"Labels":{LABELS}}"#),
            (r#" { "Labels" : { "a" : "b" } , "x":1 }"#, r#" { "Labels" : {LABELS, "a" : "b" } , "x":1 }"#),
            (r#"{"labels":{}}"#, r#"{"labels":{LABELS}}"#),
            (r#"{"LABELS":null,"x":1.0}"#, r#"{"LABELS":{LABELS},"x":1.0}"#),
        ] {
            let expected = expected
                .replace("LABELS}", &format!("{labels}}}"))
                .replace("{LABELS,", &format!("{{{labels},"));
            assert_eq!(labelled(body, &ours()).unwrap().as_deref(), Some(expected.as_str()), "{body}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_goes_on_as_it_is_and_is_refused_behind() {
        for body in ["", "[]", "{", r#"{"Labels":{},"labels":{}}"#, r#"{"Labels":[]}"#, r#"{"Labels":"x"}"#] {
            assert_eq!(labelled(body, &ours()).unwrap(), None, "{body}");
        }
        assert_eq!(labelled("null", &ours()).unwrap(), None);
    }

    #[test]
    fn a_client_that_sets_a_label_of_ours_is_refused() {
        for label in ["io.wharfinger.owner", "io.wharfinger.x", "IO.Wharfinger.Owner"] {
            let body = format!(r#"{{"Labels":{{"a":"b","{label}":"root"}}}}"#);
            let refusal = labelled(&body, &ours()).unwrap_err();
            assert_eq!(
                refusal.message,
                format!(
                    "labels that begin with `io.wharfinger.` are given by wharfinger alone; leave out `{label}`"
                )
            );
        }
    }
}
