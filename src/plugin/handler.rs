//! The one handler: a question is judged and recorded, and only then answered.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tracing::{debug, error, info, warn};

use super::counters::{Counters, count};
use super::gate::Gate;
use super::judge::{Judge, Judged, Shown, deny};
use super::message::for_user;
use super::settings::Settings;
use super::ticket;
use super::wire::{Answer, Question};
use crate::audit::{
    Actor, ContentHash, DecisionEntry, DecisionId, Door, Http, InFlight, Object, ResponseEntry, Trail,
    Verdict, outcome,
};
use crate::authz::{Action, Cause, Decision, Mode, Subject};
use crate::inventory::Expected;

/// Where time and randomness come from: the rim reads them, tests choose them.
#[derive(Clone, Copy, Debug)]
pub struct Sources {
    /// The wall clock.
    pub now: fn() -> Timestamp,
    /// Ten random bytes.
    pub random: fn() -> [u8; 10],
}

/// Answers dockerd's questions.
#[derive(Debug)]
pub struct Handler {
    settings: Settings,
    judge: Judge,
    trail: Arc<Trail>,
    in_flight: InFlight<Call>,
    gate: Gate,
    sources: Sources,
    counters: Arc<Counters>,
}

/// A call that was let through, until dockerd reports its end.
#[derive(Debug)]
struct Call {
    id: DecisionId,
    user: Option<String>,
    operation: Option<Action>,
    object: Option<Object>,
    expected: Option<Expected>,
    since: Instant,
}

impl Handler {
    /// A handler with everything that an answer takes.
    pub fn new(
        settings: Settings,
        judge: Judge,
        trail: Arc<Trail>,
        sources: Sources,
        counters: Arc<Counters>,
    ) -> Self {
        let in_flight = InFlight::new(InFlight::<Call>::CAPACITY);
        Self { settings, judge, trail, in_flight, gate: Gate::default(), sources, counters }
    }

