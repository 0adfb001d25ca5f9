//! Which of dockerd's questions are about calls of our own gateway.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::judge::Shown;
use super::ticket::Tickets;
use crate::identity::GATEWAY_HEADER;

/// Knows the gateway's calls; the default knows none, so that nobody passes for the gateway.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// The tickets of the gateway in this process.
    pub tickets: Arc<Tickets>,
}

impl Gate {
    /// What a question shows of the gateway. A ticket is used up by this.
    pub(super) fn admit(
        &self,
        method: &str,
        uri: &str,
        headers: &BTreeMap<String, String>,
        _now: Timestamp,
    ) -> Shown {
        // Only this spelling is the gateway's; what resembles it is bad evidence like every header of that beginning.
        let Some(value) = headers.get(GATEWAY_HEADER) else { return Shown::Nothing };
        match self.tickets.redeem(value, method, uri) {
            Some(ticket) => Shown::Ticket(ticket),
            None => Shown::Forgery,
        }
    }
}
