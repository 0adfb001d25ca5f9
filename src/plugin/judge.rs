//! From a question to a decision: classify, identify, look up, decide; every way out but one is a denial.

use std::sync::Arc;

use jiff::Timestamp;

use super::ticket::{Holder, Ticket};
use super::wire::Question;
use crate::authz::{Action, Cause, Decision, Denial, Subject};
use crate::directory::{Directory, DirectoryError};
use crate::engine::{self, ApiVersion, Call, Classified, Door, Refusal};
use crate::hostfs::HostFs;
use crate::identity::{Evidence, GATEWAY_HEADER, Identified, Identifier, WHOAMI_HEADER};
use crate::inventory::{Expected, Inventory};
use crate::policy::{Loaded, Store};

/// The code of a call that only asks who asks.
const WHOAMI: &str = "whoami";

/// The code of a call whose host paths could not be followed.
const HOST_PATH: &str = "host-path";

/// What was found out about a question, and the decision on it.
#[derive(Debug)]
pub(super) struct Judged {
    /// Who asks, with the groups that were looked up.
    pub subject: Subject,
    /// What the identity rests on, in words.
    pub how: String,
    /// The roles that the subject holds.
    pub roles: Vec<String>,
    /// The policy that decided.
    pub policy: Arc<Loaded>,
    /// What the call is and needs, where it could be read.
    pub classified: Option<Classified>,
    /// The operation, also of a call that was recognised and refused.
    pub operation: Option<Action>,
    /// What a permitted call is going to create or remove.
    pub expected: Option<Expected>,
    /// The decision.
    pub decision: Decision,
}

/// What a question shows of our own gateway.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    /// Nothing: the call did not come through it.
    Nothing,
    /// A good ticket.
    Ticket(Arc<Ticket>),
    /// Something that is no good ticket.
    Forgery,
}

/// Everything that a decision is made from.
#[derive(Debug)]
pub struct Judge {
    /// Evidence to user.
    pub identifier: Identifier,
    /// User to groups.
    pub directory: Arc<Directory>,
    /// Roles and grants.
    pub policy: Arc<Store>,
    /// Who created what.
    pub inventory: Arc<Inventory>,
    /// What host paths lead to.
    pub hostfs: HostFs,
    /// Calls of an older API version are refused.
    pub minimum_api_version: ApiVersion,
}

impl Judge {
    /// Finds out who asks for what, and decides; and before a call is let through, what it is going to create.
    pub(super) async fn judge(&self, question: &Question, shown: &Shown, now: Timestamp) -> Judged {
        let mut judged = self.decide(question, shown, now).await;
        if let (true, Some(classified)) = (judged.decision.lets_through(), &judged.classified) {
            let Classified { operation, object, requirements, .. } = classified;
            judged.expected = self.inventory.expect(&judged.subject, *operation, object, requirements).await;
        }
        judged
    }

    async fn decide(&self, question: &Question, shown: &Shown, now: Timestamp) -> Judged {
        // One policy version from here on, however often it is replaced meanwhile.
        let policy = self.policy.current();
        let read = read(question, shown, self.minimum_api_version);
        let evidence = Evidence {
            user: &question.user,
            auth_method: &question.user_auth_n_method,
            peer_certificates: &question.request_peer_certificates,
            headers: &question.request_headers,
            attested: match shown {
                Shown::Ticket(ticket) => match &ticket.holder {
                    Holder::Known(attested) => Some(attested),
                    Holder::Refused(_) => None,
                },
                Shown::Nothing | Shown::Forgery => None,
            },
        };
        let mut judged = Judged {
            subject: Subject::anonymous(),
            how: String::new(),
            roles: Vec::new(),
            policy: Arc::clone(&policy),
            operation: match &read {
                Ok(classified) => Some(classified.operation),
                Err(refusal) => refusal.operation,
            },
            classified: None,
            expected: None,
            decision: deny(Cause::Internal, "not decided".to_owned()),
        };
        let identified = match unusable(shown) {
            None => self.identifier.ask(evidence, now).await.map_err(|error| error.to_string()),
            Some(problem) => Err(problem),
        };
        let identified = match identified {
            Ok(identified) => identified,
            // Bad evidence is a denial and never "anonymous": a client must not choose how it is seen.
            Err(problem) => {
                "bad evidence".clone_into(&mut judged.how);
                judged.decision = deny(Cause::Identity, problem);
                return judged;
            }
        };
        judged.how = identified.how.to_string();
        let (operation, how) = (judged.operation, &mut judged.how);
        judged.subject = match subject(identified, &self.directory, operation, how).await {
            Ok(subject) => subject,
            // Without all groups a denying permission could be missed, so there is nothing to decide on.
            Err((user, error)) => {
                judged.decision = deny(cause_of(&error), format!("{user}: {error}"));
                judged.subject = Subject { user: Some(user), groups: Vec::new(), roles: None };
                return judged;
            }
        };
        judged.roles = policy.index.roles_of(&judged.subject);
        if judged.operation == Some(Action::SystemVersion) && asks_who(question) {
            judged.decision = deny(Cause::Refused(WHOAMI), who(&judged));
            return judged;
        }
        match read {
            Ok(mut classified) => {
                let (subject, needed) = (&judged.subject, &mut classified.requirements);
                self.inventory.resolve(&policy.index, subject, needed).await;
                judged.decision = match self.hostfs.settle(&policy.index, subject, needed).await {
                    Ok(()) => match shown {
                        // The gateway shows of a list only what the subject may see.
                        Shown::Ticket(_) => policy.index.decide_in_part(subject, classified.verb, needed),
                        Shown::Nothing | Shown::Forgery => {
                            policy.index.decide(subject, classified.verb, needed)
                        }
                    },
                    // What the daemon would mount is not known, so there is nothing to decide on.
                    Err(error) => deny(Cause::Refused(HOST_PATH), format!("refused: {error}")),
                };
                judged.classified = Some(classified);
            }
            // What could not be read, or could be read in two ways, is not asked of any role.
            Err(refusal) => {
                judged.decision =
                    deny(Cause::Refused(refusal.code.name()), format!("refused: {}", refusal.message));
            }
        }
        judged
    }
}

