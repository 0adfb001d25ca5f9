//! From a question to a decision: classify, identify, look up, decide; every way out but one is a denial.

use std::sync::Arc;

use jiff::Timestamp;

use super::wire::Question;
use crate::authz::{Action, Cause, Decision, Denial, Subject};
use crate::directory::{Directory, DirectoryError};
use crate::engine::{self, Call, Classified, Door};
use crate::identity::{Evidence, Identified, Identifier};
use crate::inventory::{Expected, Inventory};
use crate::policy::Store;

/// What was found out about a question, and the decision on it.
#[derive(Debug)]
pub(super) struct Judged {
    /// Who asks, with the groups that were looked up.
    pub subject: Subject,
    /// What the identity rests on, in words.
    pub how: String,
    /// The roles that the subject holds.
    pub roles: Vec<String>,
    /// The version of the policy that decided.
    pub policy_version: String,
    /// What the call is and needs, where it could be read.
    pub classified: Option<Classified>,
    /// The operation, also of a call that was recognised and refused.
    pub operation: Option<Action>,
    /// What a permitted call is going to create or remove.
    pub expected: Option<Expected>,
    /// The decision.
    pub decision: Decision,
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
}

impl Judge {
    /// Finds out who asks for what, and decides; and before a call is let through, what it is going to create.
    pub(super) async fn judge(&self, question: &Question, now: Timestamp) -> Judged {
        let mut judged = self.decide(question, now).await;
        if let (Decision::Permit(_), Some(classified)) = (&judged.decision, &judged.classified) {
            let Classified { operation, object, requirements, .. } = classified;
            judged.expected = self.inventory.expect(&judged.subject, *operation, object, requirements).await;
        }
        judged
    }

    async fn decide(&self, question: &Question, now: Timestamp) -> Judged {
        // One policy version from here on, however often it is replaced meanwhile.
        let policy = self.policy.current();
        let read = engine::classify(&Call {
            method: &question.request_method,
            uri: &question.request_uri,
            headers: &question.request_headers,
            body: question.request_body.as_deref(),
            door: Door::Plugin,
        });
        let evidence = Evidence {
            user: &question.user,
            auth_method: &question.user_auth_n_method,
            peer_certificates: &question.request_peer_certificates,
            headers: &question.request_headers,
        };
        let mut judged = Judged {
            subject: Subject::anonymous(),
            how: String::new(),
            roles: Vec::new(),
            policy_version: policy.digest.clone(),
            operation: match &read {
                Ok(classified) => Some(classified.operation),
                Err(refusal) => refusal.operation,
            },
            classified: None,
            expected: None,
            decision: deny(Cause::Internal, "not decided".to_owned()),
        };
        let identified = match self.identifier.ask(evidence, now).await {
            Ok(identified) => identified,
            // Bad evidence is a denial and never "anonymous": a client must not choose how it is seen.
            Err(error) => {
                "bad evidence".clone_into(&mut judged.how);
                judged.decision = deny(Cause::Identity, error.to_string());
                return judged;
            }
        };
        judged.how = identified.how.to_string();
        judged.subject = match subject(identified, &self.directory, judged.operation).await {
            Ok(subject) => subject,
            // Without all groups a denying permission could be missed, so there is nothing to decide on.
            Err((user, error)) => {
                judged.decision = deny(cause_of(&error), format!("{user}: {error}"));
                judged.subject = Subject { user: Some(user), groups: Vec::new() };
                return judged;
            }
        };
        judged.roles = policy.index.roles_of(&judged.subject);
        match read {
            Ok(mut classified) => {
                self.inventory.resolve(&policy.index, &judged.subject, &mut classified.requirements).await;
                judged.decision =
                    policy.index.decide(&judged.subject, classified.verb, &classified.requirements);
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

/// A denial for which no role was asked.
pub(super) fn deny(cause: Cause, message: String) -> Decision {
    Decision::Deny(Denial { cause, message, findings: Vec::new() })
}

async fn subject(
    identified: Identified,
    directory: &Directory,
    operation: Option<Action>,
) -> Result<Subject, (String, DirectoryError)> {
    let Some(user) = identified.user else { return Ok(Subject::anonymous()) };
    // Clients negotiate their protocol by ping: a directory that is down must not change how they speak.
    if operation == Some(Action::SystemPing) {
        return Ok(Subject { user: Some(user), groups: Vec::new() });
    }
    let looked = directory.groups(&user).await.map_err(|error| (user, error))?;
    let mut groups = looked.groups;
    groups.extend(identified.groups);
    groups.sort();
    groups.dedup();
    Ok(Subject { user: Some(looked.user), groups })
}

fn cause_of(error: &DirectoryError) -> Cause {
    match error {
        DirectoryError::NoSuchUser | DirectoryError::Refused(_) => Cause::Directory,
        DirectoryError::Unavailable(_) | DirectoryError::Incomplete(_) => Cause::DirectoryUnavailable,
    }
}