    /// The same handler, which knows the calls that come through our own gateway.
    #[must_use]
    pub fn behind(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    /// Answers `AuthZPlugin.AuthZReq`.
    pub async fn request(self: &Arc<Self>, question: Question) -> Answer {
        let Question { request_method, request_uri, request_headers, .. } = &question;
        if let Some(own) = self.judge.inventory.own_call(request_method, request_uri, request_headers) {
            return Answer::to_own_call(own);
        }
        let since = Instant::now();
        let time = (self.sources.now)();
        let shown = self.gate.admit(request_method, request_uri, request_headers, time);
        let id = match &shown {
            // The gateway has chosen it already, so that what is created can carry it.
            Shown::Ticket(ticket) => ticket.id,
            Shown::Nothing | Shown::Forgery => DecisionId::new(time, (self.sources.random)()),
        };
        let question = Arc::new(question);
        let judged = self.judged(&question, &shown).await;
        self.conclude(Moment { id, time, since }, &question, &shown, judged).await
    }

    /// Answers `AuthZPlugin.AuthZRes`, always with an allow: the daemon has acted already, and a denial here would
    /// only hide from the user what has happened.
    pub async fn response(&self, question: Question) -> Answer {
        let Question { request_method, request_uri, request_headers, .. } = &question;
        if self.judge.inventory.own_call_ended(request_method, request_uri, request_headers) {
            return Answer::acknowledged();
        }
        let mut call = self.in_flight.take(content(&question));
        let time = (self.sources.now)();
        let operation = call.as_ref().and_then(|call| call.operation);
        let entry = ResponseEntry {
            id: DecisionId::new(time, (self.sources.random)()),
            time,
            decision: call.as_ref().map(|call| call.id),
            user: call.as_ref().and_then(|call| call.user.clone()),
            operation: operation.map(|operation| operation.name().to_owned()),
            object: call.as_ref().and_then(|call| call.object.clone()),
            status: question.response_status_code,
            outcome: outcome(operation, question.response_status_code),
            created: question.response_body.as_deref().and_then(|body| created(operation?, body)),
            elapsed_us: call.as_ref().map(|call| micros(call.since)),
        };
        if let Some(expected) = call.as_mut().and_then(|call| call.expected.take()) {
            let body = question.response_body.as_deref();
            self.judge.inventory.learn(expected, question.response_status_code, body).await;
        }
        if let Err(error) = self.trail.response(entry).await {
            warn!(%error, "the outcome of a call could not be recorded");
        }
        Answer::acknowledged()
    }

    /// Judges in a task of its own and with a deadline: a panic or a hung look-up ends one question, as a denial.
    async fn judged(self: &Arc<Self>, question: &Arc<Question>, shown: &Shown) -> Judged {
        let (handler, asked, shown) = (Arc::clone(self), Arc::clone(question), shown.clone());
        let mut task = tokio::spawn(async move {
            let now = (handler.sources.now)();
            handler.judge.judge(&asked, &shown, now).await
        });
        match tokio::time::timeout(self.settings.deadline, &mut task).await {
            Ok(Ok(judged)) => judged,
            Ok(Err(panic)) => {
                count(&self.counters.panics);
                error!(%panic, method = question.request_method, "a question could not be judged");
                self.unjudged("wharfinger failed on this call; its log says where")
            }
            Err(_) => {
                task.abort();
                let seconds = self.settings.deadline.as_secs_f64();
                self.unjudged(&format!("no decision within {seconds} s; try again"))
            }
        }
    }

    /// The denial of a call about which nothing is known.
    fn unjudged(&self, message: &str) -> Judged {
        Judged {
            subject: Subject::anonymous(),
            how: "unknown".to_owned(),
            roles: Vec::new(),
            policy: self.judge.policy.current(),
            classified: None,
            operation: None,
            expected: None,
            decision: deny(Cause::Internal, message.to_owned()),
        }
    }

    /// Records the decision, and answers with what was recorded.
    async fn conclude(
        &self,
        moment: Moment,
        question: &Question,
        shown: &Shown,
        mut judged: Judged,
    ) -> Answer {
        let Moment { id, since, .. } = moment;
        let denial = judged.decision.denial().map(|denial| denial.message.clone());
        let mode = match &judged.decision {
            Decision::Observe(mode, _) => Some(*mode),
            Decision::Permit(_) | Decision::PermitInPart(_) | Decision::Deny(_) => None,
        };
        let call = Call {
            id,
            user: judged.subject.user.clone(),
            operation: judged.operation,
            object: judged.classified.as_ref().map(|classified| Object::from(&classified.object)),
            expected: judged.expected.take(),
            since,
        };
        let verdict = match shown {
            Shown::Ticket(ticket) => Some((ticket, verdict(id, &judged))),
            Shown::Nothing | Shown::Forgery => None,
        };
        let entry = entry(&moment, question, shown, judged);
        let recorded = self.trail.record(entry).await;
        if let Some((ticket, mut verdict)) = verdict {
            // What is not on record was not permitted, whatever was decided.
            if let Err(error) = &recorded {
                verdict.decision = deny(Cause::AuditUnavailable, error.to_string());
            }
            ticket.decided(verdict);
        }
        match recorded {
            Ok(recorded) if recorded.verdict() == Verdict::Permit => {
                count(&self.counters.permitted);
                match mode {
                    None => debug!(%id, user = call.user, "permitted"),
                    Some(Mode::Observe) => {
                        debug!(%id, user = call.user, "would be denied, and is only observed");
                    }
                    Some(Mode::Warn) => {
                        let reason = super::message::one_line(denial.as_deref().unwrap_or_default());
                        warn!(%id, user = call.user, reason, "would be denied, and is let through with this warning");
                    }
                }
                self.in_flight.insert(content(question), call);
                Answer::of(&recorded, String::new())
            }
            Ok(recorded) => {
                count(&self.counters.denied);
                let message = denial.unwrap_or_default();
                info!(%id, user = call.user, reason = super::message::one_line(&message), "denied");
                Answer::of(&recorded, for_user(&message, id))
            }
            // What is not on record is not allowed.
            Err(error) => {
                count(&self.counters.denied);
                count(&self.counters.unrecorded);
                error!(%id, %error, "denied, because the decision could not be recorded");
                Answer::unrecorded(for_user(
                    &format!(
                        "the audit trail cannot be written, so every call is denied: {}; tell your administrator",
                        error.summary()
                    ),
                    id,
                ))
            }
        }
    }
}

/// When a question came, and what its record is going to be called.
#[derive(Clone, Copy, Debug)]
struct Moment {
    id: DecisionId,
    time: Timestamp,
    since: Instant,
}

/// What the gateway is told.
fn verdict(id: DecisionId, judged: &Judged) -> ticket::Verdict {
    ticket::Verdict {
        subject: judged.subject.clone(),
        policy: Arc::clone(&judged.policy),
        classified: judged.classified.clone(),
        decision: judged.decision.clone(),
        id,
    }
}

fn entry(moment: &Moment, question: &Question, shown: &Shown, judged: Judged) -> DecisionEntry {
    let Moment { id, time, since } = *moment;
    let door = match shown {
        Shown::Ticket(_) => Door::Gateway,
        Shown::Nothing | Shown::Forgery => Door::Plugin,
    };
    let agent = question.request_headers.get("User-Agent").map(String::as_str);
    let http = Http::new(&question.request_method, &question.request_uri, agent);
    let mut entry = DecisionEntry::new(id, time, door, http, &judged.decision);
    entry.actor = Actor {
        user: judged.subject.user,
        groups: judged.subject.groups,
        roles: judged.roles,
        how: judged.how,
    };
    entry.operation = judged.operation.map(|operation| operation.name().to_owned());
    entry.verb = judged.classified.as_ref().map(|classified| classified.verb.to_owned());
    entry.object = judged.classified.as_ref().map(|classified| Object::from(&classified.object));
    entry.policy_version.clone_from(&judged.policy.digest);
    entry.duration_us = micros(since);
    entry
}

/// What dockerd repeats of a call when it reports the end: it gives calls no id.
fn content(question: &Question) -> ContentHash {
    ContentHash::of(
        &question.user,
        &question.request_method,
        &question.request_uri,
        question.request_headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        question.request_body.as_deref().unwrap_or_default(),
    )
}

/// The id of what a call created, as the Engine API's answers to creations hold it. Others hold ids as well: of what
/// was read.
fn created(operation: Action, body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Created {
        #[serde(rename = "Id", alias = "ID")]
        id: Option<String>,
    }
    let creates = matches!(
        operation,
        Action::ContainerCreate
            | Action::ContainerExec
            | Action::ImageCommit
            | Action::NetworkCreate
            | Action::ServiceCreate
            | Action::SecretCreate
            | Action::ConfigCreate
    );
    let created = creates.then(|| serde_json::from_slice::<Created>(body).ok()).flatten();
    created?.id.filter(|id| !id.is_empty() && id.len() <= 128)
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use jiff::Timestamp;

    use super::{Handler, Judge, Question, Settings, Sources};
    use crate::audit::{self, Trail};
    use crate::authz::Action;
    use crate::directory::Directory;
    use crate::identity::Identifier;
    use crate::inventory::{self, Inventory};
    use crate::plugin::Counters;
    use crate::policy::{PolicySource, Store};

    pub(in crate::plugin) fn handler(directory: &tempfile::TempDir, now: fn() -> Timestamp) -> Arc<Handler> {
        let stamp: audit::Stamp = Arc::new(|| (Timestamp::UNIX_EPOCH, [9; 10]));
        let trail = Trail::open(audit::Settings::new(directory.path().join("audit.db"), stamp)).unwrap();
        let inventory = inventory::Settings {
            docker_socket: directory.path().join("docker.sock"),
            ..inventory::Settings::default()
        };
        let inventory =
            Inventory::open(inventory, &directory.path().join("audit.db"), epoch, || [7; 16]).unwrap();
        let judge = Judge {
            identifier: Identifier::new(crate::identity::Settings::default()).unwrap(),
            directory: Arc::new(Directory::new(crate::directory::Settings::default(), epoch).unwrap()),
            policy: Arc::new(Store::open(PolicySource::Embedded).unwrap()),
            inventory: Arc::new(inventory),
            hostfs: crate::hostfs::HostFs::new(crate::hostfs::Settings::default()),
            minimum_api_version: crate::engine::ApiVersion::OLDEST,
        };
        Arc::new(Handler::new(
            Settings::default(),
            judge,
            Arc::new(trail),
            Sources { now, random },
            Arc::new(Counters::default()),
        ))
    }

    /// Different each time, as ids must be.
    fn random() -> [u8; 10] {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        bytes
    }

    fn epoch() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn question(method: &str, uri: &str) -> Question {
        Question { request_method: method.to_owned(), request_uri: uri.to_owned(), ..Question::default() }
    }

    fn json(answer: &super::Answer) -> serde_json::Value {
        serde_json::to_value(answer).unwrap()
    }

    #[tokio::test]
    async fn what_everyone_may_do_is_allowed_and_the_rest_denied_with_the_reason_and_an_id() {
        let directory = tempfile::tempdir().unwrap();
        let handler = handler(&directory, epoch);
        assert_eq!(
            json(&handler.request(question("GET", "/_ping")).await),
            serde_json::json!({"Allow": true})
        );
        let denied = json(&handler.request(question("GET", "/v1.41/containers/json")).await);
        assert_eq!(denied["Allow"], false);
        let message = denied["Msg"].as_str().unwrap();
        let expected = "anonymous may not container.list (docker ps): no role that anonymous holds grants it [0000000000";
        assert!(message.starts_with(expected), "{message}");
    }

    #[tokio::test]
    async fn a_panic_in_one_question_is_a_denial_on_record_and_the_next_question_is_answered() {
        static PANIC: AtomicBool = AtomicBool::new(false);
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        /// Panics where the question is judged, which reads the clock after its arrival was stamped.
        fn clock() -> Timestamp {
            let judging = PANIC.load(Ordering::SeqCst) && ASKED.fetch_add(1, Ordering::SeqCst) == 1;
            assert!(!judging, "planted");
            Timestamp::UNIX_EPOCH
        }
        let directory = tempfile::tempdir().unwrap();
        let handler = handler(&directory, clock);
        PANIC.store(true, Ordering::SeqCst);
        let denied = json(&handler.request(question("GET", "/_ping")).await);
        PANIC.store(false, Ordering::SeqCst);
        assert_eq!(denied["Allow"], false);
        assert!(
            denied["Msg"]
                .as_str()
                .unwrap()
                .starts_with("wharfinger failed on this call; its log says where [")
        );
        assert_eq!(handler.counters.panics.load(Ordering::Relaxed), 1);
        assert_eq!(handler.counters.unrecorded.load(Ordering::Relaxed), 0);
        assert_eq!(
            json(&handler.request(question("GET", "/_ping")).await),
            serde_json::json!({"Allow": true})
        );
    }

    #[tokio::test]
    async fn calls_of_an_older_api_version_than_the_settings_say_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut handler = handler(&directory, epoch);
        Arc::get_mut(&mut handler).unwrap().judge.minimum_api_version =
            crate::engine::ApiVersion::parse("1.41").unwrap();
        let denied = json(&handler.request(question("GET", "/v1.40/_ping")).await);
        let message = denied["Msg"].as_str().unwrap();
        assert!(message.starts_with("refused: API version 1.40 is older than 1.41"), "{message}");
        assert_eq!(json(&handler.request(question("GET", "/v1.41/_ping")).await)["Allow"], true);
    }

