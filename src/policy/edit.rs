//! Edits: the small changes that people ask for by name, as values and as they arrive over the wire.

use serde::{Deserialize, Serialize};

use super::csv::Section;
use super::statement::{self, Statement};
use crate::authz::{Actions, Grant, Permission, Principal};

/// One change of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Permit { role: String, permission: Permission },
    Revoke { role: String, permission: Permission },
    Describe { role: String, text: String },
    Inherit { role: String, from: String },
    Disinherit { role: String, from: String },
    DeleteRole { role: String },
    Grant(Grant),
    Ungrant { principal: Principal, role: String },
    AddMember { set: String, member: Actions },
    RemoveMember { set: String, member: Actions },
}

/// What kind of change is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EditKind {
    /// A role gets a permission: needs `role`, `action`, `resource`; `effect` is `allow` unless told otherwise.
    Permit,
    /// A role loses a permission: as `permit`.
    Revoke,
    /// What a role is for: needs `role` and `text`.
    Describe,
    /// A role inherits another: needs `role` and `from`.
    Inherit,
    /// A role no longer inherits another: needs `role` and `from`.
    Disinherit,
    /// A role goes, with all its permissions and grants: needs `role`.
    DeleteRole,
    /// Somebody gets a role: needs `principal` and `role`; `until` and `reason` may be given.
    Grant,
    /// Somebody loses a role: needs `principal` and `role`.
    Ungrant,
    /// An action set gets a member: needs `set` and `action`.
    AddMember,
    /// An action set loses a member: needs `set` and `action`.
    RemoveMember,
}

/// One change, as it is asked for; names as policies write them, without `role:` and `set:` in front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditRequest {
    /// What kind of change.
    pub op: EditKind,
    /// The role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// An action, `set:…` or `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// A resource pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// `allow` or `deny`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// `user:…`, `group:…`, `everyone` or `anonymous`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// When a grant ends, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Why a grant is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The role that is inherited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The action set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// What a role is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Why an edit cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A field that it needs is not there, or one that it does not take is.
    #[error("{0}")]
    Shape(String),
    /// A field is wrong.
    #[error("{0}: {1}")]
    Field(&'static str, String),
    /// There is nothing to take out or to change.
    #[error("{0}")]
    Missing(String),
    /// It is there already.
    #[error("{0}")]
    There(String),
}

impl EditRequest {
    /// An edit of that kind with nothing filled in.
    pub fn new(op: EditKind) -> Self {
        Self {
            op,
            role: None,
            action: None,
            resource: None,
            effect: None,
            principal: None,
            until: None,
            reason: None,
            from: None,
            set: None,
            text: None,
        }
    }

    /// The edit that is meant.
    pub(super) fn read(&self) -> Result<Edit, EditError> {
        self.only_what_it_takes()?;
        let role = || self.need("role", self.role.as_ref()).map(|role| format!("role:{role}"));
        let set = || self.need("set", self.set.as_ref()).map(|set| format!("set:{set}"));
        let line = |section, fields: Vec<String>| {
            statement::statement(section, &fields)
                .map_err(|(field, message)| EditError::Field(field.name(), message))
        };
        let permission = || {
            let effect = self.effect.clone().unwrap_or_else(|| "allow".to_owned());
            let action = self.need("action", self.action.as_ref())?;
            let resource = self.resource.clone().unwrap_or_else(|| "*".to_owned());
            match line(Section::P, vec![role()?, action, resource, effect])? {
                Statement::Permission(role, permission) => Ok((role, permission)),
                other => Err(odd(&other)),
            }
        };
        let link = |from: Result<String, EditError>| match line(
            Section::G,
            vec![role()?, format!("role:{}", from?)],
        )? {
            Statement::Inherits(role, from) => Ok((role, from)),
            other => Err(odd(&other)),
        };
        let member = || match line(Section::G2, vec![self.need("action", self.action.as_ref())?, set()?])? {
            Statement::Member(member, set) => Ok((set, member)),
            other => Err(odd(&other)),
        };
        let grant = || {
            let principal = self.need("principal", self.principal.as_ref())?;
            if principal.starts_with("role:") {
                let message = format!("`{principal}` is a role: inheritance is asked for with `inherit`");
                return Err(EditError::Field("principal", message));
            }
            let until = self.until.clone().unwrap_or_default();
            let reason = super::text::one_line(self.reason.as_deref().unwrap_or_default());
            match line(Section::G, vec![principal, role()?, until, reason])? {
                Statement::Grant(grant) => Ok(grant),
                other => Err(odd(&other)),
            }
        };
        let from = || self.need("from", self.from.as_ref());
        Ok(match self.op {
            EditKind::Permit => permission().map(|(role, permission)| Edit::Permit { role, permission })?,
            EditKind::Revoke => permission().map(|(role, permission)| Edit::Revoke { role, permission })?,
            EditKind::Describe => {
                // The name is checked as that of any role.
                let (role, _) = link(self.need("role", self.role.as_ref()))?;
                Edit::Describe { role, text: self.need("text", self.text.as_ref())? }
            }
            EditKind::Inherit => link(from()).map(|(role, from)| Edit::Inherit { role, from })?,
            EditKind::Disinherit => link(from()).map(|(role, from)| Edit::Disinherit { role, from })?,
            EditKind::DeleteRole => {
                link(self.need("role", self.role.as_ref())).map(|(role, _)| Edit::DeleteRole { role })?
            }
            EditKind::Grant => Edit::Grant(grant()?),
            EditKind::Ungrant => {
                grant().map(|grant| Edit::Ungrant { principal: grant.principal, role: grant.role })?
            }
            EditKind::AddMember => member().map(|(set, member)| Edit::AddMember { set, member })?,
            EditKind::RemoveMember => member().map(|(set, member)| Edit::RemoveMember { set, member })?,
        })
    }

