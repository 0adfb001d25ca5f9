//! Questions to a policy: what an action or a set on a resource needs, and who holds what.

use std::sync::Arc;

use crate::authz::{Action, Owner, Requirement, Requirements, Resource, Rules, Subject};

/// Why a question cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No action and no set has that name.
    #[error("`{0}` is neither an action nor an action set{1}")]
    NoAction(String, String),
    /// Not a resource.
    #[error(
        "`{0}` is not a resource: write `kind:name`, such as `container:web-1`, `container:*` or `container:@own`"
    )]
    NoResource(String),
    /// Nothing in the set is about that kind of resource.
    #[error("`{0}` is not about `{1}:…`")]
    OtherKind(String, String),
}

/// What doing `action` to `resource` needs: one requirement, or one for each action of a set.
///
/// A set is written `set:run` or `run`. Without a resource it is about all of each action's kind; with one, the
/// actions that are about its kind are asked for on it, and the others on all of theirs. `container:@own` is a
/// container that the subject created, `container:@group` one that somebody of his groups did.
pub fn needed(
    rules: &Rules,
    subject: &Subject,
    action: &str,
    resource: Option<&str>,
) -> Result<Requirements, AskError> {
    let actions = actions(rules, action)?;
    let resource = resource.filter(|text| *text != "*").map(|text| read(text, subject)).transpose()?;
    let mut about_it = false;
    let mut needed = actions.iter().map(|action| match &resource {
        Some(resource) if action.can_be_about(resource.kind) => {
            about_it = true;
            Requirement { action: *action, resource: resource.clone() }
        }
        Some(_) | None => Requirement::any(*action),
    });
    let first = needed.next().ok_or_else(|| AskError::NoAction(action.to_owned(), String::new()))?;
    let mut requirements = Requirements::new(first);
    needed.for_each(|requirement| requirements.push(requirement));
    match resource {
        Some(resource) if !about_it => {
            Err(AskError::OtherKind(action.to_owned(), resource.kind.name().to_owned()))
        }
        Some(_) | None => Ok(requirements),
    }
}

/// The actions that a word stands for.
fn actions(rules: &Rules, word: &str) -> Result<Vec<Action>, AskError> {
    if let Some(action) = Action::parse(word) {
        return Ok(vec![action]);
    }
    let name = word.strip_prefix("set:").unwrap_or(word);
    let sets = rules.sets();
    if let Some(set) = sets.get(name) {
        return Ok(set.iter().copied().collect());
    }
    let near = Action::nearest(word).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(AskError::NoAction(super::error::shown(word), near))
}

fn read(text: &str, subject: &Subject) -> Result<Resource, AskError> {
    let wrong = || AskError::NoResource(super::error::shown(text));
    if text.chars().any(char::is_control) {
        return Err(wrong());
    }
    let mut resource = Resource::parse(text).ok_or_else(wrong)?;
    let somebody = |user: String| Some(Arc::new(Owner { user, groups: subject.groups.clone() }));
    resource.owner = match resource.name.as_str() {
        "@own" => somebody(subject.user.clone().unwrap_or_default()),
        // Nobody has an empty name.
        "@group" => somebody(String::new()),
        name if name.starts_with('@') => return Err(wrong()),
        _ => None,
    };
    Ok(resource)
}

#[cfg(test)]
mod tests {
    use super::needed;
    use crate::authz::Subject;
    use crate::policy::{MODEL, POLICY, load};

    fn asked(user: &str, groups: &[&str], action: &str, resource: Option<&str>) -> String {
        let policy = load(MODEL, POLICY).unwrap();
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let subject = Subject { user: Some(user.to_owned()), groups, roles: None };
        match needed(&policy.rules, &subject, action, resource) {
            Ok(needed) if policy.index.decide(&subject, "", &needed).is_permit() => "yes".to_owned(),
            Ok(_) => "no".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_question_is_an_action_or_a_set_on_something() {
        let alice = |action, resource| asked("alice", &["docker-developers"], action, resource);
        for (action, resource, expected) in [
            ("container.list", None, "no"),
            ("ps", None, "no"),
            ("set:ps", None, "no"),
            ("run", Some("container:@own"), "yes"),
            ("run", None, "no"),
            ("exec", Some("container:@own"), "no"),
            ("container.exec", Some("container:@own"), "yes"),
            ("container.exec", Some("container:@group"), "no"),
            ("container.exec", Some("container:web"), "no"),
            ("image.use", Some("image:docker.io/library/nginx:latest"), "yes"),
            ("image.use", Some("*"), "yes"),
            ("image.use", Some("path:/x"), "`image.use` is not about `path:…`"),
            (
                "container.lst",
                None,
                "`container.lst` is neither an action nor an action set; did you mean `container.list`?",
            ),
            (
                "image.use",
                Some("nginx"),
                "`nginx` is not a resource: write `kind:name`, such as `container:web-1`, `container:*` or `container:@own`",
            ),
        ] {
            assert_eq!(alice(action, resource), expected, "{action} {resource:?}");
        }
        assert_eq!(asked("carol", &["docker-admins"], "run", None), "yes");
    }
}
