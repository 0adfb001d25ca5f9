//! Single-use passes for our own look-ups, about which dockerd asks us as about anybody's calls.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The header that a look-up of ours carries.
pub const HEADER: &str = "X-Wharfinger-Self";

/// The only method of our own look-ups.
pub(super) const METHOD: &str = "GET";

/// Passes that are out; bounded, the oldest goes first.
///
/// A pass is as random as a key, is good for one question and its response, and for the exact method and target
/// that it was issued for. So one that is seen on its way (dockerd shows all headers to every authorization
/// plugin) is worth nothing: it is used up, and it never was good for anything but a look-up.
pub(super) struct Passes {
    capacity: usize,
    out: Mutex<VecDeque<Pass>>,
}

struct Pass {
    token: String,
    target: String,
    asked: bool,
}

impl Passes {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, out: Mutex::new(VecDeque::new()) }
    }

    /// Issues a pass for one `GET` of `target`, and returns the header's value.
    pub(super) fn issue(&self, secret: [u8; 16], target: &str) -> String {
        let token = format!("{:032x}", u128::from_be_bytes(secret));
        let mut out = self.out();
        if out.len() >= self.capacity {
            out.pop_front();
        }
        out.push_back(Pass { token: token.clone(), target: target.to_owned(), asked: false });
        token
    }

    /// Whether the question is about a look-up of ours; once for each pass.
    pub(super) fn admit(&self, method: &str, target: &str, token: &str) -> bool {
        let mut out = self.out();
        let found = place(&out, method, target, token, false);
        let pass = found.and_then(|at| out.get_mut(at));
        pass.map(|pass| pass.asked = true).is_some()
    }

    /// Whether the response is that of an admitted look-up; the pass is gone afterwards.
    pub(super) fn end(&self, method: &str, target: &str, token: &str) -> bool {
        let mut out = self.out();
        let found = place(&out, method, target, token, true);
        found.and_then(|at| out.remove(at)).is_some()
    }

    /// Takes back the pass of a look-up that is over.
    pub(super) fn withdraw(&self, token: &str) {
        self.out().retain(|pass| !same(&pass.token, token));
    }

    fn out(&self) -> MutexGuard<'_, VecDeque<Pass>> {
        // Nothing between lock and unlock can leave the list half changed.
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the tokens, which are in no log.
impl fmt::Debug for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passes").field("out", &self.out().len()).finish_non_exhaustive()
    }
}

fn place(out: &VecDeque<Pass>, method: &str, target: &str, token: &str, asked: bool) -> Option<usize> {
    if method != METHOD {
        return None;
    }
    out.iter().position(|pass| same(&pass.token, token) && pass.target == target && pass.asked == asked)
}

/// Compares without stopping at the first difference, so that the time taken tells nothing.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |found, (a, b)| found | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_good_for_one_question_and_its_response() {
        let passes = Passes::new(8);
        let token = passes.issue([7; 16], "/networks");
        assert!(!passes.end("GET", "/networks", &token));
        assert!(passes.admit("GET", "/networks", &token));
        assert!(!passes.admit("GET", "/networks", &token));
        assert!(passes.end("GET", "/networks", &token));
        assert!(!passes.end("GET", "/networks", &token));
    }

    #[test]
    fn a_pass_is_good_for_its_own_method_and_target_alone() {
        let passes = Passes::new(8);
        let token = passes.issue([7; 16], "/networks");
        assert!(!passes.admit("POST", "/networks", &token));
        assert!(!passes.admit("GET", "/networks?x=1", &token));
        assert!(!passes.admit("GET", "/v1.41/networks", &token));
        assert!(!passes.admit("GET", "/networks", ""));
        assert!(!passes.admit("GET", "/networks", &token.to_uppercase().replace('0', "1")));
        assert!(passes.admit("GET", "/networks", &token));
    }

    #[test]
    fn a_withdrawn_pass_and_one_too_old_are_worth_nothing() {
        let passes = Passes::new(1);
        let first = passes.issue([1; 16], "/a");
        let second = passes.issue([2; 16], "/b");
        assert!(!passes.admit("GET", "/a", &first));
        passes.withdraw(&second);
        assert!(!passes.admit("GET", "/b", &second));
    }

    #[test]
    fn a_pass_is_in_no_log() {
        let passes = Passes::new(8);
        let token = passes.issue([0xab; 16], "/a");
        assert_eq!(token, "ab".repeat(16));
        assert_eq!(format!("{passes:?}"), "Passes { out: 1, .. }");
    }
}
