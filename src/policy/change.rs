//! A change of the policy: what is asked for, what it would make of the policy, and what it is about.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;

use super::document::Document;
use super::statement::Statement;
use super::{EditError, EditRequest, Flaw, Loaded, MODEL, PolicyError, diff, lint, load};
use crate::authz::{Action, Grant, Principal, Requirement, Requirements, Resource};
use crate::store::StoreError;

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The version that it starts from; `None` is whatever is newest.
    pub base: Option<u64>,
    /// The change.
    pub change: What,
}

/// The three ways to change a policy.
#[derive(Clone, Debug)]
pub enum What {
    /// Small changes, all of them or none.
    Edits(Vec<EditRequest>),
    /// A whole new text.
    Text(String),
    /// The text of an earlier version; 0 is the shipped policy.
    Version(u64),
}

/// A change that was worked out and checked, and is not yet in force.
#[derive(Debug)]
pub struct Prepared {
    pub(super) base: u64,
    pub(super) document: Document,
    /// The policy that it would make.
    pub loaded: Loaded,
    /// What differs: lines taken out begin with `- `, lines put in with `+ `.
    pub diff: Vec<String>,
    /// What would be hardly meant, and was not there before.
    pub flaws: BTreeSet<Flaw>,
    changed: Vec<Statement>,
}

/// Why a change is not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Somebody else changed the policy in between.
    #[error(
        "the policy is at version {current} by now, and this change was made for version {asked}: look at `wharfinger policy diff {asked} {current}`, and try again"
    )]
    Conflict {
        /// The version that the change was made for.
        asked: u64,
        /// The newest one.
        current: u64,
    },
    /// The policy is kept in a file.
    #[error(
        "the policy is the file `{}`, as the config says: change that file and run `wharfinger reload`, or take `file` out of [policy] and restart, and what it says is kept in the database from then on",
        .0.display()
    )]
    FileIsTruth(PathBuf),
    /// Without a book there is nowhere to keep a change.
    #[error("this policy is only read, and keeps no versions")]
    NoBook,
    /// No version has that number.
    #[error("there is no version {0}: `wharfinger policy history` lists them")]
    NoSuchVersion(u64),
    /// The new policy says what the old one says.
    #[error("that changes nothing: the policy says so already")]
    Nothing,
    /// An edit cannot be made.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The policy that it would make is not accepted.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The book cannot be read or written.
    #[error(transparent)]
    Store(StoreError),
}

/// Changes of more lines than this are about the policy as a whole.
const MOST_NAMED: usize = 200;

impl Prepared {
    pub(super) fn new(
        base: u64,
        old: &Document,
        new: Document,
        current: &Loaded,
        now: Timestamp,
    ) -> Result<Self, ChangeError> {
        if *old == new {
            return Err(ChangeError::Nothing);
        }
        let loaded = load(MODEL, &new.text())?.at(now);
        let before = lint::flaws(current);
        let flaws = lint::flaws(&loaded).difference(&before).cloned().collect();
        let diff = diff::shown(old.lines(), new.lines());
        let changed = diff::statements(old.lines(), new.lines());
        Ok(Self { base, document: new, loaded, diff, flaws, changed })
    }

    /// The version that it starts from.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// What has to be granted to whoever makes the change: roles, sets and grants each by their names.
    ///
    /// A grant needs the role to be given and the one to be given it to, both: `policy:role/developer` and
    /// `policy:user/bob`. Whoever the latter is related to by the directory is for the caller to fill in.
    pub fn requirements(&self) -> Requirements {
        let whole = Requirement::any(Action::PolicyWrite);
        if self.changed.is_empty() || self.changed.len() > MOST_NAMED {
            // Comments alone, or more than anybody names one by one.
            let mut requirements = Requirements::new(whole);
            if self.changed.iter().any(|statement| matches!(statement, Statement::Grant(_))) {
                requirements.push(Requirement::any(Action::GrantWrite));
            }
            return requirements;
        }
        let mut needed = self.changed.iter().flat_map(needs);
        let mut requirements = Requirements::new(needed.next().unwrap_or(whole));
        needed.for_each(|requirement| requirements.push(requirement));
        requirements
    }

    /// The grants that it makes, ends or changes.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.changed.iter().filter_map(|statement| match statement {
            Statement::Grant(grant) => Some(grant),
            Statement::Permission(..) | Statement::Inherits(..) | Statement::Member(..) => None,
        })
    }
}

