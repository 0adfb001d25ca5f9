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
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

pub use self::reload::Reload;
use self::socket::Access;
pub use self::socket::{Inherited, SocketError};
use self::users::Users;
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

/// Everybody on this host may log in; the kernel says who tries.
const EVERYBODY: Access = Access { mode: 0o666, group: None };

/// How long answers under way may take once a stop was asked for; a question itself has a shorter deadline.
const LAST_ANSWERS: Duration = Duration::from_secs(8);

/// Whether a gateway could be served with these settings; `daemon` is the raw socket unless they name another.
pub fn check_gateway(settings: &crate::gateway::Settings, daemon: &Path) -> Result<(), SocketError> {
    users::access(settings, settings.docker_socket.as_deref().unwrap_or(daemon)).map(drop)
}

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

fn open_trail(audit: &crate::config::AuditConfig) -> anyhow::Result<Trail> {
    let settings = crate::audit::Settings::new(&audit.database, rim::stamp());
    Trail::open(crate::audit::Settings { deadline: audit.deadline, ..settings }).context("audit trail")
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
    let trail = Arc::new(open_trail(&config.audit)?);
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
            .behind(Gate::new(Arc::clone(&tickets), users::key(config.plugin.gateway_key_file.as_deref())?));
    let handler = Arc::new(handler);
    let reload = Reload::new(Arc::clone(&policy), Arc::clone(&directory), identifier.clone());
    // A gateway that decides has no plugin behind it, and a plugin nobody who asks it.
    let alone = config.gateway.as_ref().is_some_and(crate::gateway::Settings::decides);
    let mut listen = |path: &Path, access| socket::listen(path, access, &mut inherited);
    let plugin_socket = if alone { None } else { Some(listen(&config.plugin.socket, Access::OWNER)?) };
    let admin_socket = listen(&config.admin.socket, Access::OWNER)?;
    let login_socket = match &*directory {
        Directory::Ldap(_) => Some(listen(&config.login.socket, EVERYBODY)?),
        // Nobody could check a password.
        Directory::Open | Directory::File(_) | Directory::Nss(_) => None,
    };
    let behind = Behind {
        daemon: raw_socket,
        handler: Arc::clone(&handler),
        tickets,
        inventory: Arc::clone(&inventory),
        sources,
        secret: rim::secret,
        key: None,
    };
    let users = Users::start(config.gateway, behind, &mut inherited)?;
    let admin = Admin {
        policy: Arc::clone(&policy),
        trail: Arc::clone(&trail),
        database: config.audit.database,
        directory: Arc::clone(&directory),
        counters,
        gateway: users.as_ref().map(Users::counters),
        inventory: Arc::clone(&inventory),
        reload: reload.as_action(),
        started: (sources.now)(),
        tokens,
        now: sources.now,
        random: sources.random,
    };

    let has_logins = login_socket.is_some();
    let (stop, stopping) = watch::channel(false);
    let (plugin_listens, plugin_stops) = (plugin_socket.is_some(), stopping.clone());
    let plugin = tokio::spawn(async move {
        if let Some(socket) = plugin_socket {
            crate::plugin::serve(socket, handler, plugin_stops).await;
        }
    });
    let logins = start_logins(login_socket, &admin, &stopping);
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
    let servers = [Some(plugin), Some(admin), Some(sweeper), Some(keys), logins];
    ended(servers.into_iter().flatten().collect(), &trail).await;
    if plugin_listens {
        socket::remove(&config.plugin.socket);
    }
    socket::remove(&config.admin.socket);
    if has_logins {
        socket::remove(&config.login.socket);
    }
    info!("stopped");
    Ok(())
}

/// Answers logins, where there is a socket for them.
fn start_logins(
    socket: Option<UnixListener>,
    admin: &Admin,
    stopping: &watch::Receiver<bool>,
) -> Option<JoinHandle<()>> {
    let serve = |socket| crate::admin::serve_logins(socket, admin.clone(), stopping.clone());
    socket.map(serve).map(tokio::spawn)
}

/// Waits for the last answers, and for their records.
async fn ended(servers: Vec<JoinHandle<()>>, trail: &Trail) {
    let all = async {
        for server in servers {
            // One that panicked has ended too.
            drop(server.await);
        }
    };
    // A client that never reads its export must not keep the sockets from a successor.
    if tokio::time::timeout(LAST_ANSWERS, all).await.is_err() {
        warn!("some connections did not end in {} s and are cut", LAST_ANSWERS.as_secs());
    }
    // What a hung disk still holds was never answered with an allow.
    if tokio::time::timeout(LAST_ANSWERS, trail.close()).await.is_err() {
        warn!("the trail could not be closed in {} s", LAST_ANSWERS.as_secs());
    }
}
