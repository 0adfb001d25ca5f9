//! Tickets: how a call of our own gateway is known again when dockerd asks about it, and what was decided then.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::audit::DecisionId;
use crate::authz::{Decision, Subject};
use crate::engine::{Classified, Refusal};
use crate::identity::Attested;
use crate::policy::Loaded;

/// What was decided about one call, and by what.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Who asks, with the groups that were looked up.
    pub subject: Subject,
    /// The very policy that decided.
    pub policy: Arc<Loaded>,
    /// What the call is and needs, where it could be read.
    pub classified: Option<Classified>,
    /// The decision as it is on record.
    pub decision: Decision,
    /// The id of the record.
    pub id: DecisionId,
}

/// Whom a ticket is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The user whom the kernel and the host's user database named.
    Known(Attested),
    /// Somebody without a usable name: the call is denied and on record, for this reason.
    Refused(String),
}

/// A call that the gateway has taken in.
#[derive(Debug)]
pub struct Ticket {
    /// Who asks.
    pub holder: Holder,
    /// The method, as forwarded.
    pub method: String,
    /// The target, as forwarded.
    pub uri: String,
    /// The id that the decision's record is going to have.
    pub id: DecisionId,
    /// What the gateway itself refuses the call for: it is put on record as a denial, and forwarded to nobody.
    pub refusal: Option<Refusal>,
    verdict: OnceLock<Verdict>,
}

impl Ticket {
    /// A ticket for one call.
    pub fn new(holder: Holder, method: &str, uri: &str, id: DecisionId, refusal: Option<Refusal>) -> Self {
        let (method, uri) = (method.to_owned(), uri.to_owned());
        Self { holder, method, uri, id, refusal, verdict: OnceLock::new() }
    }

    /// What was decided; `None` while, or if, nobody asked.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.get()
    }

    /// Says what was decided, once.
    pub(super) fn decided(&self, verdict: Verdict) {
        // A ticket is redeemed once, so there is no second verdict.
        drop(self.verdict.set(verdict));
    }
}

/// The tickets that are out, each under a handle of 128 random bits.
///
/// A handle is good for one question, and for the exact method and target that it was made for. So one that is seen
/// on its way (dockerd shows all headers to every authorization plugin) is worth nothing.
#[derive(Default)]
pub struct Tickets(Mutex<HashMap<String, Arc<Ticket>>>);

impl Tickets {
    /// Puts a ticket out, and returns its handle: the value of the header.
    ///
    /// `secret` must be new for each ticket, and nobody's to foresee.
    pub fn issue(&self, secret: [u8; 16], ticket: Arc<Ticket>) -> String {
        let handle = format!("{:032x}", u128::from_be_bytes(secret));
        self.out().insert(handle.clone(), ticket);
        handle
    }

    /// The ticket of a handle, for the first question that is about its method and target.
    ///
    /// A question about anything else uses the handle up as well: it has been seen by somebody else.
    pub(super) fn redeem(&self, handle: &str, method: &str, uri: &str) -> Option<Arc<Ticket>> {
        let ticket = self.out().remove(handle)?;
        (ticket.method == method && ticket.uri == uri).then_some(ticket)
    }

    /// Takes back what nobody has asked about.
    pub fn withdraw(&self, handle: &str) {
        self.out().remove(handle);
    }

    /// How many are out.
    pub fn len(&self) -> usize {
        self.out().len()
    }

    /// Whether none is out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn out(&self) -> MutexGuard<'_, HashMap<String, Arc<Ticket>>> {
        // Nothing between lock and unlock can leave the table half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the handles, which are in no log.
impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("out", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(method: &str, uri: &str) -> Arc<Ticket> {
        let holder = Holder::Refused("nobody".to_owned());
        let id = DecisionId::new(jiff::Timestamp::UNIX_EPOCH, [1; 10]);
        Arc::new(Ticket::new(holder, method, uri, id, None))
    }

    #[test]
    fn a_handle_is_good_for_one_question() {
        let tickets = Tickets::default();
        let handle = tickets.issue([0xab; 16], ticket("GET", "/info"));
        assert_eq!(handle, "ab".repeat(16));
        assert!(tickets.redeem(&handle, "GET", "/info").is_some());
        assert!(tickets.redeem(&handle, "GET", "/info").is_none());
        assert!(tickets.is_empty());
    }

    #[test]
    fn a_handle_that_is_shown_with_another_call_is_used_up() {
        for (method, uri) in [("POST", "/info"), ("GET", "/info?x=1"), ("GET", "/v1.41/info")] {
            let tickets = Tickets::default();
            let handle = tickets.issue([1; 16], ticket("GET", "/info"));
            assert!(tickets.redeem(&handle, method, uri).is_none(), "{method} {uri}");
            assert!(tickets.redeem(&handle, "GET", "/info").is_none(), "{method} {uri}");
        }
    }

    #[test]
    fn an_unknown_or_withdrawn_handle_is_good_for_nothing() {
        let tickets = Tickets::default();
        let handle = tickets.issue([1; 16], ticket("GET", "/info"));
        for other in ["", "x", &handle.replace('1', "2")] {
            assert!(tickets.redeem(other, "GET", "/info").is_none(), "{other}");
        }
        tickets.withdraw(&handle);
        assert!(tickets.redeem(&handle, "GET", "/info").is_none());
    }

    #[test]
    fn handles_are_in_no_log() {
        let tickets = Tickets::default();
        tickets.issue([0xab; 16], ticket("GET", "/info"));
        assert_eq!(format!("{tickets:?}"), "Tickets { out: 1, .. }");
    }
}
