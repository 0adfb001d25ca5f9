//! The entries of the test directory, as LDIF: the ordinary ones, and every awkward one that was met.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

/// The directory's root.
pub(crate) const BASE: &str = "dc=example,dc=org";

/// The service account that may read everything.
pub(crate) const READER: &str = "cn=reader,ou=services,dc=example,dc=org";

/// Its password.
pub(crate) const READER_PASSWORD: &str = "reader's password";

/// The password of the user `login`, who alone has one.
pub(crate) const PASSWORD: &str = "pässword of login";

/// Entries in the making.
pub(crate) struct Tree(String);

impl Tree {
    /// The tree that most tests use; a tree with all its awkward entries.
    pub(crate) fn awkward() -> Self {
        let mut tree = Self::empty();
        for (dn_value, uid) in [
            ("uid=alice", "alice"),
            ("uid=jürgen", "jürgen"),
            ("uid=李雷", "李雷"),
            ("uid=loner", "loner"),
            ("uid=nested", "nested"),
            ("uid=deep", "deep"),
            ("uid=deeper", "deeper"),
            ("uid=many", "many"),
            ("cn=paren(user)*", "paren(user)*"),
            (r#"cn=Doe\, John \+ \"Jr\" \<x\>\; \# (ops)* \\"#, "jdoe"),
        ] {
            tree.user(&format!("{dn_value},ou=people"), uid, &[]);
        }
        tree.user("uid=locked,ou=people", "locked", &[("pwdAccountLockedTime", "000001010000Z")]);
        tree.user("uid=login,ou=people", "login", &[("userPassword", PASSWORD)]);
        tree.user("uid=twin,ou=people", "twin", &[]);
        tree.user("uid=twin,ou=services", "twin", &[]);
        tree.user("uid=both,ou=people", "both", &[("uid", "another")]);
        tree.group("dev", &["uid=alice,ou=people", "uid=loner,ou=services"]);
        tree.group("Entwickler Süd", &["uid=jürgen,ou=people", "uid=李雷,ou=people"]);
        tree.group(r"ops\, prod (all)*", &[r#"cn=Doe\, John \+ \"Jr\" \<x\>\; \# (ops)* \\,ou=people"#]);
        // leaf, mid and top: mid and top are members of each other.
        tree.group("leaf", &["uid=nested,ou=people", "uid=locked,ou=people"]);
        tree.group("mid", &["cn=leaf,ou=groups", "cn=top,ou=groups"]);
        tree.group("top", &["cn=mid,ou=groups"]);
        // `deep` is under ten groups in a chain, which is walked to its end; `deeper` is under eleven.
        tree.group("c00", &["uid=deeper,ou=people"]);
        tree.group("c01", &["uid=deep,ou=people", "cn=c00,ou=groups"]);
        for level in 2..=10 {
            tree.group(&format!("c{level:02}"), &[&format!("cn=c{:02},ou=groups", level - 1)]);
        }
        for number in 0..200 {
            tree.group(&format!("g{number:03}"), &["uid=many,ou=people"]);
        }
        tree
    }

    /// The root, the units and the service account.
    pub(crate) fn empty() -> Self {
        let mut tree = Self(String::new());
        tree.entry(
            BASE,
            &[
                ("objectClass", "dcObject"),
                ("objectClass", "organization"),
                ("o", "Example"),
                ("dc", "example"),
            ],
        );
        for unit in ["people", "groups", "services", "referral"] {
            tree.entry(&format!("ou={unit},{BASE}"), &[("objectClass", "organizationalUnit"), ("ou", unit)]);
        }
        tree.entry(
            READER,
            &[
                ("objectClass", "applicationProcess"),
                ("objectClass", "simpleSecurityObject"),
                ("cn", "reader"),
                ("userPassword", READER_PASSWORD),
            ],
        );
        tree.entry(
            &format!("cn=elsewhere,ou=referral,{BASE}"),
            &[
                ("objectClass", "referral"),
                ("objectClass", "extensibleObject"),
                ("cn", "elsewhere"),
                ("ref", "ldap://127.0.0.1:1/ou=people,dc=example,dc=org??sub"),
            ],
        );
        tree
    }

    /// A user at `dn` under the root.
    pub(crate) fn user(&mut self, dn: &str, uid: &str, more: &[(&str, &str)]) {
        // What names an entry is one of its attributes too.
        let common_name =
            dn.strip_prefix("cn=").and_then(|rest| rest.rsplit_once(',')).map_or(uid, |(name, _)| name);
        let common_name = unescaped(common_name);
        let mut attributes =
            vec![("objectClass", "inetOrgPerson"), ("uid", uid), ("cn", &common_name), ("sn", "x")];
        attributes.extend(more);
        self.entry(&format!("{dn},{BASE}"), &attributes);
    }

    /// A group with members under the root; the name is as in a DN.
    pub(crate) fn group(&mut self, name: &str, members: &[&str]) {
        let members: Vec<String> = members.iter().map(|member| format!("{member},{BASE}")).collect();
        let name_value = unescaped(name);
        let mut attributes = vec![("objectClass", "groupOfNames"), ("cn", name_value.as_str())];
        attributes.extend(members.iter().map(|member| ("member", member.as_str())));
        self.entry(&format!("cn={name},ou=groups,{BASE}"), &attributes);
    }

    /// The text for `slapadd`.
    pub(crate) fn ldif(&self) -> &str {
        &self.0
    }

    /// Any entry.
    pub(crate) fn entry(&mut self, dn: &str, attributes: &[(&str, &str)]) {
        writeln!(self.0, "dn:: {}", STANDARD.encode(dn)).unwrap();
        for (at, (first, _)) in attributes.iter().enumerate() {
            // Values of one attribute stand together, as `slapadd` wants them.
            if attributes[..at].iter().any(|(name, _)| name == first) {
                continue;
            }
            for (name, value) in attributes.iter().filter(|(name, _)| name == first) {
                // RFC 2849: what is not plain goes as base64.
                writeln!(self.0, "{name}:: {}", STANDARD.encode(value)).unwrap();
            }
        }
        self.0.push('\n');
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        plain.push(if c == '\\' { rest.next().unwrap() } else { c });
    }
    plain
}
