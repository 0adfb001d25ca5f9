//! Sight: which things a subject may see, by the permissions to list them and to inspect them.

use super::pattern::Relation;
use super::{Action, Effect, Kind, Meaning, Named, Owner, Pattern, Resource, Subject};

/// What lists the things of a kind, and what reads one of them.
#[rustfmt::skip]
const VIEWS: &[(Kind, &[Action])] = &[
    (Kind::Container, &[Action::ContainerList, Action::ContainerInspect]),
    (Kind::Exec,      &[Action::ExecInspect]),
    (Kind::Image,     &[Action::ImageList,     Action::ImageInspect]),
    (Kind::Volume,    &[Action::VolumeList,    Action::VolumeInspect]),
    (Kind::Network,   &[Action::NetworkList,   Action::NetworkInspect]),
    (Kind::Plugin,    &[Action::PluginList,    Action::PluginInspect]),
    (Kind::Node,      &[Action::NodeList,      Action::NodeInspect]),
    (Kind::Service,   &[Action::ServiceList,   Action::ServiceInspect]),
    (Kind::Task,      &[Action::TaskList,      Action::TaskInspect]),
    (Kind::Secret,    &[Action::SecretList,    Action::SecretInspect]),
    (Kind::Config,    &[Action::ConfigList,    Action::ConfigInspect]),
];

/// Lists of which a part can be granted.
const LISTS: &[Action] = &[
    Action::ContainerList,
    Action::ImageList,
    Action::VolumeList,
    Action::NetworkList,
    Action::PluginList,
    Action::NodeList,
    Action::ServiceList,
    Action::TaskList,
    Action::SecretList,
    Action::ConfigList,
];

/// What a subject may see, by one policy version.
///
/// A thing is visible if its list or its inspection is granted for one of its names, and neither is denied for any.
#[derive(Clone, Debug)]
pub struct Sight {
    subject: Subject,
    views: Vec<(Kind, Vec<Held>)>,
    environment: Vec<Held>,
    system: Vec<Held>,
    /// What denials are only observed on: nothing is hidden there.
    observed: Vec<Held>,
}

type Held = (Effect, Pattern);

impl Sight {
    /// `held` gives the permissions that the subject holds for an action.
    pub(super) fn new(subject: &Subject, held: impl Fn(Action) -> Vec<Held>) -> Self {
        let views = VIEWS.iter().map(|(kind, actions)| {
            let of_kind = |(_, pattern): &Held| pattern.kind().is_none_or(|own| own == *kind);
            (*kind, actions.iter().flat_map(|action| held(*action)).filter(of_kind).collect())
        });
        Self {
            subject: subject.clone(),
            views: views.collect(),
            environment: held(Action::ContainerInspectEnv),
            system: held(Action::SystemInfo),
            observed: [held(Action::ModeObserve), held(Action::ModeWarn)].concat(),
        }
    }

    /// Whether the action is a list of which a part can be granted.
    pub fn is_list(action: Action) -> bool {
        LISTS.contains(&action)
    }

    /// Whether everything of a kind is visible, whatever it is called and whoever made it.
    pub fn is_whole(&self, kind: Kind) -> bool {
        whole(self.of(kind), kind) || whole(&self.observed, kind)
    }

    /// Whether nothing of a kind could be visible.
    pub fn is_blind(&self, kind: Kind) -> bool {
        !self
            .of(kind)
            .iter()
            .chain(&self.observed)
            .any(|(effect, pattern)| *effect == Effect::Allow && pattern.kind().is_none_or(|own| own == kind))
    }

    /// Whether everything is visible, the daemon's own state included.
    pub fn is_everything(&self) -> bool {
        VIEWS.iter().all(|(kind, _)| *kind == Kind::Exec || self.is_whole(*kind)) && self.sees_system()
    }

    /// Whether a thing with these names is visible.
    pub fn sees(&self, kind: Kind, named: Named, owner: Option<&Owner>) -> bool {
        let (thing, relation) = (thing(kind, named), self.subject.relation(owner));
        granted(self.of(kind), &thing, relation) || granted(&self.observed, &thing, relation)
    }

    /// Whether the environment values of a thing may be read.
    pub fn reads_environment(&self, kind: Kind, named: Named, owner: Option<&Owner>) -> bool {
        self.reads_environment_of(&thing(kind, named), owner)
    }

