//! Host devices: by path, by number, and through a driver.

use super::needs::Needs;
use super::table::invalid;
use crate::authz::Action;
use crate::engine::json::Fields;
use crate::engine::{Refusal, hostpath};

/// `Devices`; a directory hands over every device in it.
pub(super) fn devices(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for device in fields.each(name, &["PathOnHost", "PathInContainer", "CgroupPermissions"])? {
        needs.note_unknown(&device);
        match device.text("PathOnHost")? {
            "" => needs.any(Action::HostDevice),
            path => needs.add(Action::HostDevice, hostpath::canonical(path)?),
        }
    }
    Ok(())
}

/// `DeviceCgroupRules`: `a|b|c MAJOR:MINOR rwm`.
pub(super) fn device_rules(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for rule in fields.texts(name)? {
        if !is_rule(rule) {
            return Err(invalid(&fields.path_of(name), "a list of rules such as `c 1:3 rwm`"));
        }
        needs.add(Action::HostDeviceRule, rule);
    }
    Ok(())
}

fn is_rule(rule: &str) -> bool {
    let number =
        |text: &str| text == "*" || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let parts: Vec<&str> = rule.split(' ').collect();
    let [kind, numbers, access] = *parts.as_slice() else { return false };
    matches!(kind, "a" | "b" | "c")
        && numbers.split_once(':').is_some_and(|(major, minor)| number(major) && number(minor))
        && (1..=3).contains(&access.len())
        && access.chars().all(|c| matches!(c, 'r' | 'w' | 'm'))
}

/// `DeviceRequests`: named by the driver and the devices asked of it, or by the capabilities that
/// the daemon chooses a driver by.
pub(super) fn device_requests(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for request in fields.each(name, &["Driver", "Count", "DeviceIDs", "Capabilities", "Options"])? {
        needs.note_unknown(&request);
        let driver = request.text("Driver")?;
        let ids = request.texts("DeviceIDs")?;
        let mut capabilities = Vec::new();
        for alternative in request.list("Capabilities")? {
            capabilities.extend(alternative.as_texts(&request.path_of("Capabilities"))?);
        }
        if driver.is_empty() && capabilities.is_empty() {
            needs.any(Action::HostDeviceRequest);
        }
        for capability in capabilities.iter().filter(|_| driver.is_empty()) {
            needs.add(Action::HostDeviceRequest, *capability);
        }
        // A CDI device is a set of mounts, hooks and devices of its own.
        match driver {
            "" => {}
            "cdi" if !ids.is_empty() => {
                for id in ids {
                    needs.add(Action::HostDeviceRequest, format!("cdi/{id}"));
                }
            }
            driver => needs.add(Action::HostDeviceRequest, driver),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_rule;

    #[test]
    fn a_device_rule_has_a_kind_numbers_and_an_access() {
        for rule in ["c 1:3 mr", "a *:* rwm", "b 8:* r"] {
            assert!(is_rule(rule), "{rule}");
        }
        for rule in ["", "c 1:3", "c  1:3 r", "x 1:3 r", "c 1:3 rwmr", "c :3 r", "c 1:3 x"] {
            assert!(!is_rule(rule), "{rule}");
        }
    }
}
