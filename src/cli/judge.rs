//! `wharfinger judge`: says of each question what a policy decides for somebody, without a daemon.

use std::io::{self, BufRead, Write};

use serde::Serialize;

use super::classify::{self, Line};
use crate::authz::{Cause, Decision, Finding, Subject};
use crate::engine::Door;
use crate::policy::Loaded;

/// One line of output: what `classify` says, and the decision.
#[derive(Debug, Serialize)]
struct Judged {
    #[serde(flatten)]
    line: Line,
    decision: Verdict,
}

#[derive(Debug, Default, Serialize)]
struct Verdict {
    permit: bool,
    /// Which part of the way said no; null for a permit.
    cause: Option<&'static str>,
    /// The refusal's code, where the call was refused.
    code: Option<&'static str>,
    /// One sentence for the user; null for a permit.
    message: Option<String>,
    /// What decided each requirement.
    findings: Vec<Found>,
}

/// What decided one requirement; the last four are null if no role grants it.
#[derive(Debug, Serialize)]
struct Found {
    action: &'static str,
    resource: String,
    effect: Option<String>,
    permission: Option<String>,
    role: Option<String>,
    path: Option<String>,
}

/// Reads questions, the JSON that dockerd sends, one a line, and writes one JSON line for each.
///
/// Nobody is known to have created anything, so permissions on `@own` and `@group` grant nothing here.
///
/// # Errors
/// Only for the streams: a line that is no question is a denial that says so.
pub fn run(input: impl BufRead, output: impl Write, loaded: &Loaded, subject: &Subject) -> io::Result<()> {
    classify::each(input, output, |line| judge(line, loaded, subject))
}

fn judge(line: &[u8], loaded: &Loaded, subject: &Subject) -> Judged {
    let (line, classified) = classify::answer(line, Door::Plugin);
    // Fail closed: what is not understood is denied, whoever asks.
    let refused = || {
        let cause = line.refused.as_ref().map(|refused| Cause::Refused(refused.code));
        Verdict {
            cause: cause.map(Cause::name),
            code: cause.and_then(Cause::code),
            message: line.refused.as_ref().map(|refused| refused.message.clone()),
            ..Verdict::default()
        }
    };
    let decision = classified.map_or_else(refused, |classified| {
        verdict(loaded.index.decide(subject, classified.verb, &classified.requirements))
    });
    Judged { line, decision }
}

fn verdict(decision: Decision) -> Verdict {
    let findings = decision.findings().iter().map(found).collect();
    match decision {
        Decision::Permit(_) | Decision::PermitInPart(_) => {
            Verdict { permit: true, findings, ..Verdict::default() }
        }
        // What is only observed is not granted, and that is what is asked here.
        Decision::Deny(denial) | Decision::Observe(_, denial) => Verdict {
            permit: false,
            cause: Some(denial.cause.name()),
            code: denial.cause.code(),
            message: Some(denial.message),
            findings,
        },
    }
}

fn found(finding: &Finding) -> Found {
    let by = finding.decided_by.as_ref();
    Found {
        action: finding.requirement.action.name(),
        resource: finding.requirement.resource.to_string(),
        effect: by.map(|by| by.effect.to_string()),
        permission: by.map(|by| by.permission.clone()),
        role: by.map(|by| by.role.clone()),
        path: by.map(|by| by.path.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::run;
    use crate::authz::Subject;
    use crate::policy::{MODEL, load};

    const POLICY: &str = "p, role:a, set:ps, *, allow\n\
                          p, role:b, container.start, container:web, deny\n\
                          g, role:c, role:a\n\
                          g, role:c, role:b\n\
                          g, group:devs, role:c\n\
                          g2, container.list, set:ps";

    fn decisions(groups: &[&str], questions: &str) -> Vec<Value> {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let subject = Subject { user: Some("alice".to_owned()), groups, roles: None };
        let mut output = Vec::new();
        run(questions.as_bytes(), &mut output, &load(MODEL, POLICY).unwrap(), &subject).unwrap();
        let lines = String::from_utf8(output).unwrap();
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["decision"].take()).collect()
    }

    const PS: &str = r#"{"RequestMethod":"GET","RequestUri":"/v1.41/containers/json"}"#;

    #[test]
    fn a_permit_names_the_permission_and_the_way_to_it() {
        assert_eq!(
            decisions(&["devs"], PS),
            [json!({
                "permit": true, "cause": null, "code": null, "message": null,
                "findings": [{
                    "action": "container.list", "resource": "container:*", "effect": "allow",
                    "permission": "allow set:ps *", "role": "a", "path": "group:devs > c > a",
                }],
            })]
        );
    }

    #[test]
    fn a_denial_says_what_is_missing_or_which_permission_denies() {
        assert_eq!(
            decisions(&[], PS),
            [json!({
                "permit": false, "cause": "not_granted", "code": null,
                "message": "alice may not container.list (docker ps): no role that alice holds grants it",
                "findings": [{
                    "action": "container.list", "resource": "container:*", "effect": null,
                    "permission": null, "role": null, "path": null,
                }],
            })]
        );
        let start = r#"{"RequestMethod":"POST","RequestUri":"/v1.41/containers/web/start","RequestHeaders":{"Content-Length":"0"}}"#;
        assert_eq!(
            decisions(&["devs"], start),
            [json!({
                "permit": false, "cause": "denied", "code": null,
                "message": "alice may not container.start container:web (docker start): role `b` denies it",
                "findings": [{
                    "action": "container.start", "resource": "container:web", "effect": "deny",
                    "permission": "deny container.start container:web", "role": "b", "path": "group:devs > c > b",
                }],
            })]
        );
    }

    #[test]
    fn what_is_refused_or_no_question_is_a_denial_with_the_code() {
        let decisions =
            decisions(&["devs"], "{\"RequestMethod\":\"GET\",\"RequestUri\":\"/v1.41/nothing\"}\nx");
        let seen: Vec<(&Value, &Value, &Value)> =
            decisions.iter().map(|d| (&d["permit"], &d["cause"], &d["code"])).collect();
        let no = json!(false);
        let refused = json!("refused");
        assert_eq!(
            seen,
            [(&no, &refused, &json!("unclassified")), (&no, &refused, &json!("question-invalid")),]
        );
    }
}
