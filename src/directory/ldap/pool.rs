//! The servers in order, the connection that is in use, and when not to try again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, timeout};

use super::connection::{Account, Connection, password};
use super::server::{Server, Way};
use super::{Failure, LdapSettings, tls};
use crate::directory::{ServerState, ServerStatus, SettingsError};

/// A server that failed is tried after the others for so long.
const REST: Duration = Duration::from_secs(30);

/// After all servers failed, callers are told so for this long without another attempt: look-ups that were
/// under way together do not each try all servers, and the cache's next question does.
const BACKOFF: Duration = Duration::from_millis(500);

/// A refused password is not sent again for so long: directories lock accounts after some attempts.
const ACCOUNT_REST: Duration = Duration::from_mins(1);

/// All servers of a directory.
pub(super) struct Pool {
    servers: Vec<Server>,
    tls: Arc<ClientConfig>,
    account: Account,
    connect_timeout: Duration,
    search_timeout: Duration,
    /// When each server failed last.
    failed: Mutex<Vec<Option<Instant>>>,
    /// Held while connecting, so that one look-up connects and the others wait for its connection.
    state: AsyncMutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Connection>>,
    /// The last failure of all servers, and when it was.
    failure: Option<(Instant, String)>,
    /// The digest of the password that was refused, when, and in what words.
    refused: Option<(Option<[u8; 32]>, Instant, String)>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl Pool {
    /// Checks everything that is about servers; connects to nothing.
    pub(super) fn new(settings: &LdapSettings) -> Result<Self, SettingsError> {
        let servers = servers(settings)?;
        Ok(Self {
            failed: Mutex::new(vec![None; servers.len()]),
            account: account(settings, &servers)?,
            tls: tls::config(settings, servers.iter().any(Server::speaks_tls))?,
            connect_timeout: settings.connect_timeout,
            // So that a silent server is noticed as such, and time is left for another one.
            search_timeout: settings.lookup_deadline * 3 / 8,
            state: AsyncMutex::default(),
            servers,
        })
    }

    /// How many servers there are.
    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// The server's URL, as configured.
    pub(super) fn url(&self, index: usize) -> String {
        self.servers.get(index).map(|server| server.url.clone()).unwrap_or_default()
    }

    /// How each server is doing, in the configured order, and why the service account is refused if it is.
    pub(super) fn status(&self) -> (Vec<ServerStatus>, Option<String>) {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Held while somebody connects, which must not keep the administrator waiting.
        let state = self.state.try_lock().ok();
        let current = state.as_ref().and_then(|state| state.current.as_ref());
        let refused = state.as_ref().and_then(|state| state.refused.as_ref());
        let told = self.servers.iter().enumerate().map(|(index, server)| {
            let resting = failed.get(index).copied().flatten().map(|at| REST.saturating_sub(at.elapsed()));
            let used = current.filter(|connection| connection.server == index && connection.is_usable());
            let resting = resting.filter(|left| !left.is_zero()).map(|left| left.as_secs() + 1);
            let (age, searches) = used.map(|connection| connection.use_so_far()).unzip();
            ServerStatus {
                url: server.url.clone(),
                state: match (&state, used, resting) {
                    (_, Some(_), _) => ServerState::InUse,
                    (None, _, _) => ServerState::Connecting,
                    (Some(_), None, Some(_)) => ServerState::Resting,
                    (Some(_), None, None) => ServerState::Idle,
                },
                resting_seconds: resting,
                connected_seconds: age.map(|age| age.as_secs()),
                searches,
            }
        });
        (told.collect(), refused.map(|(_, _, reason)| reason.clone()))
    }

    /// Puts the server behind the others for a while.
    pub(super) fn rest(&self, index: usize) {
        if let Some(failed) = self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            *failed = Some(Instant::now());
        }
    }