/// What changing a line needs, by the line.
fn needs(statement: &Statement) -> Vec<Requirement> {
    let write = |name: String| Requirement::new(Action::PolicyWrite, name);
    match statement {
        Statement::Permission(role, _) => vec![write(format!("role/{role}"))],
        // Whoever could hand one role on through another would be giving it away.
        Statement::Inherits(heir, from) => vec![write(format!("role/{heir}")), write(format!("role/{from}"))],
        Statement::Member(_, set) => vec![write(format!("set/{set}"))],
        Statement::Grant(grant) => grant_needs(Action::GrantWrite, &grant.principal, &grant.role),
    }
}

/// What giving a role to somebody needs: to be allowed to give the role, and to give to that one.
pub fn grant_needs(action: Action, principal: &Principal, role: &str) -> Vec<Requirement> {
    vec![
        Requirement::new(action, format!("role/{role}")),
        Requirement::new(action, principal_name(principal)),
    ]
}

/// A principal as the name of a resource: `user/bob`, `group/devs`, `everyone`, `anonymous`.
pub fn principal_name(principal: &Principal) -> String {
    let name = match principal {
        Principal::User(name) => format!("user/{name}"),
        Principal::Group(name) => format!("group/{name}"),
        Principal::Anonymous => "anonymous".to_owned(),
        Principal::Everyone => "everyone".to_owned(),
    };
    // A name of that form means all of them to a requirement, which is the most and so the safe reading.
    if name.contains('*') { Resource::ANY.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::Timestamp;

    use super::{ChangeError, Proposal, What};
    use crate::policy::{Author, EditKind, EditRequest, PolicySource, Store};

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn store(directory: &Path) -> Store {
        Store::with_book(PolicySource::Embedded, &directory.join("policy.db"), now).unwrap()
    }

    fn grant(user: &str, role: &str) -> What {
        What::Edits(vec![EditRequest {
            principal: Some(user.to_owned()),
            role: Some(role.to_owned()),
            ..EditRequest::new(EditKind::Grant)
        }])
    }

    fn author() -> Author {
        Author { name: "carol".to_owned(), how: "test".to_owned(), reason: "ticket 7".to_owned() }
    }

    fn needed(store: &Store, change: What) -> Vec<String> {
        let prepared = store.prepare(&Proposal { base: None, change }).unwrap();
        prepared.requirements().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_change_is_a_new_version_in_force_at_once_and_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let first = store(directory.path());
        assert_eq!(first.current().number, 1);
        let prepared =
            first.prepare(&Proposal { base: Some(1), change: grant("user:bob", "viewer") }).unwrap();
        assert_eq!(prepared.diff, ["+ g, user:bob, role:viewer"]);
        let made = first.commit(prepared, &author()).unwrap();
        assert_eq!((made.number, first.current().digest.clone()), (2, made.digest.clone()));
        let versions = first.versions(None, 10).unwrap();
        assert_eq!((versions[0].author.as_str(), versions[0].reason.as_str()), ("carol", "ticket 7"));
        assert_eq!((versions[1].author.as_str(), versions[1].reason.as_str()), ("wharfinger", "first start"));
        assert_eq!(first.diff(1, 2).unwrap(), ["+ g, user:bob, role:viewer"]);
        drop(first);
        let second = store(directory.path());
        assert_eq!((second.current().number, &second.current().digest), (2, &made.digest));
        let back = second.prepare(&Proposal { base: None, change: What::Version(1) }).unwrap();
        second.commit(back, &author()).unwrap();
        assert_eq!(second.text(3).unwrap(), second.text(1).unwrap());
    }

    #[test]
    fn of_two_changes_of_one_version_the_second_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path());
        let [one, two] = ["user:a", "user:b"]
            .map(|user| store.prepare(&Proposal { base: Some(1), change: grant(user, "viewer") }).unwrap());
        store.commit(one, &author()).unwrap();
        assert!(matches!(store.commit(two, &author()), Err(ChangeError::Conflict { asked: 1, current: 2 })));
        let late = store.prepare(&Proposal { base: Some(1), change: grant("user:c", "viewer") });
        assert!(matches!(late, Err(ChangeError::Conflict { asked: 1, current: 2 })));
        let same = store.prepare(&Proposal { base: None, change: What::Text(store.text(2).unwrap()) });
        assert!(matches!(same, Err(ChangeError::Nothing)));
    }

    #[test]
    fn a_change_needs_what_it_touches() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path());
        assert_eq!(
            needed(&store, grant("user:bob", "viewer")),
            ["grant.write policy:role/viewer", "grant.write policy:user/bob"]
        );
        let permit = EditRequest {
            role: Some("viewer".to_owned()),
            action: Some("container.exec".to_owned()),
            ..EditRequest::new(EditKind::Permit)
        };
        assert_eq!(needed(&store, What::Edits(vec![permit])), ["policy.write policy:role/viewer"]);
        let text = store.text(1).unwrap();
        assert_eq!(needed(&store, What::Text(format!("{text}# more\n"))), ["policy.write policy:*"]);
        assert_eq!(
            needed(
                &store,
                What::Text(format!("{text}g, role:viewer, role:builder\ng2, image.list, set:mine\n"))
            ),
            [
                "policy.write policy:role/viewer",
                "policy.write policy:role/builder",
                "policy.write policy:set/mine"
            ]
        );
        assert_eq!(
            needed(&store, What::Text(String::new())),
            ["policy.write policy:*", "grant.write policy:*"]
        );
    }

    #[test]
    fn a_file_is_the_truth_and_what_it_says_becomes_a_version() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("policy.csv");
        std::fs::write(&file, "p, role:a, *, *, allow\n").unwrap();
        let source = PolicySource::Files { model: None, policy: file.clone() };
        let store = Store::with_book(source, &directory.path().join("policy.db"), now).unwrap();
        std::fs::write(&file, "p, role:a, *, *, allow\ng, user:x, role:a\n").unwrap();
        assert_eq!(store.reload().unwrap().number, 2);
        assert_eq!(store.reload().unwrap().number, 2);
        assert_eq!(store.diff(1, 2).unwrap(), ["+ g, user:x, role:a"]);
        let prepared = store.prepare(&Proposal { base: None, change: grant("user:b", "a") }).unwrap();
        assert!(
            matches!(store.commit(prepared, &author()), Err(ChangeError::FileIsTruth(path)) if path == file)
        );
        drop(store);
        let kept = self::store(directory.path());
        assert_eq!(kept.current().rules.grants.len(), 1, "the database goes on with what the file said");
    }

    #[test]
    fn a_grant_with_an_end_is_gone_when_that_has_come() {
        use std::sync::atomic::{AtomicI64, Ordering};
        static NOW: AtomicI64 = AtomicI64::new(1_000);
        let directory = tempfile::tempdir().unwrap();
        let clock = || Timestamp::from_second(NOW.load(Ordering::SeqCst)).unwrap();
        let store =
            Store::with_book(PolicySource::Embedded, &directory.path().join("policy.db"), clock).unwrap();
        let mut change = grant("user:bob", "viewer");
        if let What::Edits(edits) = &mut change {
            edits[0].until = Some(Timestamp::from_second(2_000).unwrap().to_string());
        }
        let prepared = store.prepare(&Proposal { base: None, change }).unwrap();
        store.commit(prepared, &author()).unwrap();
        let bob = crate::authz::Subject { user: Some("bob".to_owned()), groups: Vec::new(), roles: None };
        assert!(store.current().index.roles_of(&bob).contains(&"viewer".to_owned()));
        assert_eq!(store.ended(), []);
        NOW.store(2_000, Ordering::SeqCst);
        assert!(!store.current().index.roles_of(&bob).contains(&"viewer".to_owned()));
        assert_eq!(store.ended().len(), 1);
        assert_eq!(store.current().next_end, None);
    }

    #[test]
    fn what_a_change_brings_in_is_told_and_what_was_there_before_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path());
        let permit = |resource: &str| {
            What::Edits(vec![EditRequest {
                role: Some("new".to_owned()),
                action: Some("container.exec".to_owned()),
                resource: Some(resource.to_owned()),
                ..EditRequest::new(EditKind::Permit)
            }])
        };
        let prepared = store.prepare(&Proposal { base: None, change: permit("image:x") }).unwrap();
        let told: Vec<bool> = prepared.flaws.iter().map(|flaw| flaw.refused).collect();
        assert_eq!(told, [false, true]);
        store.commit(prepared, &author()).unwrap();
        let again = store.prepare(&Proposal { base: None, change: permit("container:x") }).unwrap();
        assert!(again.flaws.is_empty());
    }
}
