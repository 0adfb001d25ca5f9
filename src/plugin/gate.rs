//! Which of dockerd's questions are about calls of our own gateway.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::judge::Shown;
use super::signature::{Key, Verifier};
use super::ticket::Tickets;
use crate::identity::GATEWAY_HEADER;

/// Knows the gateway's calls; the default knows none, so that nobody passes for the gateway.
#[derive(Debug, Default)]
pub struct Gate {
    tickets: Arc<Tickets>,
    verifier: Option<Verifier>,
}

impl Gate {
    /// Knows the tickets of the gateway in this process, and what a gateway elsewhere has signed with the key.
    pub fn new(tickets: Arc<Tickets>, key: Option<Key>) -> Self {
        Self { tickets, verifier: key.map(Verifier::new) }
    }

    /// What a question shows of the gateway. A ticket is used up by this.
    pub(super) fn admit(
        &self,
        method: &str,
        uri: &str,
        headers: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Shown {
        // Only this spelling is the gateway's; what resembles it is bad evidence like every header of that beginning.
        let Some(value) = headers.get(GATEWAY_HEADER) else { return Shown::Nothing };
        if let Some(ticket) = self.tickets.redeem(value, method, uri) {
            return Shown::Ticket(ticket);
        }
        let signed = self.verifier.as_ref().and_then(|verifier| verifier.admit(value, method, uri, now));
        signed.map_or(Shown::Forgery, |ticket| Shown::Ticket(Arc::new(ticket)))
    }
}