    /// The connection in use, or a new one to the first server that takes it.
    ///
    /// # Errors
    /// Why there is none, of every server that was tried.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, String> {
        let mut state = self.state.lock().await;
        if let Some(current) = state.current.as_ref().filter(|current| current.is_usable()) {
            return Ok(Arc::clone(current));
        }
        state.current = None;
        if let Some((_, reason)) = state.failure.as_ref().filter(|(at, _)| at.elapsed() < BACKOFF) {
            return Err(reason.clone());
        }
        let password = self.password(&state).await?;
        let mut reasons = Vec::new();
        for index in self.order() {
            let Some(server) = self.servers.get(index) else { continue };
            let opening = Connection::open(
                index,
                server,
                &self.tls,
                &self.account,
                password.as_deref(),
                self.search_timeout,
            );
            let failure = match timeout(self.connect_timeout, opening).await {
                Ok(Ok(connection)) => {
                    let connection = Arc::new(connection);
                    *state = State { current: Some(Arc::clone(&connection)), ..State::default() };
                    return Ok(connection);
                }
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Server("no connection in time".to_owned()),
            };
            let url = &server.url;
            match failure {
                Failure::Account(reason) => {
                    tracing::error!(server = %url, %reason, "the service account is refused");
                    let reason = format!("{url}: {reason}; correct `bind_dn` or the password file");
                    state.refused = Some((password.as_deref().map(digest), Instant::now(), reason.clone()));
                    return Err(reason);
                }
                Failure::Server(reason) | Failure::Lost(reason) => {
                    tracing::warn!(server = %url, %reason, "a directory server failed");
                    self.rest(index);
                    reasons.push(format!("{url}: {reason}"));
                }
                Failure::Answer(error) => return Err(error.to_string()),
            }
        }
        let reason = reasons.join("; ");
        state.failure = Some((Instant::now(), reason.clone()));
        Err(reason)
    }

    /// The result code of a bind as somebody on a connection of its own, which ends with it; at `first`, and at
    /// the others where that one cannot be asked. What fails here says nothing to look-ups.
    ///
    /// # Errors
    /// Why there is none, of every server that was tried.
    pub(super) async fn bind_as(&self, first: usize, dn: &str, password: &str) -> Result<u32, String> {
        let mut order = self.order();
        order.sort_by_key(|&index| index != first);
        let mut reasons = Vec::new();
        for index in order {
            let Some(server) = self.servers.get(index) else { continue };
            let binding = async {
                let connection = Connection::connect(index, server, &self.tls, self.search_timeout).await?;
                connection.bind(dn, password).await
            };
            let reason = match timeout(self.connect_timeout, binding).await {
                Ok(Ok(code)) => return Ok(code),
                Ok(Err(Failure::Server(reason) | Failure::Lost(reason) | Failure::Account(reason))) => reason,
                Ok(Err(Failure::Answer(error))) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            reasons.push(format!("{}: {reason}", server.url));
        }
        Err(reasons.join("; "))
    }

    /// The password to bind with, where it is worth trying.
    async fn password(&self, state: &State) -> Result<Option<String>, String> {
        let password = match &self.account {
            Account::External => None,
            Account::Simple { password_file, .. } => match password(password_file).await {
                Ok(password) => Some(password),
                Err(Failure::Server(reason) | Failure::Lost(reason) | Failure::Account(reason)) => {
                    return Err(reason);
                }
                Err(Failure::Answer(error)) => return Err(error.to_string()),
            },
        };
        match &state.refused {
            Some((refused, at, reason))
                if at.elapsed() < ACCOUNT_REST && *refused == password.as_deref().map(digest) =>
            {
                Err(reason.clone())
            }
            Some(_) | None => Ok(password),
        }
    }

    /// The servers in the configured order, those that failed lately last.
    fn order(&self) -> Vec<usize> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let resting =
            |index: &usize| failed.get(*index).copied().flatten().is_some_and(|at| at.elapsed() < REST);
        let mut order: Vec<usize> = (0..self.servers.len()).collect();
        order.sort_by_key(resting);
        order
    }
}

/// The URLs, and that nothing secret goes in clear text unless it is asked for.
fn servers(settings: &LdapSettings) -> Result<Vec<Server>, SettingsError> {
    let parse = |url: &String| {
        Server::parse(url, settings.starttls, settings.server_name.as_deref())
            .map_err(|message| SettingsError::new("urls", message))
    };
    let servers: Vec<Server> = settings.urls.iter().map(parse).collect::<Result<_, _>>()?;
    if servers.is_empty() {
        return Err(SettingsError::new(
            "urls",
            "is empty: write at least one, such as `ldaps://ldap.example.org`",
        ));
    }
    if let Some(server) = servers.iter().find(|server| server.is_cleartext() && !settings.allow_cleartext) {
        let message = format!(
            "`{}` would send the password in clear text: write `ldaps://`, or set `starttls = true` or `allow_cleartext = true`",
            server.url
        );
        return Err(SettingsError::new("urls", message));
    }
    Ok(servers)
}