    /// The same of what a call names.
    pub fn reads_environment_of(&self, thing: &Resource, owner: Option<&Owner>) -> bool {
        let relation = self.subject.relation(owner);
        granted(&self.environment, thing, relation) || granted(&self.observed, thing, relation)
    }

    /// Whether the environment values of everything of a kind may be read.
    pub fn reads_every_environment(&self, kind: Kind) -> bool {
        whole(&self.environment, kind) || whole(&self.observed, kind)
    }

    /// Whether facts about the daemon itself may be read.
    pub fn sees_system(&self) -> bool {
        let sees = |held| granted(held, &Resource::any(Kind::System), Relation::Other);
        sees(&self.system) || sees(&self.observed)
    }

    fn of(&self, kind: Kind) -> &[Held] {
        self.views.iter().find(|(of, _)| *of == kind).map_or(&[], |(_, held)| held)
    }
}

fn whole(held: &[Held], kind: Kind) -> bool {
    let mut of_kind = held.iter().filter(|(_, pattern)| pattern.kind().is_none_or(|own| own == kind));
    let denied = of_kind.clone().any(|(effect, _)| *effect == Effect::Deny);
    !denied && of_kind.any(|(_, pattern)| pattern.is_all_of(kind))
}

fn thing(kind: Kind, named: Named) -> Resource {
    // The name decides nothing beside what it means; it must only not be `*`.
    Resource { meaning: Meaning::of(vec![named]), ..Resource::new(kind, "") }
}

