//! The record: what is written down of each decision, of each response, and of the trail itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DecisionId, Outcome};

/// The schema's number. Fields are only ever added; a change of meaning is a new number.
const SCHEMA: u16 = 1;

/// One line of the trail: an entry and its place.
///
/// Its JSON form, with the fields in this order, is what is stored and exported byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The schema's number.
    pub v: u16,
    /// The place in the trail: 1, 2, 3, … without gaps.
    pub seq: u64,
    /// What is recorded.
    #[serde(flatten)]
    pub entry: Entry,
}

impl Record {
    /// The bytes of the record of an entry at its place.
    pub(super) fn encode(seq: u64, entry: &Entry) -> serde_json::Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Borrowed<'a> {
            v: u16,
            seq: u64,
            #[serde(flatten)]
            entry: &'a Entry,
        }
        serde_json::to_vec(&Borrowed { v: SCHEMA, seq, entry })
    }

    /// The record of those bytes.
    pub fn decode(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body)
    }
}

/// What is recorded, by the phase of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Entry {
    /// A call was decided.
    Decision(Box<DecisionEntry>),
    /// A call that was let through has ended.
    Response(Box<ResponseEntry>),
    /// An administrator asked something of Wharfinger itself.
    Admin(Box<AdminEntry>),
    /// Something happened to the trail.
    System(Box<SystemEntry>),
}

/// The phase without the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A call was decided.
    Decision,
    /// A call that was let through has ended.
    Response,
    /// An administrator asked something of Wharfinger itself.
    Admin,
    /// Something happened to the trail.
    System,
}

/// A decision about one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionEntry {
    /// The id by which people refer to the decision.
    pub id: DecisionId,
    /// When it was decided.
    #[serde(with = "micros")]
    pub time: Timestamp,
    /// Who asked.
    pub actor: Actor,
    /// Where the call came in.
    pub source: Source,
    /// The operation; `None` where none was recognised.
    pub operation: Option<String>,
    /// The docker command that people know it by.
    pub verb: Option<String>,
    /// What the call acts on.
    pub object: Option<Object>,
    /// The call itself, without anything secret.
    pub http: Http,
    /// What the call needed and what decided each; empty where it did not come that far.
    pub requirements: Vec<Finding>,
    /// Permit or deny.
    pub decision: Verdict,
    /// Why a call was permitted for which a denial would have been due; the words of [`crate::authz::Mode`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Which part of the way said no, or would have: the words of [`crate::authz::Cause`].
    pub cause: Option<String>,
    /// The reader's stable word where the call was refused.
    pub code: Option<String>,
    /// The sentence that the user saw, without the id.
    pub message: Option<String>,
    /// The version of the policy that decided.
    pub policy_version: String,
    /// How long the decision took, from the question to the hand-over to the trail, in microseconds.
    pub duration_us: u64,
}

/// The end of a call that was let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseEntry {
    /// The id of this record.
    pub id: DecisionId,
    /// When dockerd reported it.
    #[serde(with = "micros")]
    pub time: Timestamp,
    /// The decision that it belongs to; `None` if it was made before the last start.
    #[serde(rename = "ref")]
    pub decision: Option<DecisionId>,
    /// Who had asked, as in the decision.
    pub user: Option<String>,
    /// The operation, as in the decision.
    pub operation: Option<String>,
    /// What the call acted on, as in the decision.
    pub object: Option<Object>,
    /// The HTTP status that dockerd reported; never inferred.
    pub status: Option<u16>,
    /// What became of the call.
    pub outcome: Outcome,
    /// The id of what the call created.
    pub created: Option<String>,
    /// From decision to end, in microseconds; of an attach or exec the length of the session.
    pub elapsed_us: Option<u64>,
}

