//! Roles, grants, action sets and names, as lists and one by one.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use hyper::StatusCode;

use super::Admin;
use super::answers::{
    Grant, Grants, GrantsAsked, Names, NamesAsked, Paging, Permission, Role, RoleLine, Roles, Set, Sets,
};
use super::caller::Caller;
use super::extract::{Ask, Named};
use super::gate::Wish;
use super::problem::Problem;
use crate::authz::{self, Action, Actions, Principal};
use crate::policy::Loaded;

/// Rows on a page, unless told otherwise and at most.
pub(super) const PAGE: u32 = 100;
pub(super) const LONGEST_PAGE: u32 = 1000;

pub(super) async fn roles(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(page): Ask<Paging>,
) -> Result<Json<Roles>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "read the list of roles")).await?);
    let (policy, about) = (admin.policy.current(), descriptions(&admin));
    let mut lines: BTreeMap<&str, RoleLine> = BTreeMap::new();
    for name in policy.rules.roles() {
        let description = about.get(name).cloned().unwrap_or_default();
        let line =
            RoleLine { name: name.to_owned(), description, inherits: Vec::new(), permissions: 0, grants: 0 };
        lines.insert(name, line);
    }
    for (role, _) in &policy.rules.permissions {
        lines.entry(role).and_modify(|line| line.permissions += 1);
    }
    for (heir, from) in &policy.rules.inherits {
        lines.entry(heir).and_modify(|line| line.inherits.push(from.clone()));
    }
    for grant in &policy.rules.grants {
        lines.entry(&grant.role).and_modify(|line| line.grants += 1);
    }
    let (roles, next) = cut(lines.into_values(), page.after.as_deref(), page.limit, |line| line.name.clone());
    Ok(Json(Roles { roles, next }))
}

pub(super) async fn role(
    State(admin): State<Admin>,
    caller: Caller,
    Named(name): Named,
) -> Result<Json<Role>, Problem> {
    let wish = Wish::read(Action::PolicyRead, &format!("role/{name}"), "read a role");
    drop(admin.permit(&caller, &wish).await?);
    let (policy, now) = (admin.policy.current(), (admin.now)().as_second());
    if !policy.rules.roles().contains(name.as_str()) {
        return Err(Problem::none("role", &name));
    }
    let permissions = policy.rules.permissions.iter().filter(|(role, _)| *role == name);
    let inherits = policy.rules.inherits.iter().filter(|(heir, _)| *heir == name);
    let holders = policy.rules.grants.iter().filter(|grant| grant.role == name);
    Ok(Json(Role {
        description: descriptions(&admin).remove(&name).unwrap_or_default(),
        inherits: inherits.map(|(_, from)| from.clone()).collect(),
        permissions: permissions.map(|(_, held)| permission(held)).collect(),
        holders: holders.map(|grant| answer(grant, now)).collect(),
        name,
    }))
}

pub(super) async fn grants(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<GrantsAsked>,
) -> Result<Json<Grants>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "read the list of grants")).await?);
    let (policy, now) = (admin.policy.current(), (admin.now)().as_second());
    let wanted = |grant: &&authz::Grant| {
        asked.role.as_ref().is_none_or(|role| *role == grant.role)
            && asked.principal.as_ref().is_none_or(|principal| *principal == grant.principal.to_string())
    };
    let start: usize = match &asked.after {
        None => 0,
        Some(after) => after
            .parse()
            .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "`after` is not the `next` of a page"))?,
    };
    let limit = limit(asked.limit);
    // Only one more than is shown is looked at beyond those that are skipped.
    let mut found = policy.rules.grants.iter().filter(wanted).skip(start);
    let grants: Vec<Grant> = found.by_ref().take(limit).map(|grant| answer(grant, now)).collect();
    let next = found.next().map(|_| (start + limit).to_string());
    Ok(Json(Grants { grants, next }))
}

pub(super) async fn sets(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(page): Ask<Paging>,
) -> Result<Json<Sets>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "read the list of action sets")).await?);
    let policy = admin.policy.current();
    let (sets, next) =
        cut(every_set(&policy).into_values(), page.after.as_deref(), page.limit, |set| set.name.clone());
    Ok(Json(Sets { sets, next }))
}