fn granted(held: &[Held], thing: &Resource, relation: Relation) -> bool {
    let concerns = |pattern: &Pattern| pattern.concerns(thing, relation);
    let covers = |pattern: &Pattern| pattern.covers(thing, relation);
    !held.iter().any(|(effect, pattern)| *effect == Effect::Deny && concerns(pattern))
        && held.iter().any(|(effect, pattern)| *effect == Effect::Allow && covers(pattern))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::authz::{
        Actions, Decision, Grant, Index, Permission, Principal, Requirement, Requirements, Rules,
    };

    fn index(permissions: &[(Effect, Action, &str)]) -> Index {
        let permission = |(effect, action, pattern): &(Effect, Action, &str)| Permission {
            actions: Actions::One(*action),
            resource: Pattern::parse(pattern).unwrap(),
            effect: *effect,
        };
        Index::new(&Rules {
            permissions: permissions.iter().map(|held| ("r".to_owned(), permission(held))).collect(),
            grants: vec![Grant::new(Principal::Everyone, "r")],
            ..Rules::default()
        })
        .unwrap()
    }

    fn user(name: &str) -> Subject {
        Subject { user: Some(name.to_owned()), groups: Vec::new(), roles: None }
    }

    fn owner(name: &str) -> Arc<Owner> {
        Arc::new(Owner { user: name.to_owned(), groups: Vec::new() })
    }

    /// The first is the ID.
    fn named(names: &[&str]) -> Named {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Named { names: owned(&names[1..]), ids: owned(&names[..1]), others: Vec::new() }
    }

    const LIST: (Effect, Action) = (Effect::Allow, Action::ContainerList);

    #[test]
    fn a_thing_is_seen_by_its_name_its_id_or_its_owner() {
        let index = index(&[
            (LIST.0, LIST.1, "container:web-*"),
            (Effect::Allow, Action::ContainerInspect, "container:@own"),
        ]);
        let sight = index.sight(&user("alice"));
        let sees = |names: &[&str], by: Option<&str>| {
            sight.sees(Kind::Container, named(names), by.map(owner).as_deref())
        };
        assert!(sees(&["ab12", "web-1"], None));
        assert!(sees(&["ab12", "db"], Some("alice")));
        assert!(!sees(&["ab12", "db"], Some("bob")));
        assert!(!sees(&["ab12", "db"], None));
        assert!(!sight.sees(Kind::Volume, named(&["web-1"]), Some(&owner("alice"))));
    }

    #[test]
    fn a_denial_of_one_name_hides_the_thing_whichever_of_the_two_is_denied() {
        for action in [Action::ContainerList, Action::ContainerInspect] {
            let index = index(&[(LIST.0, LIST.1, "*"), (Effect::Deny, action, "container:prod-*")]);
            let sight = index.sight(&user("alice"));
            assert!(sight.sees(Kind::Container, named(&["ab12", "web"]), None));
            assert!(!sight.sees(Kind::Container, named(&["ab12", "prod-1"]), None));
            assert!(!sight.is_whole(Kind::Container));
        }
    }

    #[test]
    fn a_kind_is_seen_whole_in_part_or_not_at_all() {
        let index =
            index(&[(LIST.0, LIST.1, "container:*"), (Effect::Allow, Action::VolumeList, "volume:@own")]);
        let sight = index.sight(&user("alice"));
        let seen = |kind| (sight.is_whole(kind), sight.is_blind(kind));
        assert_eq!(seen(Kind::Container), (true, false));
        assert_eq!(seen(Kind::Volume), (false, false));
        assert_eq!(seen(Kind::Network), (false, true));
        assert!(!sight.is_everything());
    }

    #[test]
    fn a_list_is_permitted_in_part_only_where_the_answer_is_filtered() {
        let list = Requirements::new(Requirement::any(Action::ContainerList));
        let decided = |permissions: &[(Effect, Action, &str)], subject: &Subject| {
            let index = index(permissions);
            assert!(matches!(index.decide(subject, "docker ps", &list), Decision::Deny(_)));
            match index.decide_in_part(subject, "docker ps", &list) {
                Decision::PermitInPart(findings) => findings[0].decided_by.clone().unwrap().permission,
                Decision::Permit(_) => "all".to_owned(),
                Decision::Deny(denial) | Decision::Observe(_, denial) => denial.message,
            }
        };
        let own = (LIST.0, LIST.1, "container:@own");
        let nothing = "may not container.list (docker ps): no role that";
        assert_eq!(decided(&[own], &user("alice")), "allow container.list container:@own");
        assert_eq!(
            decided(&[own], &Subject::anonymous()),
            format!("anonymous {nothing} anonymous holds grants it")
        );
        assert_eq!(
            decided(&[(Effect::Allow, Action::ContainerInspect, "*")], &user("alice")),
            format!("alice {nothing} alice holds grants it")
        );
        let denied = (Effect::Deny, Action::ContainerList, "container:prod-*");
        assert_eq!(decided(&[(LIST.0, LIST.1, "*"), denied], &user("alice")), "allow container.list *");
        assert_eq!(
            decided(&[own, (Effect::Deny, Action::ContainerList, "container:*")], &user("alice")),
            "alice may not container.list (docker ps): role `r` denies it"
        );
    }

    #[test]
    fn nothing_is_hidden_where_denials_are_only_observed() {
        let index = index(&[
            (LIST.0, LIST.1, "container:@own"),
            (Effect::Deny, Action::ContainerInspect, "container:prod-*"),
            (Effect::Allow, Action::ModeObserve, "container:*"),
        ]);
        let sight = index.sight(&user("alice"));
        assert!(sight.is_whole(Kind::Container));
        assert!(sight.sees(Kind::Container, named(&["ab12", "prod-1"]), None));
        assert!(sight.reads_environment(Kind::Container, named(&["ab12"]), None));
        assert!(sight.is_blind(Kind::Volume));
    }

    #[test]
    fn nothing_but_lists_is_permitted_in_part() {
        let prune = Requirements::new(Requirement::any(Action::ContainerPrune));
        let index = index(&[(Effect::Allow, Action::ContainerPrune, "container:@own")]);
        let decision = index.decide_in_part(&user("alice"), "docker container prune", &prune);
        assert!(matches!(decision, Decision::Deny(_)));
    }

    #[test]
    fn every_list_and_every_inspection_of_a_kind_is_in_the_table() {
        for action in Action::ALL {
            let viewed =
                VIEWS.iter().any(|(kind, actions)| *kind == action.kind() && actions.contains(action));
            let (noun, verb) = action.name().split_once('.').unwrap();
            let view = matches!(verb, "list" | "inspect")
                && !matches!(noun, "swarm" | "distribution" | "checkpoint" | "token");
            assert_eq!(viewed, view, "{action}");
            assert_eq!(Sight::is_list(*action), view && verb == "list", "{action}");
        }
    }
}