    #[tokio::test]
    async fn what_cannot_be_recorded_is_denied() {
        let directory = tempfile::tempdir().unwrap();
        let handler = handler(&directory, epoch);
        handler.trail.close().await;
        let denied = json(&handler.request(question("GET", "/_ping")).await);
        assert_eq!(denied["Allow"], false);
        let message = denied["Msg"].as_str().unwrap();
        assert!(
            message.starts_with("the audit trail cannot be written, so every call is denied: "),
            "{message}"
        );
        assert_eq!(handler.counters.unrecorded.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_header_that_claims_to_be_our_own_is_denied_like_all_bad_evidence() {
        let directory = tempfile::tempdir().unwrap();
        let handler = handler(&directory, epoch);
        let mut claim = question("GET", "/_ping");
        claim.request_headers.insert(inventory::SELF_HEADER.to_owned(), "07".repeat(16));
        let denied = json(&handler.request(claim).await);
        assert_eq!(denied["Allow"], false);
        assert!(denied["Msg"].as_str().unwrap().contains("`X-Wharfinger-Self`"), "{denied}");
    }

    #[test]
    fn only_the_answer_to_a_creation_names_what_was_created() {
        let created = |operation, body: &str| super::created(operation, body.as_bytes());
        let (id, swarm) = (r#"{"Id":"ab12"}"#, r#"{"ID":"ab12"}"#);
        for (operation, body) in
            [(Action::ContainerCreate, id), (Action::ImageCommit, id), (Action::SecretCreate, swarm)]
        {
            assert_eq!(created(operation, body).as_deref(), Some("ab12"), "{operation}");
        }
        for operation in
            [Action::SwarmInspect, Action::NodeInspect, Action::ContainerInspect, Action::SystemInfo]
        {
            assert_eq!((created(operation, id), created(operation, swarm)), (None, None), "{operation}");
        }
        assert_eq!(created(Action::ContainerCreate, r#"{"Id":""}"#), None);
    }

    #[tokio::test]
    async fn who_asks_who_they_are_is_told_in_place_of_the_version_and_in_place_of_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let handler = handler(&directory, epoch);
        let asking = |uri: &str| {
            let mut asking = question("GET", uri);
            asking.request_headers.insert("X-Wharfinger-Whoami".to_owned(), "1".to_owned());
            asking
        };
        let told = json(&handler.request(asking("/v1.41/version")).await);
        assert_eq!(told["Allow"], false);
        let message = told["Msg"].as_str().unwrap();
        let expected = "you are anonymous; groups: none; roles: public; known by: anonymous [";
        assert!(message.starts_with(expected), "{message}");
        assert_eq!(json(&handler.request(asking("/_ping")).await), serde_json::json!({"Allow": true}));
        let denied = json(&handler.request(asking("/v1.41/containers/json")).await);
        assert!(denied["Msg"].as_str().unwrap().starts_with("anonymous may not container.list"), "{denied}");
    }

    #[tokio::test]
    async fn the_report_of_an_end_is_acknowledged_whatever_it_says() {
        let directory = tempfile::tempdir().unwrap();
        let handler = handler(&directory, epoch);
        let mut end = question("GET", "/v1.41/containers/json");
        end.response_status_code = Some(200);
        assert_eq!(json(&handler.response(end).await), serde_json::json!({"Allow": true}));
    }

    #[test]
    fn the_id_of_what_was_created_is_found_in_every_kind_of_answer() {
        for (body, expected) in [
            (r#"{"Id":"abc","Warnings":[]}"#, Some("abc")),
            (r#"{"ID":"s1"}"#, Some("s1")),
            (r#"{"Id":""}"#, None),
            (r#"{"Name":"v"}"#, None),
            ("[]", None),
            ("{", None),
        ] {
            assert_eq!(
                super::created(Action::ContainerCreate, body.as_bytes()).as_deref(),
                expected,
                "{body}"
            );
        }
    }
}