pub(super) async fn set(
    State(admin): State<Admin>,
    caller: Caller,
    Named(name): Named,
) -> Result<Json<Set>, Problem> {
    let wish = Wish::read(Action::PolicyRead, &format!("set/{name}"), "read an action set");
    drop(admin.permit(&caller, &wish).await?);
    every_set(&admin.policy.current())
        .remove(&name)
        .map(Json)
        .ok_or_else(|| Problem::none("action set", &name))
}

pub(super) async fn names(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<NamesAsked>,
) -> Result<Json<Names>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "read names")).await?);
    let policy = admin.policy.current();
    let rules = &policy.rules;
    let principals = |wanted: fn(&Principal) -> Option<&String>| -> BTreeSet<String> {
        rules.grants.iter().filter_map(|grant| wanted(&grant.principal).cloned()).collect()
    };
    let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    let names = match asked.kind.as_str() {
        "roles" => owned(rules.roles()),
        "sets" => owned(rules.set_names()),
        "users" => principals(|principal| match principal {
            Principal::User(name) => Some(name),
            Principal::Group(_) | Principal::Anonymous | Principal::Everyone => None,
        }),
        "groups" => principals(|principal| match principal {
            Principal::Group(name) => Some(name),
            Principal::User(_) | Principal::Anonymous | Principal::Everyone => None,
        }),
        "actions" => Action::ALL.iter().map(|action| action.name().to_owned()).collect(),
        _ => {
            let message = "`kind` is one of `roles`, `sets`, `users`, `groups` and `actions`";
            return Err(Problem::new(StatusCode::BAD_REQUEST, message));
        }
    };
    Ok(Json(Names { names: names.into_iter().collect() }))
}

/// A permission as it is answered.
pub(super) fn permission(held: &authz::Permission) -> Permission {
    Permission {
        effect: held.effect.to_string(),
        action: held.actions.to_string(),
        resource: held.resource.to_string(),
    }
}

/// A moment in seconds since 1970, as it is answered.
pub(super) fn time(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

pub(super) fn limit(asked: Option<u32>) -> usize {
    asked.unwrap_or(PAGE).clamp(1, LONGEST_PAGE) as usize
}

fn answer(grant: &authz::Grant, now: i64) -> Grant {
    Grant {
        principal: grant.principal.to_string(),
        role: grant.role.clone(),
        until: grant.until.and_then(time),
        reason: grant.reason.clone(),
        ended: !grant.holds_at(now),
    }
}

fn every_set(policy: &Loaded) -> BTreeMap<String, Set> {
    let mut sets: BTreeMap<String, Set> = BTreeMap::new();
    for (name, actions) in policy.rules.sets() {
        let actions = actions.into_iter().map(|action| action.name().to_owned()).collect();
        let set = Set { name: name.to_owned(), members: Vec::new(), actions, used_by: Vec::new() };
        sets.insert(name.to_owned(), set);
    }
    for (member, name) in &policy.rules.members {
        if let Some(set) = sets.get_mut(name) {
            set.members.push(member.to_string());
        }
    }
    for (role, permission) in &policy.rules.permissions {
        if let Actions::Set(name) = &permission.actions
            && let Some(set) = sets.get_mut(name)
            && !set.used_by.contains(role)
        {
            set.used_by.push(role.clone());
        }
    }
    sets
}

fn descriptions(admin: &Admin) -> BTreeMap<String, String> {
    // Without a book nothing says what roles are for, and nothing is lost by that.
    admin.policy.descriptions().unwrap_or_default()
}

/// The page behind a name, and where the next begins.
fn cut<T>(
    all: impl Iterator<Item = T>,
    after: Option<&str>,
    asked: Option<u32>,
    name: impl Fn(&T) -> String,
) -> (Vec<T>, Option<String>) {
    let limit = limit(asked);
    let mut rest = all.skip_while(|row| after.is_some_and(|after| name(row).as_str() <= after));
    let page: Vec<T> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| page.last().map(name));
    (page, next)
}
