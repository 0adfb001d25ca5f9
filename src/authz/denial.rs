//! The words of a denial: what was missing, why, and what to do where that is not plain.

use super::decision::{Cause, Denial, Finding};
use super::{Action, Meaning, Requirement, Resource, Subject};

/// The denial of a call of which not everything is granted.
pub(super) fn denial(subject: &Subject, verb: &str, findings: Vec<Finding>) -> Denial {
    let denied = findings.iter().find(|finding| finding.decided_by.is_some() && !finding.is_granted());
    let (cause, missing, reason) = if let Some(finding) = denied {
        let by = finding.decided_by.as_ref().map(|by| format!("role `{}` denies it", by.role));
        (Cause::Denied, describe(&finding.requirement), by.unwrap_or_default())
    } else {
        let missing: Vec<&Requirement> = findings
            .iter()
            .filter(|finding| !finding.is_granted())
            .map(|finding| &finding.requirement)
            .collect();
        let them = if missing.len() == 1 { "it" } else { "them" };
        (Cause::NotGranted, list(&missing), format!("no role that {subject} holds grants {them}"))
    };
    let unknown = |finding: &&Finding| finding.requirement.resource.meaning == Meaning::Unknown;
    let reason = match findings.iter().filter(|finding| !finding.is_granted()).find(unknown) {
        Some(finding) => format!(
            "{reason}; what `{}` stands for could not be found out, as dockerd did not say in time",
            finding.requirement.resource.name
        ),
        None => reason,
    };
    let advice = advice(&findings).map_or_else(String::new, |advice| format!("; {advice}"));
    Denial { cause, message: format!("{subject} may not {missing} ({verb}): {reason}{advice}"), findings }
}

/// As many missing requirements as a terminal line bears.
const NAMED: usize = 4;

fn list(missing: &[&Requirement]) -> String {
    let mut names: Vec<String> =
        missing.iter().take(NAMED).map(|requirement| describe(requirement)).collect();
    if missing.len() > NAMED {
        names.push(format!("{} more", missing.len() - NAMED));
    }
    names.join(", ")
}

fn describe(requirement: &Requirement) -> String {
    if requirement.resource.name == Resource::ANY {
        requirement.action.to_string()
    } else {
        requirement.to_string()
    }
}

/// What to do about a requirement whose name does not say it.
fn advice(findings: &[Finding]) -> Option<&'static str> {
    let missing =
        |action| findings.iter().any(|finding| !finding.is_granted() && finding.requirement.action == action);
    missing(Action::HostMountUnguarded).then_some(
        "what lies in that directory can be changed by others than root, or by who may mount it; \
         mount the directory itself, or have host.mount-unguarded granted on it",
    )
}
