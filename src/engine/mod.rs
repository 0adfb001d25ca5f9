//! The Engine API as dockerd reads it: a call in, the list of what it needs out; pure, and knows no users.

use std::collections::BTreeMap;

use crate::authz::{Action, Requirements, Resource};

mod anchors;
mod body;
mod classify;
mod conformance;
#[cfg(test)]
pub(crate) mod corpora;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod hostpath;
mod json;
mod labels;
mod matching;
mod properties;
mod query;
mod readers;
mod recognise;
mod reference;
mod routes;
mod uri;

pub use anchors::anchors;
pub use body::Body;
pub use classify::{classify, classify_since};
use json::Json;
pub(crate) use labels::{is_field, is_reserved_label};
pub use recognise::{Recognised, recognise};
pub use uri::ApiVersion;

/// The canonical form of an image's name as the daemon lists it; `None` for what is no name, such as `<none>:<none>`.
pub fn canonical_image(text: &str) -> Option<String> {
    reference::parse(text).ok().map(|name| name.canonical())
}

/// Whether mounting the host path gives the host away; the path without links and in its one spelling.
pub fn is_sensitive_path(path: &str) -> bool {
    hostpath::is_sensitive(path)
}

/// One Engine API call, as the question or the gateway shows it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The HTTP method, as sent.
    pub method: &'a str,
    /// The raw request target: undecoded, with its query, possibly in absolute form.
    pub uri: &'a str,
    /// Canonical header names (`Content-Type`) with one value each.
    pub headers: &'a BTreeMap<String, String>,
    /// The body's bytes; `None` where the door did not show any.
    pub body: Option<&'a [u8]>,
    /// Which door the call came through, and so how far its parts can be trusted.
    pub door: Door,
}

/// Where a call was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Only in dockerd's question: what dockerd does not show could still be there.
    Plugin,
    /// In our own gateway first, which refuses what the plugin could not see.
    Gateway,
}

/// What a call is and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The operation, which is also the action of the first requirement.
    pub operation: Action,
    /// The docker command line that people know it by, such as `docker ps`.
    pub verb: &'static str,
    /// What the call acts on, for the record.
    pub object: Resource,
    /// Everything that must be granted.
    pub requirements: Requirements,
}

/// Why a call is denied before any policy is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// A stable word for scripts, such as `unclassified` or `body-missing`.
    pub code: RefusalCode,
    /// What was wrong, and what to do, for the user; holds no secret and no control character.
    pub message: String,
    /// The operation, where the route was recognised.
    pub operation: Option<Action>,
}

impl Refusal {
    /// A refusal before the operation is known; what could steer a terminal is replaced in the
    /// message, and an overlong one is cut, so that what a caller sent can be quoted in it.
    pub(crate) fn new(code: RefusalCode, message: impl AsRef<str>) -> Self {
        let mut characters = message.as_ref().chars();
        let mut shown: String = characters.by_ref().take(MESSAGE_LIMIT).map(harmless).collect();
        if characters.next().is_some() {
            shown.push('…');
        }
        Self { code, message: shown, operation: None }
    }
}

/// Replaces control characters, and the marks that change the direction of text or are not seen.
pub(crate) fn harmless(c: char) -> char {
    let unseen =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    if c.is_control() || unseen { char::REPLACEMENT_CHARACTER } else { c }
}

/// The longest message, in characters, that a user is shown.
const MESSAGE_LIMIT: usize = 500;

macro_rules! refusal_codes {
    ($($variant:ident $name:literal $summary:literal;)*) => {
        /// Why a call was refused; the set grows, the words never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum RefusalCode { $(#[doc = $summary] $variant,)* }

        impl RefusalCode {
            /// Every code.
            pub const ALL: &'static [RefusalCode] = &[$(RefusalCode::$variant,)*];

            /// The stable word.
            pub const fn name(self) -> &'static str {
                match self { $(RefusalCode::$variant => $name,)* }
            }

            /// What it means.
            pub const fn summary(self) -> &'static str {
                match self { $(RefusalCode::$variant => $summary,)* }
            }
        }
    };
}

refusal_codes! {
    Unclassified    "unclassified"     "no known operation: the route, method or value is not one that this version knows";
    UriAmbiguous    "uri-ambiguous"    "the request target could be read in two ways";
    ApiVersion      "api-version"      "the API version is too old, or not a version";
    QueryAmbiguous  "query-ambiguous"  "a query parameter is repeated, undecodable or could be read in two ways";
    QueryInvalid    "query-invalid"    "a query parameter has a value that cannot be understood";
    BodyMissing     "body-missing"     "the call needs its body judged, and none was shown";
    BodyUnexpected  "body-unexpected"  "the call takes no body, and one was announced";
    BodyForm        "body-form"        "a form body could override the query unseen";
    BodyAmbiguous   "body-ambiguous"   "the body could be read in two ways";
    BodyInvalid     "body-invalid"     "the body is not what the operation takes";
    LabelReserved   "label-reserved"   "a label of the gateway's own was set by the client";
    Transport       "transport"        "the gateway does not take calls that are sent in this way";
    ReferenceInvalid "reference-invalid" "an image reference that the daemon would not accept";
}
