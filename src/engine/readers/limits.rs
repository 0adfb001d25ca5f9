//! Resource settings; those that only bound the container itself need nothing.

use super::needs::Needs;
use crate::authz::Action;
use crate::engine::Refusal;
use crate::engine::json::Fields;

/// A setting that acts on the host as soon as it is there.
#[expect(clippy::unnecessary_wraps, reason = "it stands in tables beside readers that can refuse")]
pub(super) fn present(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    if !fields.get(name).is_zero() {
        needs.add(Action::HostLimit, name);
    }
    Ok(())
}

/// A number that takes from the host below zero: `PidsLimit` -1 is no limit, a negative
/// `OomScoreAdj` lets others be killed instead.
pub(super) fn below_zero(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    if fields.number(name)? < 0 {
        needs.add(Action::HostLimit, name);
    }
    Ok(())
}

/// `OomKillDisable`.
pub(super) fn never_killed(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    if fields.flag(name)? {
        needs.add(Action::HostLimit, name);
    }
    Ok(())
}
