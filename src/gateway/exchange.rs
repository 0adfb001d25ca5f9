//! One call: taken in, refused or forwarded, and what the client gets of the answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, UPGRADE};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::sync::mpsc;
use tracing::{error, warn};

use super::body::{self, Body};
use super::counters::count;
use super::decide::{self, Report};
use super::hygiene::{self, Clean, Unclean};
use super::upstream::{Drive, Upstream, UpstreamError};
use super::view::{self, Plan};
use super::{Behind, Gateway, answer, show};
use crate::authz::Action;
use crate::engine::{Recognised, Refusal, RefusalCode};
use crate::identity::GATEWAY_HEADER;
use crate::plugin::wire::Question;
use crate::plugin::{Holder, SignedCall, Ticket};

/// The call with which a daemon is tried.
const PING: &str = "/_ping";

/// What a client's connection becomes once its request has been answered.
pub(super) enum Become {
    /// One with the daemon's.
    Stream {
        /// The client's side.
        client: OnUpgrade,
        /// The daemon's side.
        daemon: OnUpgrade,
        /// Given when the stream has ended.
        report: Option<Box<Report>>,
    },
    /// A gRPC server that refuses everything for this reason.
    Refusal(OnUpgrade, String),
    /// Nothing: it is held until the client closes it.
    Silence(OnUpgrade),
}

/// The calls of one client's connection.
pub(super) struct Exchange {
    gateway: Arc<Gateway>,
    holder: Holder,
    upstream: Upstream,
    becomes: mpsc::UnboundedSender<Become>,
}

/// A call that may go on, and its ticket.
struct Going {
    call: Recognised,
    method: Method,
    headers: HeaderMap,
    upgrade: Option<HeaderValue>,
    ticket: Arc<Ticket>,
    client: OnUpgrade,
}

/// A body on its way to the daemon.
enum Load {
    /// It was read whole.
    Held(Bytes),
    /// It is passed on as it comes.
    Streamed(Incoming),
}

impl Exchange {
    pub(super) fn new(
        gateway: Arc<Gateway>,
        holder: Holder,
        drives: mpsc::UnboundedSender<Drive>,
        becomes: mpsc::UnboundedSender<Become>,
    ) -> Self {
        let upstream = Upstream::new(gateway.behind.daemon.clone(), drives);
        Self { gateway, holder, upstream, becomes }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        count(&self.gateway.counters.requests);
        let client = hyper::upgrade::on(&mut request);
        let (head, incoming) = request.into_parts();
        let clean = match hygiene::check(&head) {
            Ok(clean) if matches!(self.holder, Holder::Known(_)) => clean,
            Ok(_) => return self.refused(&head, None, StatusCode::FORBIDDEN).await,
            Err(Unclean { status, refusal }) => return self.refused(&head, Some(refusal), status).await,
        };
        let Clean { call, headers, upgrade } = clean;
        let ticket = self.ticket(head.method.as_str(), &call.target, None);
        let mut going = Going { call, method: head.method.clone(), headers, upgrade, ticket, client };
        let load = match self.body(&mut going, incoming).await {
            Ok(body) => body,
            Err(Unclean { status, refusal }) => return self.refused(&head, Some(refusal), status).await,
        };
        self.forward(going, load).await
    }

    fn ticket(&self, method: &str, target: &str, refusal: Option<Refusal>) -> Arc<Ticket> {
        let id = self.gateway.new_id();
        Arc::new(Ticket::new(self.holder.clone(), method, target, id, refusal))
    }

    /// Puts on record that a call was refused, and says so to the client.
    async fn refused(&self, head: &Parts, refusal: Option<Refusal>, status: StatusCode) -> Response<Body> {
        count(&self.gateway.counters.refused);
        let method = head.method.as_str();
        let target = head.uri.to_string();
        let ticket = self.ticket(method, &target, refusal);
        let mut headers = BTreeMap::new();
        if let Some(agent) = head.headers.get("user-agent").and_then(|agent| agent.to_str().ok()) {
            headers.insert("User-Agent".to_owned(), agent.to_owned());
        }
        let handle = self.gateway.issue(ticket);
        headers.insert(GATEWAY_HEADER.to_owned(), handle);
        let question = Question {
            request_method: method.to_owned(),
            request_uri: target,
            request_headers: headers,
            ..Question::default()
        };
        let answered = self.gateway.behind.handler.request(question).await;
        answer::error(status, answered.message())
    }

