//! Look-ups by the presets for POSIX groups and for FreeIPA, in a real server with entries of their forms.

use wharfinger::directory::{Directory, Settings};

use crate::support::slapd::{Slapd, Way};
use crate::support::tree::{BASE, Tree};

fn directory(server: &Slapd, preset: &str) -> Directory {
    let settings = server.settings(Way::Ldapi).replace("'openldap'", &format!("'{preset}'"));
    Directory::new(toml::from_str::<Settings>(&settings).unwrap(), jiff::Timestamp::now).unwrap()
}

/// Name and groups, or the error, on one line.
async fn told(directory: &Directory, user: &str) -> String {
    match directory.groups(user).await {
        Ok(looked) => format!("{}: {}", looked.user, looked.groups.join(", ")),
        Err(error) => error.to_string(),
    }
}

fn person(tree: &mut Tree, below: &str, uid: &str, group: &str, more: &[(&str, &str)]) {
    let mut attributes = vec![
        ("objectClass", "inetOrgPerson"),
        ("objectClass", "posixAccount"),
        ("uid", uid),
        ("cn", uid),
        ("sn", uid),
        ("uidNumber", "1000"),
        ("gidNumber", group),
        ("homeDirectory", "/"),
    ];
    attributes.extend(more);
    tree.entry(&format!("uid={uid},{below},{BASE}"), &attributes);
}

fn group(tree: &mut Tree, below: &str, name: &str, number: &str, more: &[(&str, &str)]) {
    let mut attributes = vec![("objectClass", "posixGroup"), ("cn", name), ("gidNumber", number)];
    attributes.extend(more);
    tree.entry(&format!("cn={name},{below},{BASE}"), &attributes);
}

#[tokio::test]
async fn posix_groups_name_their_members_and_one_is_the_users_own() {
    let mut tree = Tree::empty();
    person(&mut tree, "ou=people", "Ann", "3000", &[]);
    person(&mut tree, "ou=people", "ben", "9999", &[]);
    let shadow = [("objectClass", "shadowAccount")];
    person(&mut tree, "ou=people", "old", "3000", &[shadow[0], ("shadowExpire", "1")]);
    person(&mut tree, "ou=people", "new", "3000", &[shadow[0], ("shadowExpire", "-1")]);
    group(&mut tree, "ou=groups", "staff", "3000", &[]);
    group(&mut tree, "ou=groups", "dev", "3001", &[("memberUid", "Ann"), ("memberUid", "ben")]);
    group(&mut tree, "ou=groups", "other", "3002", &[("memberUid", "ann"), ("memberUid", "B*")]);
    let server = Slapd::start_with(&tree, "");
    let directory = directory(&server, "rfc2307");
    for (user, expected) in [
        // Members are compared by case: the entry's own spelling counts.
        ("ANN", "Ann: dev, staff"),
        ("ben", "ben: dev"),
        ("new", "new: staff"),
        ("old", "the directory refuses the user: the account has expired"),
        ("ghost", "the directory knows no such user"),
    ] {
        assert_eq!(told(&directory, user).await, expected, "{user}");
    }
    let ways = directory.explain("ann").await.groups;
    assert_eq!(ways.iter().map(|group| group.via.as_str()).collect::<Vec<_>>(), ["direct", "primary group"]);
}

/// What the entries of FreeIPA have that OpenLDAP does not know.
const FREEIPA: &str = "
attributetype ( 1.2.840.113556.1.2.102 NAME 'memberOf' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )
attributetype ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 2.16.840.1.113719.1.301.4.5.1 NAME 'krbPrincipalExpiration' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )
attributetype ( 2.16.840.1.113730.3.1.96 NAME 'accountUnlockTime' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )
objectclass ( 1.3.6.1.4.1.53263.1 NAME 'likeFreeipa' SUP top AUXILIARY MAY ( memberOf $ nsAccountLock $ krbPrincipalExpiration $ accountUnlockTime ) )
";