/// What an administrator asked of Wharfinger itself, and whether it was permitted.
///
/// Of a change, the record is on disk before the change is: one that could not be made after that has a second
/// record, a denial that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminEntry {
    /// The id of this record.
    pub id: DecisionId,
    /// When it was decided.
    #[serde(with = "micros")]
    pub time: Timestamp,
    /// Who asked.
    pub actor: Actor,
    /// Where the question came in.
    pub source: Source,
    /// The first action that was needed, such as `policy.write`.
    pub operation: String,
    /// What it is about, such as `policy:role/developer`.
    pub object: Option<Object>,
    /// What was needed and what decided each; empty for root on the local socket.
    pub requirements: Vec<Finding>,
    /// Permit or deny.
    pub decision: Verdict,
    /// Which part of the way said no: the words of [`crate::authz::Cause`].
    pub cause: Option<String>,
    /// What was asked for or, where it is denied, why, in one sentence.
    pub message: String,
    /// What was changed, where something was.
    pub change: Option<Change>,
    /// The version of the policy that decided.
    pub policy_version: String,
}

/// A change of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The version before.
    pub before: String,
    /// The version after.
    pub after: String,
    /// Lines taken out begin with `- `, lines put in with `+ `; the last line says how many are left out here.
    pub diff: Vec<String>,
    /// Why, as the one who changed it said.
    pub reason: String,
}

/// Something that happened to the trail, written by the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemEntry {
    /// The id of this record.
    pub id: DecisionId,
    /// When it was noticed.
    #[serde(with = "micros")]
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
    /// The record that it is about, if one.
    #[serde(rename = "ref")]
    pub about: Option<DecisionId>,
    /// How many records it is about.
    pub count: u64,
    /// The reason, for the administrator.
    pub message: String,
}

/// What can happen to the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The recorded decision was a permit, and a denial was answered in its place.
    Withdrawn,
    /// Calls were denied without a record, because the trail could not be written.
    Gap,
    /// Records that had been written are no longer in the file.
    Lost,
}

/// Who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The canonical user name; `None` is `anonymous`.
    pub user: Option<String>,
    /// The groups of that moment.
    pub groups: Vec<String>,
    /// The roles that user and groups held.
    pub roles: Vec<String>,
    /// How the user was identified, such as `tls certificate`.
    pub how: String,
}

/// Where the call came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The door.
    pub door: Door,
}

/// The doors through which calls come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// dockerd's question.
    Plugin,
    /// Our own gateway.
    Gateway,
    /// The local admin socket.
    AdminSocket,
    /// The admin interface on a TCP address.
    AdminTcp,
    /// The socket on which everybody on the host may log in.
    LoginSocket,
}

/// What a call acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The word before the colon of a resource, such as `container`.
    pub kind: String,
    /// The name after it.
    pub name: String,
}

/// The call, as far as it may be written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    /// The method, as sent.
    pub method: String,
    /// The path, without host and query.
    pub path: String,
    /// The names of the query's parameters; never their values.
    pub query_keys: Vec<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
}

/// What decided one requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The action that was needed.
    pub action: String,
    /// The resource that it was needed on, as `kind:name`.
    pub resource: String,
    /// What the deciding permission says; `None`, as all that follows, if there is none.
    pub effect: Option<Effect>,
    /// The permission that decided.
    pub permission: Option<String>,
    /// The role that holds it.
    pub role: Option<String>,
    /// The chain from principal to that role.
    pub path: Option<String>,
}

/// What the permission that decided a requirement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// A permission allows it.
    Allow,
    /// A permission denies it, whatever else allows it.
    Deny,
}

/// Permit or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The call was let through.
    Permit,
    /// The call was denied.
    Deny,
}

impl Entry {
    /// The id of the record.
    pub const fn id(&self) -> DecisionId {
        match self {
            Self::Decision(entry) => entry.id,
            Self::Response(entry) => entry.id,
            Self::Admin(entry) => entry.id,
            Self::System(entry) => entry.id,
        }
    }

    /// When it happened.
    pub const fn time(&self) -> Timestamp {
        match self {
            Self::Decision(entry) => entry.time,
            Self::Response(entry) => entry.time,
            Self::Admin(entry) => entry.time,
            Self::System(entry) => entry.time,
        }
    }

    /// The phase.
    pub const fn phase(&self) -> Phase {
        match self {
            Self::Decision(_) => Phase::Decision,
            Self::Response(_) => Phase::Response,
            Self::Admin(_) => Phase::Admin,
            Self::System(_) => Phase::System,
        }
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

/// Times as RFC 3339 in UTC with exactly six digits of a second's fraction.
mod micros {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{time:.6}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
