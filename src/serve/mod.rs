//! Wiring, sockets, signals, readiness and shutdown.

mod reload;
mod rim;
mod signals;
mod socket;
mod users;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tracing::{info, warn};

pub use self::reload::Reload;
use self::socket::Access;
pub use self::socket::{Inherited, SocketError};
use self::users::{Door, Users};
use crate::admin::Admin;
use crate::audit::Trail;
use crate::config::Config;
use crate::directory::Directory;
use crate::gateway::Behind;
use crate::hostfs::HostFs;
use crate::identity::Identifier;
use crate::inventory::Inventory;
use crate::plugin::{Counters, Gate, Handler, Judge, Tickets};
use crate::policy::Store;
use crate::token::Tokens;

/// How long answers under way may take once a stop was asked for; a question itself has a shorter deadline.
const LAST_ANSWERS: Duration = Duration::from_secs(8);

/// Runs the daemon until a signal ends it.
pub fn run(config: Config) -> anyhow::Result<()> {
    rim::start_log();
    rim::allow_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start")?;
    // What a hung look-up still holds is let go when the process ends.
    let ended = runtime.block_on(serve(config));
    runtime.shutdown_background();
    ended
}

/// Makes the directory of a file of ours, for nobody else to read.
fn make_room(file: &Path) -> anyhow::Result<()> {
    let Some(directory) = file.parent().filter(|directory| !directory.exists()) else { return Ok(()) };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.with_context(|| format!("cannot make the directory `{}`", directory.display()))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let mut inherited = Inherited::take();
    let directory = Arc::new(Directory::new(config.directory, rim::sources().now).context("directory")?);
    make_room(&config.audit.database)?;
    let book = crate::policy::book_path(config.policy.database.as_deref(), &config.audit.database);
    make_room(&book)?;
    let policy =
        Arc::new(Store::with_book(config.policy.source()?, &book, rim::sources().now).context("policy")?);
    let sources = rim::sources();
    let tokens = Tokens::open(config.token, &config.audit.database, (sources.now)(), rim::secret);
    let tokens = Arc::new(tokens.context("tokens")?);
    let identifier = Identifier::with_local(config.identity, tokens.local()).context("identity")?;
    let trail = Arc::new(
        Trail::open(crate::audit::Settings {
            deadline: config.audit.deadline,
            ..crate::audit::Settings::new(&config.audit.database, rim::stamp())
        })
        .context("audit trail")?,
    );
    let counters = Arc::new(Counters::default());
    let raw_socket = config.inventory.docker_socket.clone();
    let inventory = Arc::new(
        Inventory::open(config.inventory, &config.audit.database, sources.now, rim::secret)
            .context("inventory")?,
    );
    let judge = Judge {
        identifier: identifier.clone(),
        directory: Arc::clone(&directory),
        policy: Arc::clone(&policy),
        inventory: Arc::clone(&inventory),
        hostfs: HostFs::new(config.host_paths),
        minimum_api_version: config.plugin.minimum_api_version,
    };
    let tickets = Arc::new(Tickets::default());
    let handler =
        Handler::new(config.plugin.clone(), judge, Arc::clone(&trail), sources, Arc::clone(&counters))
            .behind(Gate { tickets: Arc::clone(&tickets) });
    let handler = Arc::new(handler);
    let reload = Reload::new(Arc::clone(&policy), Arc::clone(&directory), identifier.clone());
    // A gateway that decides has no plugin behind it, and a plugin nobody who asks it.
    let alone = config.gateway.as_ref().is_some_and(|gateway| gateway.decide);
    let mut listen = |path: &Path| socket::listen(path, Access::OWNER, &mut inherited);
    let plugin_socket = if alone { None } else { Some(listen(&config.plugin.socket)?) };
    let admin_socket = listen(&config.admin.socket)?;
    let door = config.gateway.map(|gateway| Door::open(gateway, raw_socket, &mut inherited)).transpose()?;
    let users = door.map(|door| {
        let (handler, inventory) = (Arc::clone(&handler), Arc::clone(&inventory));
        let behind =
            Behind { daemon: door.daemon(), handler, tickets, inventory, sources, secret: rim::secret };
        door.serve(behind)
    });
    let admin = Admin {
        policy: Arc::clone(&policy),
        trail: Arc::clone(&trail),
        database: config.audit.database,
        counters,
        gateway: users.as_ref().map(Users::counters),
        inventory: Arc::clone(&inventory),
        reload: reload.as_action(),
        started: (sources.now)(),
        tokens,
        now: sources.now,
        random: sources.random,
    };

    let (stop, stopping) = watch::channel(false);
    let (plugin_listens, plugin_stops) = (plugin_socket.is_some(), stopping.clone());
    let plugin = tokio::spawn(async move {
        if let Some(socket) = plugin_socket {
            crate::plugin::serve(socket, handler, plugin_stops).await;
        }
    });
    let admin = tokio::spawn(crate::admin::serve(admin_socket, admin, stopping.clone()));
    let keys = stopping.clone();
    let keys = tokio::spawn(async move { identifier.keep(sources.now, keys).await });
    let sweeper = tokio::spawn(async move { inventory.keep(stopping).await });
    info!(plugin = %config.plugin.socket.display(), admin = %config.admin.socket.display(), policy = %policy.current().digest, "ready");
    rim::ready();

    signals::until_stopped(&reload).await?;
    info!("stopping: questions under way are answered first");
    rim::stopping();
    if let Some(users) = users {
        users.end().await;
    }
    // Nobody listens any more only if both have ended already.
    stop.send(true).ok();
    // A client that never reads its export must not keep the sockets from a successor.
    if tokio::time::timeout(LAST_ANSWERS, async { (plugin.await, admin.await, sweeper.await, keys.await) })
        .await
        .is_err()
    {
        warn!("some connections did not end in {} s and are cut", LAST_ANSWERS.as_secs());
    }
    // What a hung disk still holds was never answered with an allow.
    if tokio::time::timeout(LAST_ANSWERS, trail.close()).await.is_err() {
        warn!("the trail could not be closed in {} s", LAST_ANSWERS.as_secs());
    }
    if plugin_listens {
        socket::remove(&config.plugin.socket);
    }
    socket::remove(&config.admin.socket);
    info!("stopped");
    Ok(())
}
