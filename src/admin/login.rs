//! The login socket, for everybody on this host: a token of the daemon's own for a user's password.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::connect_info::ConnectInfo;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tracing::warn;

use super::Admin;
use super::peer::Peer;
use super::problem::Problem;
use crate::audit::{Actor, AdminEntry, DecisionId, Door, Object, Source, Verdict};
use crate::authz::{Action, Cause, Kind, Resource};
use crate::directory::{DirectoryError, Password, Refused};
use crate::token::{Fresh, Purpose, Wanted};

/// The longest request, in bytes.
const MAX_BODY: usize = 4 << 10;

/// How long the directory may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often one user of this host may try, in so many seconds; the directory counts wrong ones by itself.
const TRIES: (u32, i64) = (10, 60);

/// How many users' tries are counted at a time.
const COUNTED: usize = 4096;

/// Who somebody claims to be.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
struct Login {
    admin: Admin,
    tries: Arc<Tries>,
}

/// Answers logins until `stop` is set.
pub async fn serve_logins(listener: UnixListener, admin: Admin, mut stop: watch::Receiver<bool>) {
    let router = Router::new()
        .route("/v1/login", post(login))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "no such resource") })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Login { admin, tries: Arc::default() });
    let service = router.into_make_service_with_connect_info::<Peer>();
    let stopped = async move {
        drop(stop.wait_for(|stop| *stop).await);
    };
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped).await {
        warn!(%error, "the login socket ended");
    }
}

async fn login(
    State(Login { admin, tries }): State<Login>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(credentials): Json<Credentials>,
) -> Result<Json<Fresh>, Problem> {
    let now = (admin.now)();
    let refused = |status, detail: &str| Problem::new(status, detail);
    // An unknown peer could not be counted.
    let Some(uid) = peer.uid() else {
        return Err(refused(StatusCode::FORBIDDEN, "the kernel does not say who you are"));
    };
    if !tries.count(uid, now.as_second()) {
        return Err(refused(StatusCode::TOO_MANY_REQUESTS, "too many logins; wait a minute"));
    }
    let Credentials { user, password } = credentials;
    let password = Password::new(password);
    let checked = tokio::time::timeout(PATIENCE, admin.directory.authenticate(&user, &password)).await;
    let checked =
        checked.unwrap_or_else(|_| Err(DirectoryError::Unavailable("it did not answer in time".to_owned())));
    let id = admin.tokens.next_id(now);
    let entry = |user: Option<String>, decision, cause: Option<Cause>, message: String| AdminEntry {
        id: DecisionId::new(now, (admin.random)()),
        time: now,
        actor: Actor { user, how: format!("login socket, uid {uid}"), ..Actor::default() },
        source: Source { door: Door::LoginSocket },
        operation: Action::TokenIssue.name().to_owned(),
        object: Some(Object::from(&Resource::new(Kind::Token, &id))),
        // Whoever has a password may have a token of his own: no role is asked.
        requirements: Vec::new(),
        decision,
        cause: cause.map(|cause| cause.name().to_owned()),
        message,
        change: None,
        policy_version: admin.policy.current().digest.clone(),
    };
    let unrecorded = |error: crate::audit::AuditError| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("not done: {}", error.summary()))
    };
    let user = match checked {
        Ok(canonical) => canonical.0,
        Err(error) => {
            let (status, cause, told) = told(&error);
            // A name that nobody can have may be a password in the wrong place.
            let user = crate::identity::check_name(&user).is_ok().then_some(user);
            let denied = entry(user, Verdict::Deny, Some(cause), error.to_string());
            let _recorded = admin.trail.admin(denied).await.map_err(unrecorded)?;
            return Err(Problem::new(status, told));
        }
    };
    let ttl = admin.tokens.login_ttl();
    let detail = format!("for {user}, in exchange for the password, for {} s", ttl.as_secs());
    let permitted = entry(Some(user.clone()), Verdict::Permit, None, detail);
    let recorded = admin.trail.admin(permitted).await.map_err(unrecorded)?;
    if recorded.verdict() != Verdict::Permit {
        return Err(refused(StatusCode::FORBIDDEN, "denied"));
    }
    let wanted = Wanted { user: user.clone(), groups: Vec::new(), roles: None, ttl, reason: None };
    let tokens = Arc::clone(&admin.tokens);
    let issued =
        tokio::task::spawn_blocking(move || tokens.issue(&id, wanted, Purpose::Login, &user, now)).await;
    match issued {
        Ok(Ok(fresh)) => Ok(Json(fresh)),
        Ok(Err(error)) => {
            warn!(%error, "a token could not be issued");
            Err(refused(StatusCode::INTERNAL_SERVER_ERROR, "no token could be made; tell your administrator"))
        }
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

/// What whoever asks is told: the same for a wrong name and a wrong password, or names could be tried out.
fn told(error: &DirectoryError) -> (StatusCode, Cause, String) {
    match error {
        DirectoryError::NoSuchUser | DirectoryError::Refused(Refused::Password) => {
            let told = "user or password is wrong; after three wrong ones, wait a minute";
            (StatusCode::UNAUTHORIZED, Cause::Directory, told.to_owned())
        }
        DirectoryError::Refused(_) => (StatusCode::UNAUTHORIZED, Cause::Directory, error.to_string()),
        DirectoryError::Unavailable(_) | DirectoryError::Incomplete(_) => {
            let told = "the directory cannot be asked now; try again, or tell your administrator";
            (StatusCode::SERVICE_UNAVAILABLE, Cause::DirectoryUnavailable, told.to_owned())
        }
    }
}

/// The latest tries of each user of this host.
#[derive(Debug, Default)]
struct Tries(Mutex<HashMap<u32, (i64, u32)>>);

impl Tries {
    /// Counts one; whether it may be made.
    fn count(&self, uid: u32, now: i64) -> bool {
        let (most, span) = TRIES;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since: i64| !(since..since.saturating_add(span)).contains(&now);
        if all.len() >= COUNTED {
            all.retain(|_, (since, _)| !is_over(*since));
        }
        // So many at once are no people; who is counted already goes on.
        if all.len() >= COUNTED && !all.contains_key(&uid) {
            return false;
        }
        let (since, count) = all.entry(uid).or_insert((now, 0));
        if is_over(*since) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_a_minute_are_one_users_and_nobody_elses() {
        let tries = Tries::default();
        for _ in 0..10 {
            assert!(tries.count(1000, 100));
        }
        assert!(!tries.count(1000, 159));
        assert!(tries.count(1001, 159));
        assert!(tries.count(1000, 160));
    }

    #[test]
    fn a_wrong_name_and_a_wrong_password_are_told_alike_and_credentials_do_not_show_theirs() {
        assert_eq!(told(&DirectoryError::NoSuchUser), told(&DirectoryError::Refused(Refused::Password)));
        let credentials = Credentials { user: "alice".to_owned(), password: "secret".to_owned() };
        assert_eq!(format!("{credentials:?}"), "Credentials { user: \"alice\", .. }");
    }
}
