//! What `wharfinger check` says about the inventory: nothing is made, and the daemon is only greeted.

use std::path::Path;

use tokio::time::timeout;

use super::daemon::{AskError, Daemon};
use super::records::Records;
use super::{FILE, Settings};
use crate::store::StoreError;

/// Says how many objects the file knows, and whether the daemon answers; only a file that cannot be read is an error.
///
/// `trail` is the trail's file, beside which the inventory's is where the settings name none. A daemon that does not
/// run is no fault: it starts after us, and until then nothing is asked of us either.
pub async fn check(settings: &Settings, trail: &Path) -> Result<String, StoreError> {
    let path = settings.database.clone().unwrap_or_else(|| trail.with_file_name(FILE));
    let known = if path.exists() {
        format!("`{}` knows {} objects", path.display(), Records::count(&path)?)
    } else {
        format!("`{}` will be made at the first start", path.display())
    };
    let daemon = Daemon::new(settings.docker_socket.clone(), || [0; 16]);
    let answer = timeout(settings.deadline, daemon.ping()).await.unwrap_or(Err(AskError::Deadline));
    Ok(match answer {
        Ok(_) => format!("{known}; dockerd answers on `{}`", settings.docker_socket.display()),
        Err(error) => format!(
            "{known}; dockerd on `{}`: {error}; until it answers nothing goes by creator or by the name of what it is",
            settings.docker_socket.display()
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::authz::Action;
    use crate::inventory::fake::{Fake, call, done};

    #[tokio::test]
    async fn the_check_counts_what_is_known_makes_nothing_and_bears_no_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let trail = dir.path().join("audit.db");
        let nobody = Settings {
            docker_socket: dir.path().join("none.sock"),
            deadline: Duration::from_mins(1),
            ..Settings::default()
        };
        let said = check(&nobody, &trail).await.unwrap();
        assert!(said.contains("will be made") && said.contains("cannot connect to"), "{said}");
        assert!(!dir.path().join(FILE).exists());

        let fake = Fake::start();
        let inventory = fake.inventory();
        done(&inventory, "alice", &call(Action::ContainerCreate, "web"), 201, r#"{"Id":"c1"}"#).await;
        let settings = inventory.settings.clone();
        let trail = settings.docker_socket.with_file_name("audit.db");
        let said = check(&settings, &trail).await.unwrap();
        assert!(said.contains("knows 1 objects; dockerd answers on"), "{said}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_inventory_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "not a database").unwrap();
        assert!(check(&Settings::default(), &dir.path().join("audit.db")).await.is_err());
    }
}