/// The service account, and that every server can know us by it.
fn account(settings: &LdapSettings, servers: &[Server]) -> Result<Account, SettingsError> {
    match (&settings.bind_dn, &settings.bind_password_file) {
        (Some(dn), _) if dn.trim().is_empty() => Err(SettingsError::new("bind_dn", "is empty")),
        (Some(dn), Some(file)) => Ok(Account::Simple { dn: dn.clone(), password_file: file.clone() }),
        (Some(_), None) => Err(SettingsError::new("bind_password_file", "is needed with `bind_dn`")),
        (None, Some(_)) => Err(SettingsError::new("bind_dn", "is needed with `bind_password_file`")),
        (None, None) => {
            let known = |server: &Server| match server.way {
                Way::Local(_) => true,
                Way::Tcp { .. } => server.is_tls() && settings.client_cert_file.is_some(),
            };
            match servers.iter().find(|server| !known(server)) {
                None => Ok(Account::External),
                Some(server) => Err(SettingsError::new(
                    "bind_dn",
                    format!("`{}` would not know us: set it, or a `client_cert_file`", server.url),
                )),
            }
        }
    }
}

fn digest(password: &str) -> [u8; 32] {
    Sha256::digest(password).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Pool, String> {
        let text = format!("preset = 'openldap'\nbase_dn = 'dc=x'\n{text}");
        Pool::new(&toml::from_str(&text).unwrap()).map_err(|error| error.to_string())
    }

    fn refused(text: &str) -> String {
        load(text).unwrap_err()
    }

    #[test]
    fn clear_text_is_refused_unless_it_is_asked_for() {
        let account = "bind_dn = 'cn=r'\nbind_password_file = '/p'\nurls = ['ldapi://%2Fs', 'ldap://h']\n";
        assert_eq!(
            refused(account),
            "urls: `ldap://h` would send the password in clear text: \
             write `ldaps://`, or set `starttls = true` or `allow_cleartext = true`"
        );
        assert!(load(&format!("{account}allow_cleartext = true")).is_ok());
    }

    #[test]
    fn every_server_must_know_the_service_account() {
        for (text, message) in [
            ("urls = []", "urls: is empty: write at least one, such as `ldaps://ldap.example.org`"),
            (
                "urls = ['ldaps://h']",
                "bind_dn: `ldaps://h` would not know us: set it, or a `client_cert_file`",
            ),
            ("urls = ['ldaps://h']\nbind_dn = 'cn=r'", "bind_password_file: is needed with `bind_dn`"),
            (
                "urls = ['ldaps://h']\nbind_password_file = '/p'",
                "bind_dn: is needed with `bind_password_file`",
            ),
            ("urls = ['ldaps://h']\nbind_dn = ''\nbind_password_file = '/p'", "bind_dn: is empty"),
        ] {
            assert_eq!(refused(text), message);
        }
        assert!(matches!(load("urls = ['ldapi://%2Fs']").unwrap().account, Account::External));
    }

    #[test]
    fn certificate_files_that_cannot_work_are_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display();
        for (text, message) in [
            (format!("ca_file = '{path}'"), format!("ca_file: `{path}` holds no certificate in PEM")),
            (
                "client_cert_file = '/c'".to_owned(),
                "client_key_file: is needed with `client_cert_file`".to_owned(),
            ),
            (
                "client_key_file = '/c'".to_owned(),
                "client_cert_file: is needed with `client_key_file`".to_owned(),
            ),
        ] {
            assert_eq!(refused(&format!("urls = ['ldapi://%2Fs']\n{text}")), message);
        }
        assert!(
            refused("urls = ['ldapi://%2Fs']\nca_file = '/nonexistent'")
                .starts_with("ca_file: `/nonexistent` cannot be read as PEM")
        );
    }

    #[test]
    fn servers_that_failed_are_tried_last() {
        let pool = load("urls = ['ldapi://%2Fa', 'ldapi://%2Fb', 'ldapi://%2Fc']").unwrap();
        assert_eq!(pool.order(), [0, 1, 2]);
        pool.rest(0);
        assert_eq!(pool.order(), [1, 2, 0]);
        pool.rest(1);
        pool.rest(2);
        assert_eq!(pool.order(), [0, 1, 2]);
    }
}
