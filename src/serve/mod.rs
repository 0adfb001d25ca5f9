//! Wiring, sockets, signals, readiness and shutdown.

mod reload;
mod rim;
mod signals;
mod socket;

use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::watch;
use tracing::info;

pub use self::reload::Reload;
pub use self::socket::{Inherited, SocketError};
use crate::admin::Admin;
use crate::audit::Trail;
use crate::config::Config;
use crate::directory::Directory;
use crate::identity::Identifier;
use crate::plugin::{Counters, Handler};
use crate::policy::Store;

/// Only root, which dockerd runs as, asks the plugin; only root administers.
const SOCKET_MODE: u32 = 0o600;

/// Runs the daemon until a signal ends it.
pub fn run(config: Config) -> anyhow::Result<()> {
    rim::start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start")?;
    // What a hung look-up still holds is let go when the process ends.
    let ended = runtime.block_on(serve(config));
    runtime.shutdown_background();
    ended
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let mut inherited = Inherited::take();
    let policy = Arc::new(Store::open(config.policy.source()?).context("policy")?);
    let directory = Arc::new(Directory::new(config.directory).context("directory")?);
    let identifier = Identifier::new(config.identity).context("identity")?;
    let trail = Arc::new(
        Trail::open(crate::audit::Settings {
            deadline: config.audit.deadline,
            ..crate::audit::Settings::new(&config.audit.database, rim::stamp())
        })
        .context("audit trail")?,
    );
    let sources = rim::sources();
    let counters = Arc::new(Counters::default());
    let handler = Arc::new(Handler::new(
        config.plugin.clone(),
        identifier,
        Arc::clone(&directory),
        Arc::clone(&policy),
        Arc::clone(&trail),
        sources,
        Arc::clone(&counters),
    ));
    let reload = Reload::new(Arc::clone(&policy), Arc::clone(&directory));
    let plugin_socket = socket::listen(&config.plugin.socket, SOCKET_MODE, &mut inherited)?;
    let admin_socket = socket::listen(&config.admin.socket, SOCKET_MODE, &mut inherited)?;
    let admin = Admin {
        policy: Arc::clone(&policy),
        trail: Arc::clone(&trail),
        database: config.audit.database,
        counters,
        reload: reload.as_action(),
        started: (sources.now)(),
        now: sources.now,
    };

    let (stop, stopping) = watch::channel(false);
    let plugin = tokio::spawn(crate::plugin::serve(plugin_socket, handler, stopping.clone()));
    let admin = tokio::spawn(crate::admin::serve(admin_socket, admin, stopping));
    info!(plugin = %config.plugin.socket.display(), admin = %config.admin.socket.display(), policy = %policy.current().digest, "ready");
    rim::ready();

    signals::until_stopped(&reload).await?;
    info!("stopping: questions under way are answered first");
    rim::stopping();
    // Nobody listens any more only if both have ended already.
    stop.send(true).ok();
    plugin.await.context("plugin")?;
    admin.await.context("admin")?;
    trail.close().await;
    socket::remove(&config.plugin.socket);
    socket::remove(&config.admin.socket);
    info!("stopped");
    Ok(())
}
