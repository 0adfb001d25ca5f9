//! Roles and grants: loading through Casbin, checking whole, and compiling for the decision.

mod book;
mod casbin;
mod change;
mod csv;
mod diff;
mod document;
mod edit;
mod error;
mod lint;
mod model;
mod source;
mod statement;
mod store;
mod text;

pub use book::{Author, FILE as BOOK_FILE, Version};
pub use change::{ChangeError, Prepared, Proposal, What, grant_needs, principal_name};
pub use edit::{EditError, EditKind, EditRequest};
pub use error::{Field, PolicyError, Problem};
pub use lint::Flaw;
pub use source::PolicySource;
pub use store::{Store, book_path, newest_in};
pub use text::to_csv;

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::authz::{Index, Rules};

/// The model that is compiled in, and the only one there is.
pub const MODEL: &str = include_str!("../../rbac/model.conf");

/// The policy that is compiled in: the shipped roles, and grants to groups of certain names.
pub const POLICY: &str = include_str!("../../rbac/policy.csv");

/// One accepted policy.
#[derive(Debug)]
pub struct Loaded {
    /// What it says, in the order of its lines.
    pub rules: Arc<Rules>,
    /// The same, compiled for deciding.
    pub index: Index,
    /// The first twelve hexadecimal digits of the SHA-256 of the policy's text: which version decided.
    pub digest: String,
    /// The version's number; 0 where no versions are kept.
    pub number: u64,
    /// When the next grant ends that is in force, in seconds since 1970.
    pub next_end: Option<i64>,
}

impl Loaded {
    /// The same at a moment: grants that have ended by then are still in the rules, and decide nothing.
    #[must_use]
    pub fn at(&self, now: jiff::Timestamp) -> Self {
        let now = now.as_second();
        let ends = self.rules.grants.iter().filter_map(|grant| grant.until);
        Self {
            rules: Arc::clone(&self.rules),
            index: self.index.at(now),
            digest: self.digest.clone(),
            number: self.number,
            next_end: ends.filter(|end| *end > now).min(),
        }
    }
}

/// Reads a policy in Casbin's CSV form, checks it whole and compiles it.
///
/// # Errors
/// Everything that is wrong with it, with the lines; nothing of a policy that is wrong anywhere is used.
pub fn load(model: &str, policy: &str) -> Result<Loaded, PolicyError> {
    model::check(model)?;
    let lines = csv::read(policy).map_err(PolicyError::Lines)?;
    let statements = statement::parse(&lines).map_err(PolicyError::Lines)?;
    let held = casbin::RoleModel::load(&lines)?;
    let rules = held.rules()?;
    let index = Index::new(&rules)
        .map_err(|error| PolicyError::Lines(vec![statement::locate(&statements, &error)]))?;
    let next_end = rules.grants.iter().filter_map(|grant| grant.until).min();
    Ok(Loaded { rules: Arc::new(rules), index, digest: digest(policy), number: 0, next_end })
}

