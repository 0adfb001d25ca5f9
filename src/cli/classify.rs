//! `wharfinger classify`: says of each question what it is and needs, without daemon or policy.

use std::io::{self, BufRead, Write};

use serde::Serialize;

use crate::engine::{Call, Classified, Door, classify};
use crate::plugin::wire::Question;

/// One line of output.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// The operation's name; null if it is unknown.
    operation: Option<&'static str>,
    /// Everything that must be granted; empty if the call is refused.
    requirements: Vec<Needed>,
    /// Why the call is denied before any policy is asked; null if it is not.
    pub(super) refused: Option<Refused>,
}

#[derive(Debug, Serialize)]
struct Needed {
    action: &'static str,
    resource: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// Reads questions, the JSON that dockerd sends, one a line, and writes one JSON line for each.
///
/// The questions count as seen by the plugin alone. Blank lines are skipped.
///
/// # Errors
/// Only for the streams: a line that is no question gets an answer that says so.
pub fn run(input: impl BufRead, output: impl Write) -> io::Result<()> {
    each(input, output, |line| answer(line).0)
}

/// Writes one JSON line for each line that is not blank.
pub(super) fn each<T: Serialize>(
    mut input: impl BufRead,
    mut output: impl Write,
    answer: impl Fn(&[u8]) -> T,
) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return output.flush();
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        serde_json::to_writer(&mut output, &answer(&line))?;
        output.write_all(b"\n")?;
    }
}

/// The answer to one question, and what the call is unless it is refused.
pub(super) fn answer(line: &[u8]) -> (Line, Option<Classified>) {
    let question = match Question::read(line) {
        Ok(question) => question,
        Err(error) => {
            let refused = Refused { code: "question-invalid", message: error.to_string() };
            return (Line { operation: None, requirements: Vec::new(), refused: Some(refused) }, None);
        }
    };
    let call = Call {
        method: &question.request_method,
        uri: &question.request_uri,
        headers: &question.request_headers,
        body: question.request_body.as_deref(),
        door: Door::Plugin,
    };
    match classify(&call) {
        Ok(classified) => {
            let requirements = classified
                .requirements
                .iter()
                .map(|needed| Needed { action: needed.action.name(), resource: needed.resource.to_string() })
                .collect();
            let operation = Some(classified.operation.name());
            (Line { operation, requirements, refused: None }, Some(classified))
        }
        Err(refusal) => {
            let operation = refusal.operation.map(crate::authz::Action::name);
            let refused = Refused { code: refusal.code.name(), message: refusal.message };
            (Line { operation, requirements: Vec::new(), refused: Some(refused) }, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::run;

    fn answers(questions: &str) -> String {
        let mut output = Vec::new();
        run(questions.as_bytes(), &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_question_gets_its_operation_and_requirements() {
        assert_eq!(
            answers(
                r#"{"RequestMethod":"GET","RequestUri":"/v1.41/containers/json","RequestHeaders":{"User-Agent":"Docker-Client/20.10.24 (linux)"}}"#
            ),
            "{\"operation\":\"container.list\",\"requirements\":[{\"action\":\"container.list\",\"resource\":\"container:*\"}],\"refused\":null}\n"
        );
    }

    #[test]
    fn a_body_is_read_from_its_base64() {
        // {"Privileged":true,"Cmd":["sh"]}
        assert_eq!(
            answers(
                r#"{"RequestMethod":"POST","RequestUri":"/v1.41/containers/web-1/exec","RequestBody":"eyJQcml2aWxlZ2VkIjp0cnVlLCJDbWQiOlsic2giXX0=","RequestHeaders":{"Content-Length":"32","Content-Type":"application/json"}}"#
            ),
            "{\"operation\":\"container.exec\",\"requirements\":[{\"action\":\"container.exec\",\"resource\":\"container:web-1\"},{\"action\":\"host.privileged\",\"resource\":\"host:*\"}],\"refused\":null}\n"
        );
    }

    #[test]
    fn a_refusal_names_the_operation_and_no_requirements() {
        assert_eq!(
            answers(r#"{"RequestMethod":"POST","RequestUri":"/v1.41/containers/x/start"}"#),
            "{\"operation\":\"container.start\",\"requirements\":[],\"refused\":{\"code\":\"body-unexpected\",\"message\":\"this call takes no body, and one could be hidden in it; send it with `Content-Length: 0`\"}}\n"
        );
    }

    #[test]
    fn every_line_that_is_no_question_is_answered_and_the_next_one_too() {
        let output = answers("not json\n\n[]\n{}\n{\"RequestMethod\":\"GET\",\"RequestUri\":\"/_ping\"}");
        let codes: Vec<bool> =
            output.lines().map(|line| line.contains("\"code\":\"question-invalid\"")).collect();
        assert_eq!(codes, [true, true, true, false]);
    }
}