    fn need(&self, name: &'static str, value: Option<&String>) -> Result<String, EditError> {
        value.cloned().ok_or_else(|| EditError::Shape(format!("`{}` needs `{name}`", self.op.name())))
    }

    /// A field that would be ignored could be one that somebody relies on.
    fn only_what_it_takes(&self) -> Result<(), EditError> {
        let takes: &[&str] = match self.op {
            EditKind::Permit | EditKind::Revoke => &["role", "action", "resource", "effect"],
            EditKind::Describe => &["role", "text"],
            EditKind::Inherit | EditKind::Disinherit => &["role", "from"],
            EditKind::DeleteRole => &["role"],
            EditKind::Grant => &["principal", "role", "until", "reason"],
            EditKind::Ungrant => &["principal", "role"],
            EditKind::AddMember | EditKind::RemoveMember => &["set", "action"],
        };
        let given = [
            ("role", &self.role),
            ("action", &self.action),
            ("resource", &self.resource),
            ("effect", &self.effect),
            ("principal", &self.principal),
            ("until", &self.until),
            ("reason", &self.reason),
            ("from", &self.from),
            ("set", &self.set),
            ("text", &self.text),
        ];
        match given.iter().find(|(name, value)| value.is_some() && !takes.contains(name)) {
            Some((name, _)) => Err(EditError::Shape(format!("`{}` does not take `{name}`", self.op.name()))),
            None => Ok(()),
        }
    }
}

impl EditKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Permit,
        Self::Revoke,
        Self::Describe,
        Self::Inherit,
        Self::Disinherit,
        Self::DeleteRole,
        Self::Grant,
        Self::Ungrant,
        Self::AddMember,
        Self::RemoveMember,
    ];

    /// The word for it over the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Revoke => "revoke",
            Self::Describe => "describe",
            Self::Inherit => "inherit",
            Self::Disinherit => "disinherit",
            Self::DeleteRole => "delete-role",
            Self::Grant => "grant",
            Self::Ungrant => "ungrant",
            Self::AddMember => "add-member",
            Self::RemoveMember => "remove-member",
        }
    }
}

fn odd(statement: &Statement) -> EditError {
    EditError::Shape(format!("this reads as `{}`, which was not meant", super::text::statement(statement)))
}

#[cfg(test)]
mod tests {
    use super::{EditKind, EditRequest};
    use crate::policy::document::Document;

    const TEXT: &str = "# Mine.\n\n# a: starts things.\n# And more.\np, role:a, container.start, *, allow\n\
                        # beside\n\ng, user:x, role:a\n# at the end\n";

