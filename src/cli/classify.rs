//! `wharfinger classify`: says of each question what it is and needs, without daemon or policy.

use std::io::{self, BufRead, Write};

use serde::Serialize;
use serde::de::IgnoredAny;

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

/// Reads questions, the JSON that dockerd sends, and writes one JSON line for each.
///
/// # Errors
/// Only for the streams: what is no question gets an answer that says so.
pub fn run(input: impl BufRead, output: impl Write, door: Door) -> io::Result<()> {
    each(input, output, |question| answer(question, door).0)
}

/// As [`run`], with a line each requirement or refusal, and an empty line after each question.
///
/// # Errors
/// As [`run`].
pub fn run_as_text(input: impl BufRead, mut output: impl Write, door: Door) -> io::Result<()> {
    questions(input, |question| {
        let line = answer(question, door).0;
        for needed in &line.requirements {
            writeln!(output, "= {} {}", needed.action, needed.resource)?;
        }
        if let Some(refused) = &line.refused {
            writeln!(output, "! {} {}", refused.code, refused.message)?;
        }
        writeln!(output)
    })?;
    output.flush()
}

/// Writes one JSON line for each question.
pub(super) fn each<T: Serialize>(
    input: impl BufRead,
    mut output: impl Write,
    answer: impl Fn(&[u8]) -> T,
) -> io::Result<()> {
    questions(input, |question| {
        serde_json::to_writer(&mut output, &answer(question))?;
        output.write_all(b"\n")
    })?;
    output.flush()
}

/// Splits the input into questions: each is one line, or as many as its JSON goes on for. Blank
/// lines are skipped.
fn questions(mut input: impl BufRead, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let (mut open, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        let ended = input.read_until(b'\n', &mut line)? == 0;
        if ended || (!open.is_empty() && !could_go_on(&open, &line)) {
            // What stays open is no question, and the next line may well be one.
            if !open.is_empty() {
                each(&open)?;
                open.clear();
            }
            if ended {
                return Ok(());
            }
        }
        if open.is_empty() && line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        open.extend_from_slice(&line);
        if !is_cut_off(&open) {
            each(&open)?;
            open.clear();
        }
    }
}

/// Whether a line belongs to the JSON that is open.
fn could_go_on(open: &[u8], line: &[u8]) -> bool {
    let whole = [open, line].concat();
    is_cut_off(&whole) || serde_json::from_slice::<IgnoredAny>(&whole).is_ok()
}

fn is_cut_off(json: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(json).is_err_and(|error| error.is_eof())
}

/// A header's name as Go writes it: `Content-Type`.
fn canonical(name: &str) -> String {
    let mut upper = true;
    let written = |c: char| {
        let written = if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        upper = c == '-';
        written
    };
    name.chars().map(written).collect()
}

/// The answer to one question, and what the call is unless it is refused.
pub(super) fn answer(line: &[u8], door: Door) -> (Line, Option<Classified>) {
    let question = match Question::read(line) {
        Ok(question) => question,
        Err(error) => {
            let refused = Refused { code: "question-invalid", message: error.to_string() };
            return (Line { operation: None, requirements: Vec::new(), refused: Some(refused) }, None);
        }
    };
    // dockerd writes names so; those who write a question by hand need not.
    let headers =
        question.request_headers.iter().map(|(name, value)| (canonical(name), value.clone())).collect();
    let call = Call {
        method: &question.request_method,
        uri: &question.request_uri,
        headers: &headers,
        body: question.request_body.as_deref(),
        door,
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
    use super::{run, run_as_text};
    use crate::engine::Door;

    fn answers(questions: &str) -> String {
        let mut output = Vec::new();
        run(questions.as_bytes(), &mut output, Door::Plugin).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_question_may_be_spread_over_lines_and_one_that_is_cut_off_does_not_take_the_next_with_it() {
        let spread = "{\n  \"RequestMethod\": \"GET\",\n\n  \"RequestUri\": \"/_ping\"\n}\n";
        let ping = "{\"operation\":\"system.ping\",\"requirements\":[{\"action\":\"system.ping\",\"resource\":\"system:*\"}],\"refused\":null}\n";
        assert_eq!(answers(spread), ping);
        assert_eq!(answers(&spread.repeat(2)), ping.repeat(2));
        let cut = answers(&format!("{{\"RequestMethod\":\"GET\"\n{spread}{{"));
        let lines: Vec<&str> = cut.lines().collect();
        assert_eq!(lines.len(), 3, "{cut}");
        assert!(lines[0].contains("question-invalid") && lines[2].contains("question-invalid"), "{cut}");
        assert_eq!(lines[1], ping.trim_end());
    }

    #[test]
    fn text_has_a_line_each_requirement_or_refusal_and_the_door_counts() {
        let questions = "{\"RequestMethod\":\"POST\",\"RequestUri\":\"/v1.41/build?t=a\"}\nx\n";
        let text = |door| {
            let mut output = Vec::new();
            run_as_text(questions.as_bytes(), &mut output, door).unwrap();
            String::from_utf8(output).unwrap()
        };
        let invalid = "! question-invalid question without a request method and target\n\n";
        let build = "= image.build image:docker.io/library/a:latest\n";
        assert_eq!(text(Door::Plugin), format!("{build}= build.unchecked build:*\n\n{invalid}"));
        assert_eq!(text(Door::Gateway), format!("{build}\n{invalid}"));
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
    fn the_case_of_a_headers_name_does_not_count() {
        for name in ["Content-Length", "content-length", "CONTENT-LENGTH"] {
            let question = format!(
                r#"{{"RequestMethod":"POST","RequestUri":"/containers/x/start","RequestHeaders":{{"{name}":"0"}}}}"#
            );
            assert!(answers(&question).ends_with("\"refused\":null}\n"), "{name}");
        }
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