fn asks_who(question: &Question) -> bool {
    question.request_headers.keys().any(|name| name.eq_ignore_ascii_case(WHOAMI_HEADER))
}

/// What somebody is told who asks who they are: in place of dockerd's version, since a plugin cannot answer but no.
fn who(judged: &Judged) -> String {
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let (groups, roles) = (list(&judged.subject.groups), list(&judged.roles));
    format!("you are {}; groups: {groups}; roles: {roles}; known by: {}", judged.subject, judged.how)
}

/// Reads the call, from whichever door it was seen; what the gateway refuses is not read again.
fn read(question: &Question, shown: &Shown, minimum: ApiVersion) -> Result<Classified, Refusal> {
    let door = match shown {
        Shown::Ticket(ticket) => match &ticket.refusal {
            Some(refusal) => return Err(refusal.clone()),
            None => Door::Gateway,
        },
        Shown::Nothing | Shown::Forgery => Door::Plugin,
    };
    let call = Call {
        method: &question.request_method,
        uri: &question.request_uri,
        headers: &question.request_headers,
        body: question.request_body.as_deref(),
        door,
    };
    engine::classify_since(&call, minimum)
}

/// What is wrong with what was shown of the gateway, if anything is.
fn unusable(shown: &Shown) -> Option<String> {
    match shown {
        Shown::Ticket(ticket) => match &ticket.holder {
            Holder::Known(_) => None,
            Holder::Refused(problem) => Some(problem.clone()),
        },
        Shown::Nothing => None,
        Shown::Forgery => Some(format!(
            "the header `{GATEWAY_HEADER}` is not one that the gateway made for this call; connect to the gateway's socket"
        )),
    }
}

/// A denial for which no role was asked.
pub(super) fn deny(cause: Cause, message: String) -> Decision {
    Decision::Deny(Denial { cause, message, findings: Vec::new() })
}

async fn subject(
    identified: Identified,
    directory: &Directory,
    operation: Option<Action>,
    how: &mut String,
) -> Result<Subject, (String, DirectoryError)> {
    let Some(user) = identified.user else { return Ok(Subject::anonymous()) };
    // A token with roles of its own is whole: no directory has to know its user, and none could add to it.
    if identified.roles.is_some() {
        return Ok(Subject { user: Some(user), groups: identified.groups, roles: identified.roles });
    }
    // Clients negotiate their protocol by ping: a directory that is down must not change how they speak.
    if operation == Some(Action::SystemPing) {
        return Ok(Subject { user: Some(user), groups: Vec::new(), roles: None });
    }
    let looked = directory.groups(&user).await.map_err(|error| (user, error))?;
    if looked.stale {
        how.push_str("; groups as last known, since the directory cannot be asked");
    }
    let mut groups = looked.groups;
    groups.extend(identified.groups);
    groups.sort();
    groups.dedup();
    Ok(Subject { user: Some(looked.user), groups, roles: None })
}

fn cause_of(error: &DirectoryError) -> Cause {
    match error {
        DirectoryError::NoSuchUser | DirectoryError::Refused(_) => Cause::Directory,
        DirectoryError::Unavailable(_) | DirectoryError::Incomplete(_) => Cause::DirectoryUnavailable,
    }
}
