//! Expectations: what people may and may not do, written down beside the policy and held against it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Loaded;
use super::ask::needed;
use crate::authz::{Decision, Subject};

/// The expectations that belong to the shipped policy.
pub const EXPECTATIONS: &str = include_str!("../../rbac/expectations.toml");

/// A file of expectations.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectations {
    /// Users, and the groups that they are taken to be in; `anonymous` is in none.
    #[serde(default)]
    pub people: BTreeMap<String, Vec<String>>,
    /// What is expected.
    #[serde(default)]
    pub expect: Vec<Expect>,
}

/// What is expected of one user.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The user.
    pub who: String,
    /// An action or a set, and if wanted what it is done to: `run container:@own`.
    #[serde(default)]
    pub may: Vec<String>,
    /// The same.
    #[serde(default)]
    pub may_not: Vec<String>,
}

/// One expectation, and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// It in words: `alice may not ps`.
    pub name: String,
    /// Why it is not met; `None` if it is.
    pub failure: Option<String>,
}

/// Why expectations cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the expectations cannot be read: {0}")]
pub struct ExpectError(String);

impl Expectations {
    /// Reads the text of a file of expectations.
    pub fn parse(text: &str) -> Result<Self, ExpectError> {
        let read: Self = toml::from_str(text).map_err(|error| ExpectError(error.to_string()))?;
        // A misspelled name would be somebody who holds nothing, of whom every `may_not` is true.
        let known = |expect: &&Expect| expect.who != "anonymous" && !read.people.contains_key(&expect.who);
        match read.expect.iter().find(known) {
            Some(expect) => {
                Err(ExpectError(format!("`{}` is not among [people]", super::error::shown(&expect.who))))
            }
            None => Ok(read),
        }
    }

    /// Holds every expectation against a policy.
    pub fn test(&self, policy: &Loaded) -> Vec<Tested> {
        let mut tested = Vec::new();
        for expect in &self.expect {
            let subject = match expect.who.as_str() {
                "anonymous" => Subject::anonymous(),
                user => Subject {
                    user: Some(user.to_owned()),
                    groups: self.people.get(user).cloned().unwrap_or_default(),
                    roles: None,
                },
            };
            let all = expect.may.iter().map(|what| (what, true));
            for (what, may) in all.chain(expect.may_not.iter().map(|what| (what, false))) {
                let name = format!("{} {} {what}", expect.who, if may { "may" } else { "may not" });
                tested.push(Tested { name, failure: failure(policy, &subject, what, may) });
            }
        }
        tested
    }

    /// The expectations that a policy does not meet, in words.
    pub fn failures(&self, policy: &Loaded) -> Vec<String> {
        let told = |tested: Tested| tested.failure.map(|failure| format!("{}: {failure}", tested.name));
        self.test(policy).into_iter().filter_map(told).collect()
    }
}

fn failure(policy: &Loaded, subject: &Subject, what: &str, may: bool) -> Option<String> {
    let (action, resource) = match what.split_once(' ') {
        Some((action, resource)) => (action, Some(resource.trim())),
        None => (what, None),
    };
    let needed = match needed(&policy.rules, subject, action, resource) {
        Ok(needed) => needed,
        // What cannot be understood is not met, whichever way it is expected.
        Err(error) => return Some(error.to_string()),
    };
    match (policy.index.decide(subject, action, &needed), may) {
        // What is granted in part only is not what was expected to be permitted, and permitted where it was not.
        (Decision::Permit(_), true) | (Decision::Deny(_) | Decision::Observe(..), false) => None,
        (Decision::PermitInPart(_), true) => Some("it is permitted in part only".to_owned()),
        (Decision::Deny(denial) | Decision::Observe(_, denial), true) => Some(denial.message),
        (Decision::Permit(findings) | Decision::PermitInPart(findings), false) => {
            let by = findings.into_iter().find_map(|finding| finding.decided_by);
            Some(by.map_or_else(
                || "it is permitted".to_owned(),
                |by| format!("it is permitted, by `{}` of role {} ({})", by.permission, by.role, by.path),
            ))
        }
    }
}

/// The results as XML in the form of `JUnit`, which continuous integration reads.
pub fn junit(tested: &[Tested]) -> String {
    let failures = tested.iter().filter(|tested| tested.failure.is_some()).count();
    let cases = tested.iter().map(|tested| {
        let name = escape(&tested.name);
        match &tested.failure {
            None => format!("    <testcase classname=\"policy\" name=\"{name}\"/>\n"),
            Some(failure) => format!(
                "    <testcase classname=\"policy\" name=\"{name}\">\n      <failure message=\"{}\"/>\n    </testcase>\n",
                escape(failure)
            ),
        }
    });
    let cases: String = cases.collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"policy\" tests=\"{}\" failures=\"{failures}\" errors=\"0\">\n{cases}  </testsuite>\n</testsuites>\n",
        tested.len()
    )
}

fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::{EXPECTATIONS, Expectations, junit};
    use crate::policy::{MODEL, POLICY, load};

    #[test]
    fn the_shipped_policy_meets_the_expectations_that_are_shipped_with_it() {
        let expectations = Expectations::parse(EXPECTATIONS).unwrap();
        let shipped = load(MODEL, POLICY).unwrap();
        assert_eq!(expectations.failures(&shipped), Vec::<String>::new());
        assert!(expectations.test(&shipped).len() > 50);
        let without = load(MODEL, &POLICY.replace("g, group:docker-developers, role:developer", "")).unwrap();
        assert!(expectations.failures(&without).iter().all(|failure| failure.starts_with("alice may ")));
        assert!(!expectations.failures(&without).is_empty());
    }

    #[test]
    fn what_is_not_met_says_what_is_missing_or_what_permits_it() {
        let policy = load(MODEL, "p, role:a, container.list, *, allow\ng, group:g, role:a").unwrap();
        let text = "[people]\nx = ['g']\n[[expect]]\nwho = 'x'\nmay = ['container.list', 'image.list', 'nonsense']\nmay_not = ['container.list', 'image.list']";
        let tested = Expectations::parse(text).unwrap().test(&policy);
        let told: Vec<(&str, Option<&str>)> =
            tested.iter().map(|tested| (tested.name.as_str(), tested.failure.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("x may container.list", None),
                (
                    "x may image.list",
                    Some("x may not image.list (image.list): no role that x holds grants it")
                ),
                ("x may nonsense", Some("`nonsense` is neither an action nor an action set")),
                (
                    "x may not container.list",
                    Some("it is permitted, by `allow container.list *` of role a (group:g > a)")
                ),
                ("x may not image.list", None),
            ]
        );
        assert_eq!(
            junit(&tested[..2]),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"policy\" tests=\"2\" failures=\"1\" errors=\"0\">\n    \
             <testcase classname=\"policy\" name=\"x may container.list\"/>\n    <testcase classname=\"policy\" name=\"x may image.list\">\n      \
             <failure message=\"x may not image.list (image.list): no role that x holds grants it\"/>\n    </testcase>\n  </testsuite>\n</testsuites>\n"
        );
    }

    #[test]
    fn a_misspelled_name_or_key_is_an_error() {
        let unknown = Expectations::parse("[[expect]]\nwho = 'alcie'\nmay_not = ['ps']").unwrap_err();
        assert_eq!(unknown.to_string(), "the expectations cannot be read: `alcie` is not among [people]");
        assert!(Expectations::parse("[[expect]]\nwho = 'anonymous'\nmaynot = ['ps']").is_err());
    }
}
