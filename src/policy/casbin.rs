//! Casbin, in this one file: it holds the role model, hands out its lines, and is the oracle of the compiled index.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use casbin::function_map::OperatorFunction;
use casbin::rhai::Dynamic;
use casbin::{Adapter, CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};

use super::csv::{Line, Section};
use super::{MODEL, PolicyError, statement};
use crate::authz::{Effect, Pattern, Relation, Resource, Rules};

/// A policy as Casbin holds it.
pub(super) struct RoleModel(Enforcer);

impl RoleModel {
    /// Gives Casbin the shipped model and lines that were read and understood before.
    ///
    /// Casbin drops lines that stand twice, and keeps the order of the others.
    pub(super) fn load(lines: &[Line]) -> Result<Self, PolicyError> {
        let mut adapter = MemoryAdapter::default();
        for line in lines {
            let (section, key) = line.section.keys();
            run(adapter.add_policy(section, key, line.fields.clone()))?;
        }
        let model = run(DefaultModel::from_str(MODEL))?;
        let mut enforcer = run(Enforcer::new_raw(model, adapter))?;
        enforcer.add_function("resourceMatch", OperatorFunction::Arg3(resource_match));
        run(enforcer.load_policy())?;
        Ok(Self(enforcer))
    }

    /// What the lines say, in their order.
    pub(super) fn rules(&self) -> Result<Rules, PolicyError> {
        let mut rules = Rules::default();
        for (section, lines) in [
            (Section::P, self.0.get_policy()),
            (Section::G, self.0.get_grouping_policy()),
            (Section::G2, self.0.get_named_grouping_policy("g2")),
        ] {
            for fields in lines {
                let statement = statement::statement(section, &fields)
                    .map_err(|(_, message)| PolicyError::Casbin(message))?;
                statement::add(&mut rules, statement);
            }
        }
        Ok(rules)
    }
}

impl Section {
    /// Casbin's names of the section and of the definition in it.
    pub(super) const fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::P => ("p", "p"),
            Self::G => ("g", "g"),
            Self::G2 => ("g", "g2"),
        }
    }
}

/// `resourceMatch(r.obj, p.obj, p.eft)`: whether a permission is about a resource.
fn resource_match(object: Dynamic, pattern: Dynamic, effect: Dynamic) -> Dynamic {
    let [object, pattern, effect] =
        [object, pattern, effect].map(|value| value.into_string().unwrap_or_default());
    matches(&object, &pattern, &effect).into()
}

fn matches(object: &str, pattern: &str, effect: &str) -> bool {
    let deny = effect != Effect::Allow.to_string();
    let (Some((relation, resource)), Ok(pattern)) = (read_object(object), Pattern::parse(pattern)) else {
        // What cannot be read is not allowed, and is denied where a permission denies.
        return deny;
    };
    if deny { pattern.concerns(&resource, relation) } else { pattern.covers(&resource, relation) }
}

/// The resource behind the word for how its creator relates to the subject, as in `own container:web`.
fn read_object(object: &str) -> Option<(Relation, Resource)> {
    let (relation, resource) = object.split_once(' ')?;
    let relation = match relation {
        "own" => Relation::Own,
        "group" => Relation::Group,
        "other" => Relation::Other,
        _ => return None,
    };
    Some((relation, Resource::parse(resource)?))
}

/// Runs to its end what Casbin declares as async although nothing in it waits.
fn run<T>(future: impl Future<Output = casbin::Result<T>>) -> Result<T, PolicyError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.map_err(refused),
        Poll::Pending => Err(PolicyError::Casbin("it waits for something, which it never should".to_owned())),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