#[tokio::test]
async fn freeipa_says_who_is_in_what_and_only_groups_count() {
    let mut tree = Tree::empty();
    for below in
        ["cn=accounts", "cn=users,cn=accounts", "cn=groups,cn=accounts", "cn=compat", "cn=users,cn=compat"]
    {
        let name = below.strip_prefix("cn=").unwrap().split(',').next().unwrap();
        tree.entry(&format!("{below},{BASE}"), &[("objectClass", "applicationProcess"), ("cn", name)]);
    }
    let (users, groups) = ("cn=users,cn=accounts", "cn=groups,cn=accounts");
    let more = ("objectClass", "likeFreeipa");
    let of = |place: &str| format!("{place},{BASE}");
    let memberships = [
        of(&format!("cn=dev,{groups}")),
        // Another spelling of the same place.
        of(r"CN=ops\2C prod,cn=Groups, cn=accounts"),
        of("cn=helpdesk,cn=roles,cn=accounts"),
        of("cn=everywhere,cn=hbac"),
    ];
    let mut ivy = vec![more];
    ivy.extend(memberships.iter().map(|dn| ("memberOf", dn.as_str())));
    person(&mut tree, users, "ivy", "5000", &ivy);
    // The same once more, for older clients.
    person(&mut tree, "cn=users,cn=compat", "ivy", "5000", &[]);
    person(&mut tree, users, "off", "1", &[more, ("nsAccountLock", "TRUE")]);
    person(&mut tree, users, "on", "1", &[more, ("nsAccountLock", "FALSE")]);
    person(&mut tree, users, "past", "1", &[more, ("krbPrincipalExpiration", "20200101000000Z")]);
    person(&mut tree, users, "later", "1", &[more, ("krbPrincipalExpiration", "99990101000000Z")]);
    person(&mut tree, users, "tried", "1", &[more, ("accountUnlockTime", "19700101000000Z")]);
    let umbrella = of(&format!("cn=umbrella,{groups}"));
    group(&mut tree, groups, "own", "5000", &[more, ("memberOf", &umbrella)]);
    let server = Slapd::start_with(&tree, FREEIPA);
    let directory = directory(&server, "freeipa");
    for (user, expected) in [
        ("IVY", "ivy: dev, ops, prod, own, umbrella"),
        ("on", "on: "),
        ("later", "later: "),
        ("off", "the directory refuses the user: the account is disabled"),
        ("past", "the directory refuses the user: the account has expired"),
        ("tried", "the directory refuses the user: the account is locked"),
    ] {
        assert_eq!(told(&directory, user).await, expected, "{user}");
    }
}

#[tokio::test]
async fn a_wrong_preset_is_told_as_such() {
    let server = Slapd::start();
    let told = directory(&server, "active-directory").explain("alice").await;
    assert_eq!(told.error.as_deref(), Some("the directory knows no such user"));
    assert_eq!(
        told.warnings,
        ["`uid=alice,ou=people,dc=example,dc=org` has this name, and \
          `(&(objectCategory=person)(objectClass=user)(sAMAccountName=alice))` below `dc=example,dc=org` does not find it: \
          another preset than `active-directory`, or another `user_filter` or `user_base`?"]
    );
    let told = directory(&server, "openldap").explain("loner").await;
    assert_eq!((told.error, told.user.as_deref()), (None, Some("loner")));
    assert!(told.warnings[0].starts_with("no group has this entry in `member`: "), "{:?}", told.warnings);
    let told = directory(&server, "openldap").explain("ghost").await;
    assert!(
        told.warnings[0].starts_with("no entry below `dc=example,dc=org` has this name: "),
        "{:?}",
        told.warnings
    );
}

#[tokio::test]
async fn an_explanation_tells_the_way_to_nested_groups_and_what_was_asked() {
    let server = Slapd::start();
    let told = directory(&server, "openldap").explain("NESTED").await;
    let ways: Vec<_> = told.groups.iter().map(|group| (group.group.as_str(), group.via.as_str())).collect();
    assert_eq!(ways, [("leaf", "direct"), ("mid", "through leaf"), ("top", "through leaf → mid")]);
    assert_eq!((told.source, told.user), (server.url(Way::Ldapi), Some("nested".to_owned())));
    let steps: Vec<_> =
        told.steps.iter().map(|step| (step.what.as_str(), step.times, step.entries)).collect();
    assert_eq!(steps, [("connection", 1, 0), ("the user's entry", 1, 1), ("groups by member", 4, 4)]);
}