    fn request(op: EditKind, fields: &[(&str, &str)]) -> EditRequest {
        let mut value = serde_json::json!({ "op": op });
        for (name, text) in fields {
            value[*name] = (*text).into();
        }
        serde_json::from_value(value).unwrap()
    }

    fn edited(op: EditKind, fields: &[(&str, &str)]) -> String {
        match request(op, fields).read().and_then(|edit| Document::parse(TEXT).edited(&[edit])) {
            Ok(document) => document.text(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn each_edit_changes_its_lines_and_leaves_the_rest_with_its_comments() {
        use EditKind as K;
        let permission = "p, role:a, container.start, *, allow\n";
        for (op, fields, from, to) in [
            (
                K::Permit,
                &[("role", "a"), ("action", "set:ps")][..],
                permission,
                "p, role:a, container.start, *, allow\np, role:a, set:ps, *, allow\n",
            ),
            (
                K::Permit,
                &[("role", "b"), ("action", "*"), ("resource", "path:/x"), ("effect", "deny")],
                "# at the end\n",
                "# at the end\np, role:b, *, path:/x, deny\n",
            ),
            (K::Revoke, &[("role", "a"), ("action", "container.start"), ("resource", "*")], permission, ""),
            (
                K::Describe,
                &[("role", "a"), ("text", "stops\nthings.")],
                "# a: starts things.\n# And more.\n",
                "# a: stops things.\n",
            ),
            (
                K::Inherit,
                &[("role", "a"), ("from", "b")],
                permission,
                "p, role:a, container.start, *, allow\ng, role:a, role:b\n",
            ),
            (
                K::Grant,
                &[("role", "a"), ("principal", "group:g")],
                "g, user:x, role:a\n",
                "g, user:x, role:a\ng, group:g, role:a\n",
            ),
            (
                K::Grant,
                &[
                    ("role", "a"),
                    ("principal", "user:x"),
                    ("until", "2026-11-27T18:00:00Z"),
                    ("reason", "a, b"),
                ],
                "g, user:x, role:a\n",
                "g, user:x, role:a, 2026-11-27T18:00:00Z, \"a, b\"\n",
            ),
            (K::Ungrant, &[("role", "a"), ("principal", "user:x")], "g, user:x, role:a\n", ""),
            (
                K::AddMember,
                &[("set", "s"), ("action", "container.list")],
                "# at the end\n",
                "# at the end\ng2, container.list, set:s\n",
            ),
        ] {
            assert_eq!(edited(op, fields), TEXT.replace(from, to), "{op:?} {fields:?}");
        }
        assert_eq!(edited(K::DeleteRole, &[("role", "a")]), "# Mine.\n\n# beside\n\n# at the end\n");
    }

    #[test]
    fn an_edit_that_has_nothing_to_act_upon_or_is_wrong_says_so() {
        use EditKind as K;
        for (op, fields, expected) in [
            (
                K::Permit,
                &[("role", "a"), ("action", "container.start")][..],
                "role `a` holds `allow container.start *` already",
            ),
            (
                K::Permit,
                &[("role", "a"), ("action", "container.strt")],
                "action: `container.strt` is not an action; did you mean `container.start`?",
            ),
            (K::Permit, &[("role", "a")], "`permit` needs `action`"),
            (
                K::Revoke,
                &[("role", "b"), ("action", "*")],
                "role `b` does not hold `allow * *`: `wharfinger role show b` lists what it holds",
            ),
            (
                K::Ungrant,
                &[("role", "a"), ("principal", "user:y")],
                "user:y is not granted role `a` directly: `wharfinger grant list` shows all grants",
            ),
            (
                K::Grant,
                &[("role", "a"), ("principal", "role:y")],
                "principal: `role:y` is a role: inheritance is asked for with `inherit`",
            ),
            (
                K::Grant,
                &[("role", "a"), ("principal", "user:x"), ("set", "s")],
                "`grant` does not take `set`",
            ),
            (K::DeleteRole, &[("role", "nope")], "there is no role `nope`"),
        ] {
            assert_eq!(edited(op, fields), format!("error: {expected}"));
        }
    }

    #[test]
    fn what_a_role_is_for_is_read_from_the_comment_above_it() {
        let found = Document::parse(TEXT).descriptions();
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [("a".to_owned(), "starts things. And more.".to_owned())]
        );
    }
}
