//! The door for the fuzz target of questions; for it and for tests.

use super::wire::Question;
use crate::engine::{Call, Door, fuzzing};

/// A question is read or refused, and what is read is a call that is classified or refused.
pub fn question(bytes: &[u8]) {
    let Ok(question) = Question::read(bytes) else { return };
    fuzzing::classification(&Call {
        method: &question.request_method,
        uri: &question.request_uri,
        headers: &question.request_headers,
        body: question.request_body.as_deref(),
        door: Door::Plugin,
    });
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_question_near_those_of_the_corpus_breaks_what_always_holds() {
        crate::engine::corpora::run("question", super::question);
    }
}
