//! Log drivers: where a container's output goes, in the name of root.

use super::needs::Needs;
use crate::authz::Action;
use crate::engine::Refusal;
use crate::engine::json::Fields;

/// Options of every driver that name no socket, file, host or account.
const HARMLESS: &[&str] = &[
    "cache-compress",
    "cache-disabled",
    "cache-max-file",
    "cache-max-size",
    "compress",
    "env",
    "env-regex",
    "labels",
    "labels-regex",
    "max-buffer-size",
    "max-file",
    "max-size",
    "mode",
    "tag",
];

/// `LogConfig` of a container.
pub(super) fn log_config(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let config = fields.within(name, &["Type", "Config"])?;
    needs.note_unknown(&config);
    driver(needs, config.text("Type")?, &config.text_map("Config")?);
    Ok(())
}

/// `LogDriver` of a service's tasks and of a swarm.
pub(super) fn log_driver(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let config = fields.within(name, &["Name", "Options"])?;
    needs.note_unknown(&config);
    driver(needs, config.text("Name")?, &config.text_map("Options")?);
    Ok(())
}

fn driver(needs: &mut Needs, driver: &str, options: &[(&str, &str)]) {
    if !matches!(driver, "" | "json-file" | "local") {
        needs.add(Action::HostLogDriver, driver);
    }
    // Options without a driver reach the daemon's default one, whatever it is.
    let driver = if driver.is_empty() { "default" } else { driver };
    for (option, _) in options.iter().filter(|(option, _)| !HARMLESS.contains(option)) {
        // Values may be tokens of log services, so only the option is named.
        needs.add(Action::HostLogDriver, format!("{driver}/{option}"));
    }
}