    /// The body to forward: held where somebody must look at it, else a stream.
    async fn body(&self, going: &mut Going, incoming: Incoming) -> Result<Load, Unclean> {
        let Some(limit) = hygiene::limit(going.call.body) else {
            if let Some(length) = incoming.size_hint().exact() {
                going.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            return Ok(Load::Streamed(incoming));
        };
        let refuse = |status, code, message: &str| Unclean {
            status,
            refusal: Refusal { operation: Some(going.call.operation), ..Refusal::new(code, message) },
        };
        let whole = async { Limited::new(incoming, limit).collect().await };
        let bytes = match tokio::time::timeout(self.gateway.settings.idle, whole).await {
            Ok(Ok(whole)) => whole.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                let message = if limit == 0 {
                    "this call takes no body; send it with `Content-Length: 0`".to_owned()
                } else {
                    format!("the body is longer than {} KiB; send a smaller one", limit >> 10)
                };
                let code = if limit == 0 { RefusalCode::BodyUnexpected } else { RefusalCode::Transport };
                return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, code, &message));
            }
            Ok(Err(error)) => {
                return Err(refuse(
                    StatusCode::BAD_REQUEST,
                    RefusalCode::Transport,
                    &format!("the body broke off: {error}"),
                ));
            }
            Err(_) => {
                return Err(refuse(
                    StatusCode::REQUEST_TIMEOUT,
                    RefusalCode::Transport,
                    "the body did not come in time",
                ));
            }
        };
        let bytes = view::prepare(&going.call, &going.ticket, bytes)
            .map_err(|refusal| Unclean { status: StatusCode::BAD_REQUEST, refusal })?;
        // dockerd's plugin must see that there is no body, and a chunked one is hidden by older engines.
        if !bytes.is_empty() || matches!(going.method, Method::POST | Method::PUT) {
            going.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        Ok(Load::Held(bytes))
    }

    /// Sends the call to the daemon, which asks the plugin about it; or asks first, where the daemon cannot.
    async fn forward(&self, mut going: Going, load: Load) -> Response<Body> {
        let handle = self.gateway.issue(Arc::clone(&going.ticket));
        // Whatever ends this: an unredeemed handle does not stay behind.
        let _withdrawn = Withdrawn { gateway: &self.gateway, handle: &handle };
        let mut report = None;
        let evidence = if self.gateway.settings.decides() {
            match self.decide(&going, &load, handle.clone()).await {
                Ok(permitted) => report = Some(permitted),
                Err(reason) => return self.denied(going, &reason).await,
            }
            self.signature(&going)
        } else {
            if !self.assured(&going.call).await {
                return self.unasked(&going.call);
            }
            Some(handle.clone())
        };
        if let Some(evidence) = evidence {
            let Ok(value) = HeaderValue::from_str(&evidence) else { return internal() };
            going.headers.insert(HeaderName::from_static("x-wharfinger-gateway"), value);
        }
        let body = match load {
            Load::Held(bytes) => body::whole(bytes),
            Load::Streamed(incoming) => body::passed(incoming),
        };
        let Some(request) = request(&going, body) else { return internal() };
        match self.upstream.send(request).await {
            Ok(response) => self.shown(going, response, report).await,
            Err(problem) => self.unanswered(&problem),
        }
    }

    /// Asks for the decision in the daemon's place; a denial is told with its reason.
    async fn decide(&self, going: &Going, load: &Load, handle: String) -> Result<Report, String> {
        let nothing = Bytes::new();
        let held = match load {
            Load::Held(bytes) => bytes,
            Load::Streamed(_) => &nothing,
        };
        let Going { call, method, headers, .. } = going;
        let question = decide::question(method.as_str(), &call.target, headers, held, handle);
        let answered = self.gateway.behind.handler.request(question.clone()).await;
        if answered.allows() {
            Ok(Report::of(Arc::clone(&self.gateway.behind.handler), question))
        } else {
            Err(format!("authorization denied by wharfinger: {}", answered.message()))
        }
    }

    /// What a plugin in another process is shown, where there is one.
    fn signature(&self, going: &Going) -> Option<String> {
        let Behind { key, sources, secret, .. } = &self.gateway.behind;
        let Holder::Known(attested) = &self.holder else { return None };
        let call = SignedCall { id: going.ticket.id, time: (sources.now)(), nonce: secret() };
        key.as_ref()?.sign(attested, going.method.as_str(), &going.call.target, call)
    }

    /// Whether the daemon is known to ask for decisions; before the first call to it, it is tried with a ping.
    ///
    /// A daemon that lost its plugin would carry a call out before anybody could notice.
    async fn assured(&self, call: &Recognised) -> bool {
        // A ping does nothing, and its answer tells.
        if self.gateway.assured.load(Ordering::Relaxed) || call.operation == Action::SystemPing {
            return true;
        }
        let ticket = self.ticket("GET", PING, None);
        let handle = self.gateway.issue(Arc::clone(&ticket));
        let _withdrawn = Withdrawn { gateway: &self.gateway, handle: &handle };
        let request = Request::builder().uri(PING).header(HOST, "docker").header(GATEWAY_HEADER, &handle);
        let Ok(request) = request.body(body::whole("")) else { return false };
        // A daemon that does not answer is told of by the call itself.
        let Ok(response) = self.upstream.send(request).await else { return true };
        drop(Limited::new(response.into_body(), show::SHORT).collect().await);
        let asked = ticket.verdict().is_some();
        self.gateway.assured.store(asked, Ordering::Relaxed);
        asked
    }

    /// A denial, as the daemon would tell it.
    async fn denied(&self, going: Going, reason: &str) -> Response<Body> {
        let status = StatusCode::FORBIDDEN;
        if let Some(verdict) = going.ticket.verdict()
            && let Plan::Hidden(message) = Plan::of(&going.ticket, verdict, status, &self.gateway.views).await
        {
            return answer::error(StatusCode::NOT_FOUND, &message);
        }
        self.no_session(going, reason).unwrap_or_else(|| answer::error(status, reason))
    }

    /// The denial of a build's connection, in a way that people get to read.
    fn no_session(&self, going: Going, reason: &str) -> Option<Response<Body>> {
        let Going { call, upgrade, client, .. } = going;
        let protocol = upgrade.filter(|_| call.operation == Action::BuildSession)?;
        // At `/session` the tool waits for the daemon's calls, and learns the reason from the build itself.
        let becomes = if call.target.ends_with("/grpc") {
            Become::Refusal(client, reason.to_owned())
        } else {
            Become::Silence(client)
        };
        // Without anybody who takes it the connection closes, which is an answer as well.
        self.becomes.send(becomes).ok();
        Some(answer::switching(protocol))
    }

    fn unanswered(&self, problem: &UpstreamError) -> Response<Body> {
        count(&self.gateway.counters.unanswered);
        // It may come back as another daemon.
        self.gateway.assured.store(false, Ordering::Relaxed);
        warn!(%problem, "a call was not answered");
        let message = match problem {
            UpstreamError::Connect { .. } => {
                "the Docker daemon behind the gateway does not answer; is it running?"
            }
            UpstreamError::Broken(_) => {
                "the Docker daemon closed the connection before it answered; it may have restarted: look before you try again"
            }
        };
        answer::error(StatusCode::BAD_GATEWAY, message)
    }

    /// What the client gets of the daemon's answer.
    async fn shown(
        &self,
        going: Going,
        mut response: Response<Incoming>,
        mut report: Option<Report>,
    ) -> Response<Body> {
        let status = response.status();
        if let Some(report) = &mut report {
            report.status(status.as_u16());
        }
        let Some(verdict) = going.ticket.verdict() else {
            // Errors are told before anybody is asked; a success that nobody decided on is a daemon without its plugin.
            return if status.is_client_error() || status.is_server_error() {
                show::passed(response, report)
            } else {
                self.unasked(&going.call)
            };
        };
        self.gateway.assured.store(true, Ordering::Relaxed);
        if status == StatusCode::SWITCHING_PROTOCOLS {
            count(&self.gateway.counters.upgraded);
            let daemon = hyper::upgrade::on(&mut response);
            // Without anybody who takes it the connection closes, which is an answer as well.
            self.becomes
                .send(Become::Stream { client: going.client, daemon, report: report.map(Box::new) })
                .ok();
            let (head, _) = response.into_parts();
            return Response::from_parts(head, body::whole(""));
        }
        let plan = Plan::of(&going.ticket, verdict, status, &self.gateway.views).await;
        if status == StatusCode::FORBIDDEN
            && going.upgrade.is_some()
            && going.call.operation == Action::BuildSession
        {
            let reason = show::denial(response).await;
            return self.no_session(going, &reason).unwrap_or_else(internal);
        }
        show::viewed(plan, response, report).await
    }

    /// Fails closed: whatever the daemon has done, it is not used any further without decisions.
    fn unasked(&self, call: &Recognised) -> Response<Body> {
        count(&self.gateway.counters.unasked);
        self.gateway.assured.store(false, Ordering::Relaxed);
        error!(operation = call.operation.name(), "the daemon carried out a call without asking wharfinger");
        answer::error(
            StatusCode::BAD_GATEWAY,
            "the Docker daemon behind the gateway does not ask wharfinger for decisions; \
             `authorization-plugins` in its daemon.json must list `wharfinger`: tell your administrator",
        )
    }
}

/// Takes a handle back when it is dropped.
struct Withdrawn<'a> {
    gateway: &'a Gateway,
    handle: &'a str,
}

impl Drop for Withdrawn<'_> {
    fn drop(&mut self) {
        self.gateway.behind.tickets.withdraw(self.handle);
    }
}

/// The request to the daemon.
fn request(going: &Going, body: Body) -> Option<Request<Body>> {
    let mut headers = going.headers.clone();
    headers.insert(HOST, HeaderValue::from_static("docker"));
    if let Some(protocol) = &going.upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    }
    let mut request = Request::builder().method(&going.method).uri(&going.call.target).body(body).ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

fn internal() -> Response<Body> {
    answer::error(StatusCode::INTERNAL_SERVER_ERROR, "wharfinger failed on this call; its log says where")
}