fn digest(policy: &str) -> String {
    let mut digest = format!("{:x}", Sha256::digest(policy));
    digest.truncate(12);
    digest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MODEL, POLICY, load, to_csv};
    use crate::authz::{Action, Actions};

    fn message(policy: &str) -> String {
        load(MODEL, policy).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_policy_is_accepted_and_reads_back_what_it_writes() {
        let shipped = load(MODEL, POLICY).unwrap();
        let again = load(MODEL, &to_csv(&shipped.rules)).unwrap();
        assert_eq!(again.rules, shipped.rules);
        assert_eq!(shipped.digest.len(), 12);
        assert_ne!(again.digest, shipped.digest, "the digest is of the text");
    }

    #[test]
    fn what_is_wrong_with_the_rules_as_a_whole_is_said_with_the_line() {
        let not = "the policy is not accepted:\n  ";
        for (policy, expected) in [
            (
                "p, role:developer, *, *, allow\n\ng, user:alice, role:develper",
                "line 3, role: role `develper` is granted or inherited, but holds no permission and inherits nothing; \
                 did you mean `developer`?",
            ),
            (
                "g, role:a, role:b\ng, role:c, role:a\ng, role:b, role:a",
                "line 1, role: roles inherit each other in a circle: a > b > a",
            ),
            (
                "g2, set:a, set:b\ng2, set:b, set:a",
                "line 1, set: action sets contain each other in a circle: a > b > a",
            ),
            (
                "g2, container.list, set:ps\np, role:a, set:pss, *, allow",
                "line 2, action: action set `pss` has no members; did you mean `ps`?",
            ),
            (
                "g2, *, set:all",
                "line 1, member: action set `all` cannot contain `*`: write `*` in the permission instead",
            ),
            (
                "p, role:a, container.list, *, allow\np, role:a, *, *, no",
                "line 2, effect: `no` is neither `allow` nor `deny`",
            ),
        ] {
            assert_eq!(message(policy), format!("{not}{expected}"));
        }
        let deep: Vec<String> = (0..11).map(|n| format!("g, role:r{}, role:r{n}\n", n + 1)).collect();
        assert_eq!(
            message(&format!("p, role:r0, *, *, allow\n{}", deep.concat())),
            format!(
                "{not}line 11, holder: role `r10` inherits over more than 7 levels: some tools of Casbin's do not follow it that far"
            )
        );
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_reads_back_what_it_writes_and_nothing_panics(
            lines in prop::collection::vec(
                "(p|g|g2|), ?(role:[a-c]|user:.{0,3}|everyone|set:[ab]|container\\.list|.{0,4}), ?\
                 (role:[a-c]|set:[ab]|\\*|.{0,4})(, ?(\\*|container:.{0,4}|.{0,4}), ?(allow|deny|.{0,2}))?",
                0..4,
            ),
        ) {
            let text = lines.join("\n");
            if let Ok(loaded) = load(MODEL, &text) {
                prop_assert_eq!(load(MODEL, &to_csv(&loaded.rules)).unwrap().rules, loaded.rules);
            }
            prop_assert!(load(&text, "").is_err());
        }
    }

    #[test]
    fn an_empty_policy_is_accepted_and_grants_nothing() {
        assert_eq!(*load(MODEL, "").unwrap().rules, crate::authz::Rules::default());
    }

    #[test]
    fn lines_that_stand_twice_count_once() {
        let policy = "p, role:a, *, *, allow\np, role:a, *, *, allow\ng, user:a, role:a\ng, user:a, role:a";
        let rules = load(MODEL, policy).unwrap().rules;
        assert_eq!((rules.permissions.len(), rules.grants.len()), (1, 1));
    }

    /// Actions that no docker command needs and no role but `admin` holds.
    const ADMIN_ONLY: &[(Action, &str)] = &[
        (Action::SystemDebug, "profiles of the daemon show its memory, and slow it down"),
        (Action::SystemOptions, "nobody asks"),
        (Action::PolicyWrite, "who changes roles holds everything"),
        (Action::GrantWrite, "who grants roles holds everything"),
        (Action::TokenIssue, "who issues tokens is everybody"),
        (Action::TokenList, "names of people and what they use tokens for"),
        (Action::TokenRevoke, "who revokes tokens locks others out"),
        (Action::TokenRotateKey, "goes with issuing"),
        (Action::GrantElevate, "who may take which role is decided by the administrator of a host"),
        (Action::GrantRequest, "the same"),
        (Action::GrantApprove, "the same"),
        (Action::ModeObserve, "a trial is set up by hand"),
        (Action::ModeWarn, "the same"),
    ];

    #[test]
    fn every_action_belongs_to_a_set_or_a_role_or_to_the_admin_alone() {
        let rules = load(MODEL, POLICY).unwrap().rules;
        let in_sets = rules.sets();
        for action in Action::ALL {
            let in_set = in_sets.values().any(|set| set.contains(action));
            let in_role = rules.permissions.iter().any(|(_, p)| p.actions == Actions::One(*action));
            let admin_only = ADMIN_ONLY.iter().any(|(only, _)| only == action);
            assert_eq!(
                in_set || in_role,
                !admin_only,
                "`{action}`: in a set {in_set}, in a role {in_role}, for the admin only {admin_only}"
            );
        }
    }
}
