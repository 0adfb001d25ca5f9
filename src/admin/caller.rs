//! Who asks on the admin interface: root by the kernel's word, others by their user id or a token, and their groups.

use std::collections::BTreeMap;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::StatusCode;

use super::Admin;
use super::peer::Peer;
use super::problem::Problem;
use crate::audit::{Actor, Door};
use crate::authz::Subject;
use crate::identity::{Evidence, TOKEN_HEADER};

/// Who asks, as far as was found out.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The user with all groups.
    pub(super) subject: Subject,
    /// What that rests on.
    pub(super) how: String,
    /// Where the question came in.
    pub(super) door: Door,
    /// Root on this host, or the daemon's own user: the way back in, whatever the policy says.
    pub(super) root: bool,
}

impl Caller {
    /// As records name the caller.
    pub(super) fn actor(&self, roles: Vec<String>) -> Actor {
        Actor {
            user: self.subject.user.clone(),
            groups: self.subject.groups.clone(),
            roles,
            how: self.how.clone(),
        }
    }

    /// The name of the caller.
    pub(super) fn name(&self) -> String {
        self.subject.to_string()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Without the layer below nobody is anybody.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "nobody found out who asks"))
    }
}

/// Finds out who asks, and says so to what comes after; whoever is nobody gets no further.
pub(super) async fn identify(
    State(admin): State<Admin>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match peer {
        Peer::Unix { uid: Some(0) } => Ok(root("root", 0)),
        Peer::Unix { uid: Some(uid) } if Some(uid) == admin.state.own_uid => Ok(root("wharfinger", uid)),
        Peer::Unix { uid: Some(uid) } if admin.settings.users => by_user_id(&admin, uid).await,
        // An unknown peer is nobody.
        Peer::Unix { uid: Some(_) | None } => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "only root and the daemon's own user may use the admin socket",
        )),
        Peer::Tcp => {
            let bearer = bearer(&request);
            by_token(&admin, bearer).await
        }
    };
    let answer = match caller {
        Ok(caller) if caller.root || admin.state.limit.takes(&caller.name(), (admin.now)()) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(_) => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many questions: wait a second").into_response()
        }
        Err(problem) => problem.into_response(),
    };
    with_headers(answer)
}

fn root(name: &str, uid: u32) -> Caller {
    Caller {
        subject: Subject { user: Some(name.to_owned()), groups: Vec::new(), roles: None },
        how: format!("user id {uid} on the local socket"),
        door: Door::AdminSocket,
        root: true,
    }
}

async fn by_user_id(admin: &Admin, uid: u32) -> Result<Caller, Problem> {
    let name = tokio::task::spawn_blocking(move || super::peer::name_of(uid)).await.ok().flatten();
    let Some(name) = name else {
        let message = format!("user id {uid} has no name on this host");
        return Err(Problem::new(StatusCode::FORBIDDEN, message));
    };
    let subject = with_groups(admin, &name, Vec::new()).await?;
    Ok(Caller {
        subject,
        how: format!("user id {uid} on the local socket"),
        door: Door::AdminSocket,
        root: false,
    })
}

fn bearer(request: &Request) -> Option<String> {
    let value = request.headers().get(hyper::header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(|token| token.trim().to_owned())
}

async fn by_token(admin: &Admin, bearer: Option<String>) -> Result<Caller, Problem> {
    let Some(token) = bearer else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "who asks? send `Authorization: Bearer` and a token of an issuer in [[identity.jwt]]",
        ));
    };
    let headers = BTreeMap::from([(TOKEN_HEADER.to_owned(), token)]);
    let evidence =
        Evidence { headers: &headers, user: "", auth_method: "", peer_certificates: &[], attested: None };
    let identified = admin
        .identifier
        .ask(evidence, (admin.now)())
        .await
        .map_err(|error| Problem::new(StatusCode::UNAUTHORIZED, error.to_string()))?;
    let how = identified.how.to_string();
    // Bad evidence was an error above; no user at all is nobody here.
    let user =
        identified.user.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "the token names no user"))?;
    let subject = match identified.roles {
        // A token with roles of its own is whole: no directory has to know its user, and none could add to it.
        Some(roles) => Subject { user: Some(user), groups: identified.groups, roles: Some(roles) },
        None => with_groups(admin, &user, identified.groups).await?,
    };
    Ok(Caller { subject, how, door: Door::AdminTcp, root: false })
}

/// A user with the directory's groups and those that the evidence carries.
pub(super) async fn with_groups(admin: &Admin, user: &str, own: Vec<String>) -> Result<Subject, Problem> {
    let looked = admin.directory.groups(user).await.map_err(|error| {
        Problem::new(StatusCode::FORBIDDEN, format!("{}: {error}", super::problem::shown(user)))
    })?;
    let mut groups = looked.groups;
    groups.extend(own);
    groups.sort();
    groups.dedup();
    Ok(Subject { user: Some(looked.user), groups, roles: None })
}

/// Nothing here is for caches, frames or guesses of a content type.
fn with_headers(mut answer: Response) -> Response {
    use hyper::header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS};
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if answer.status() == StatusCode::TOO_MANY_REQUESTS {
        answer.headers_mut().insert(hyper::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if answer.status() == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(hyper::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}