fn refused(error: casbin::Error) -> PolicyError {
    PolicyError::Casbin(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use casbin::{CoreApi, DefaultModel, DefaultRoleManager, Enforcer, MgmtApi, StringAdapter};
    use parking_lot::RwLock;
    use proptest::prelude::*;

    use super::{Line, RoleModel, matches, read_object, run};
    use crate::authz::{
        Action, Decision, Index, Kind, Owner, Principal, Relation, Requirement, Requirements, Resource,
        Subject,
    };
    use crate::policy::{MODEL, POLICY, csv, statement};

    /// The policy in Casbin, with the links from subjects to their principals that the directory gives.
    fn oracle(lines: &[Line], subjects: &[Subject]) -> RoleModel {
        let mut model = RoleModel::load(lines).unwrap();
        for subject in subjects {
            for principal in subject.principals() {
                let link = vec![name(subject), principal.to_string()];
                if link[0] != link[1] {
                    run(model.0.add_grouping_policy(link)).unwrap();
                }
            }
        }
        // Casbin's own role manager follows ten levels, and from a user to a role there are some more.
        model.0.set_role_manager(Arc::new(RwLock::new(DefaultRoleManager::new(100)))).unwrap();
        model
    }

    /// A subject of its own for Casbin, which grants reach by the links alone.
    fn name(subject: &Subject) -> String {
        format!("{subject} of {:?}", subject.groups)
    }

    fn enforce(model: &RoleModel, subject: &Subject, requirement: &Requirement) -> bool {
        let own = |owner: &Owner| subject.user.as_ref() == Some(&owner.user);
        let shared = |owner: &Owner| {
            subject.user.is_some() && owner.groups.iter().any(|group| subject.groups.contains(group))
        };
        let relation = match requirement.resource.owner.as_deref() {
            Some(owner) if own(owner) => "own",
            Some(owner) if shared(owner) => "group",
            Some(_) | None => "other",
        };
        let object = format!("{relation} {}", requirement.resource);
        model.0.enforce((name(subject), requirement.action.name(), object)).unwrap()
    }

    fn decide(index: &Index, subject: &Subject, requirement: &Requirement) -> bool {
        let requirements = Requirements::new(requirement.clone());
        matches!(index.decide(subject, "docker", &requirements), Decision::Permit(_))
    }

    const ACTIONS: [Action; 4] =
        [Action::ContainerList, Action::ContainerStart, Action::ImageUse, Action::HostMount];
    const WHAT: [&str; 9] = [
        "*",
        "container.list",
        "container.start",
        "image.use",
        "host.mount",
        "set:s0",
        "set:s1",
        "set:s2",
        "set:s3",
    ];
    const PATTERNS: [&str; 12] = [
        "*",
        "container:*",
        "container:web-*",
        "container:web-1",
        "container:@own",
        "container:@group",
        "image:docker.io/library/*",
        "image:**:1",
        "path:/srv/**",
        "path:/srv/a",
        "path:*",
        "image:@group",
    ];
    const NAMES: [(Kind, &str); 9] = [
        (Kind::Container, "*"),
        (Kind::Container, "web-1"),
        (Kind::Container, "db"),
        (Kind::Image, "docker.io/library/nginx:1"),
        (Kind::Image, "*"),
        (Kind::Path, "/srv"),
        (Kind::Path, "/srv/a"),
        (Kind::Path, "/"),
        (Kind::Path, "/srv/a/b"),
    ];
    const PRINCIPALS: [&str; 6] = ["user:u0", "user:u1", "group:g0", "group:g1", "everyone", "anonymous"];

    fn policy() -> impl Strategy<Value = String> {
        let permission = (0..5_usize, 0..WHAT.len(), 0..PATTERNS.len(), prop::bool::weighted(0.25)).prop_map(
            |(role, what, pattern, deny)| {
                let effect = if deny { "deny" } else { "allow" };
                format!("p, role:r{role}, {}, {}, {effect}\n", WHAT[what], PATTERNS[pattern])
            },
        );
        // Only from higher to lower numbers, so that nothing inherits itself.
        let inherits =
            (1..5_usize, 0..5_usize).prop_map(|(heir, n)| format!("g, role:r{heir}, role:r{}\n", n % heir));
        let grant = (0..PRINCIPALS.len(), 0..5_usize)
            .prop_map(|(who, n)| format!("g, {}, role:r{n}\n", PRINCIPALS[who]));
        let member = (1..4_usize, 0..8_usize).prop_map(|(set, n)| match n {
            n if n < 4 => format!("g2, {}, set:s{set}\n", ACTIONS[n]),
            n => format!("g2, set:s{}, set:s{set}\n", n % set),
        });
        let lines = |line: BoxedStrategy<String>, most| prop::collection::vec(line, 0..most);
        (
            lines(permission.boxed(), 10),
            lines(inherits.boxed(), 6),
            lines(grant.boxed(), 6),
            lines(member.boxed(), 8),
        )
            .prop_map(|(p, g, h, m)| {
                // Every role and every set is defined.
                let roles: Vec<String> =
                    (0..5).map(|n| format!("p, role:r{n}, system.ping, *, allow\n")).collect();
                let sets: Vec<String> = (0..4).map(|n| format!("g2, system.ping, set:s{n}\n")).collect();
                [roles.concat(), sets.concat(), p.concat(), g.concat(), h.concat(), m.concat()].concat()
            })
    }

    fn subjects() -> Vec<Subject> {
        let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        vec![
            Subject { user: Some("u0".to_owned()), groups: groups(&[]), roles: None },
            Subject { user: Some("u1".to_owned()), groups: groups(&["g0"]), roles: None },
            Subject { user: Some("u2".to_owned()), groups: groups(&["g0", "g1"]), roles: None },
            Subject::anonymous(),
        ]
    }

    fn requirement() -> impl Strategy<Value = Requirement> {
        let owner = prop::option::of((0..3_usize, 0..3_usize));
        (0..ACTIONS.len(), 0..NAMES.len(), owner).prop_map(|(action, name, owner)| {
            let (kind, name) = NAMES[name];
            let owner = owner.map(|(user, group)| {
                Arc::new(Owner { user: format!("u{user}"), groups: vec![format!("g{group}")] })
            });
            let resource = Resource { owner, ..Resource::new(kind, name) };
            Requirement { action: ACTIONS[action], resource }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
        #[test]
        fn the_compiled_index_decides_what_casbin_enforces(
            text in policy(),
            asked in prop::collection::vec(requirement(), 12),
        ) {
            let lines = csv::read(&text).unwrap();
            statement::parse(&lines).unwrap();
            let subjects = subjects();
            let model = oracle(&lines, &subjects);
            let index = Index::new(&RoleModel::load(&lines).unwrap().rules().unwrap()).unwrap();
            for subject in &subjects {
                for requirement in &asked {
                    prop_assert_eq!(
                        decide(&index, subject, requirement),
                        enforce(&model, subject, requirement),
                        "{} of {:?}: {} owned by {:?}\n{}",
                        subject, subject.groups, requirement, requirement.resource.owner, text
                    );
                }
            }
        }

        #[test]
        fn no_text_makes_the_matcher_panic(object in ".*", pattern in ".*", effect in ".*") {
            let _ = matches(&object, &pattern, &effect);
        }
    }

    #[test]
    fn casbins_own_reader_reads_the_shipped_policy_as_we_do() {
        let ours = RoleModel::load(&csv::read(POLICY).unwrap()).unwrap().0;
        let model = run(DefaultModel::from_str(MODEL)).unwrap();
        let theirs = run(Enforcer::new(model, StringAdapter::new(POLICY))).unwrap();
        assert_eq!(ours.get_policy(), theirs.get_policy());
        assert_eq!(ours.get_grouping_policy(), theirs.get_grouping_policy());
        assert_eq!(ours.get_named_grouping_policy("g2"), theirs.get_named_grouping_policy("g2"));
        assert!(ours.get_policy().len() > 100);
    }

    #[test]
    fn both_sides_of_the_comparison_see_permits_and_denials() {
        let text = "p, role:a, set:s, container:web-*, allow\np, role:b, *, container:web-2, deny\n\
                    g, role:c, role:a\ng, role:c, role:b\ng, group:g0, role:c\ng2, container.start, set:s";
        let lines = csv::read(text).unwrap();
        let subjects = subjects();
        let model = oracle(&lines, &subjects);
        let index = Index::new(&RoleModel::load(&lines).unwrap().rules().unwrap()).unwrap();
        for (subject, name, expected) in [(1, "web-1", true), (1, "web-2", false), (0, "web-1", false)] {
            let requirement = Requirement::new(Action::ContainerStart, name);
            assert_eq!(enforce(&model, &subjects[subject], &requirement), expected, "casbin, {name}");
            assert_eq!(decide(&index, &subjects[subject], &requirement), expected, "index, {name}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_never_allowed_and_always_denied() {
        for (object, pattern) in [
            ("container:web", "*"),
            ("mine container:web", "*"),
            ("own nothing", "*"),
            ("own container:web", "nothing"),
            ("", ""),
        ] {
            assert!(!matches(object, pattern, "allow"), "{object} {pattern}");
            assert!(matches(object, pattern, "deny"), "{object} {pattern}");
        }
        assert!(matches("own container:web", "container:@own", "allow"));
        assert_eq!(
            read_object("group image:a b"),
            Some((Relation::Group, Resource::new(Kind::Image, "a b")))
        );
    }

    #[test]
    fn every_principal_has_the_name_that_policies_write() {
        let names: Vec<String> = subjects()[1].principals().iter().map(Principal::to_string).collect();
        assert_eq!(names, ["everyone", "user:u1", "group:g0"]);
    }
}
