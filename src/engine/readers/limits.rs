//! Resource settings; those that only bound the container itself need nothing.

use super::needs::Needs;
use super::shapes;
use crate::authz::Action;
use crate::engine::Refusal;
use crate::engine::json::Fields;

/// Real-time scheduling, which takes processor time from the host.
pub(super) fn real_time(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    shapes::number(needs, fields, name)?;
    present(needs, fields, name);
    Ok(())
}

/// A setting that acts on the host as soon as it is there.
fn present(needs: &mut Needs, fields: &Fields<'_>, name: &str) {
    if !fields.get(name).is_zero() {
        needs.add(Action::HostLimit, name);
    }
}

/// `Ulimits`.
pub(super) fn ulimits(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    shapes::ulimit_list(needs, fields, name)?;
    present(needs, fields, name);
    Ok(())
}

/// Shares of block devices, which are named by their paths on the host.
pub(super) fn device_weights(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    shapes::weight_list(needs, fields, name)?;
    present(needs, fields, name);
    Ok(())
}

/// Rates of block devices, named likewise.
pub(super) fn device_rates(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    shapes::rate_list(needs, fields, name)?;
    present(needs, fields, name);
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
