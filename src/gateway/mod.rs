//! The socket that users call: the kernel says who asks, and the call goes on to the daemon's raw socket.

mod answer;
mod body;
mod builder;
mod connection;
mod counters;
mod decide;
mod exchange;
mod hygiene;
mod names;
mod peer;
mod settings;
mod show;
mod splice;
mod upstream;
pub mod view;
mod wire;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::warn;

pub use self::counters::Counters;
use self::counters::count;
use self::names::Names;
use self::peer::Peer;
pub use self::settings::{Mode, SOCKET, Settings};
use self::view::Views;
use crate::audit::DecisionId;
use crate::identity::Attested;
use crate::inventory::Inventory;
use crate::plugin::{Handler, Holder, Key, Sources, Ticket, Tickets};

/// What stands behind the gateway.
#[derive(Clone, Debug)]
pub struct Behind {
    /// The daemon's raw socket.
    pub daemon: PathBuf,
    /// Who decides, or puts on record what is refused here.
    pub handler: Arc<Handler>,
    /// The tickets by which the handler knows the gateway's calls.
    pub tickets: Arc<Tickets>,
    /// Who created what.
    pub inventory: Arc<Inventory>,
    /// The clock, and random bytes for ids.
    pub sources: Sources,
    /// Gives sixteen bytes that nobody can foresee.
    pub secret: fn() -> [u8; 16],
    /// What calls are signed with for a plugin in another process.
    pub key: Option<Key>,
}

/// Everything that the gateway works with.
pub struct Gateway {
    settings: Settings,
    behind: Behind,
    views: Views,
    names: Names,
    counters: Arc<Counters>,
    open: Mutex<HashMap<u32, usize>>,
    /// Whether the daemon was seen to ask for decisions.
    assured: AtomicBool,
}

impl Gateway {
    /// A gateway in front of what stands behind it.
    pub fn new(settings: Settings, behind: Behind, counters: Arc<Counters>) -> Self {
        let names = Names::new(
            Arc::new(names::ask_host),
            names::overflow_uid(),
            settings.name_ttl,
            settings.name_deadline,
        );
        let views = Views { inventory: Arc::clone(&behind.inventory) };
        Self {
            settings,
            behind,
            views,
            names,
            counters,
            open: Mutex::default(),
            assured: AtomicBool::new(false),
        }
    }

    /// Puts a ticket out, and returns its handle.
    fn issue(&self, ticket: Arc<Ticket>) -> String {
        self.behind.tickets.issue((self.behind.secret)(), ticket)
    }

    fn new_id(&self) -> DecisionId {
        DecisionId::new((self.behind.sources.now)(), (self.behind.sources.random)())
    }

    /// Who is at the other end.
    async fn holder(&self, peer: Peer) -> Holder {
        match self.names.of(peer.uid).await {
            Ok(user) => Holder::Known(Attested {
                user: user.to_string(),
                uid: peer.uid,
                login_uid: peer.login_uid,
                pid: peer.pid,
            }),
            Err(problem) => {
                warn!(uid = peer.uid, %problem, "nobody to decide for");
                Holder::Refused(problem.to_string())
            }
        }
    }

    /// Counts a user's connection in; nothing if the user has too many.
    fn enter(self: &Arc<Self>, uid: u32) -> Option<Inside> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_user = open.entry(uid).or_default();
        if *of_user >= self.settings.connections_per_user {
            return None;
        }
        *of_user += 1;
        count(&self.counters.connections);
        count(&self.counters.open);
        Some(Inside { gateway: Arc::clone(self), uid })
    }
}

/// A connection that is counted.
struct Inside {
    gateway: Arc<Gateway>,
    uid: u32,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut open = self.gateway.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_user) = open.get_mut(&self.uid) {
            *of_user -= 1;
            if *of_user == 0 {
                open.remove(&self.uid);
            }
        }
        self.gateway.counters.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves users until `stop` is set; then calls under way are finished, and streams are cut after a moment.
pub async fn serve(listener: UnixListener, gateway: Gateway, mut stop: watch::Receiver<bool>) {
    let gateway = Arc::new(gateway);
    let slots = Arc::new(Semaphore::new(gateway.settings.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            // Without a slot nobody is accepted: clients wait in the queue.
            let slot = Arc::clone(&slots).acquire_owned().await;
            (listener.accept().await, slot)
        };
        tokio::select! {
            (accepted, slot) = accepted => match accepted {
                Ok((stream, _)) => {
                    let (gateway, stop) = (Arc::clone(&gateway), stop.clone());
                    connections.spawn(async move {
                        one(gateway, stream, stop).await;
                        drop(slot);
                    });
                }
                // Out of descriptors, for instance: clients wait in the queue.
                Err(error) => {
                    warn!(%error, "cannot accept a connection of a user");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = connection::stopped(&mut stop) => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn one(gateway: Arc<Gateway>, stream: UnixStream, stop: watch::Receiver<bool>) {
    // Without the kernel's word there is nobody to serve.
    let Ok(peer) = Peer::of(&stream) else { return };
    let Some(_inside) = gateway.enter(peer.uid) else {
        warn!(uid = peer.uid, "too many connections of one user");
        return;
    };
    let holder = gateway.holder(peer).await;
    connection::serve(Arc::clone(&gateway), stream, holder, stop).await;
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("settings", &self.settings).finish_non_exhaustive()
    }
}
