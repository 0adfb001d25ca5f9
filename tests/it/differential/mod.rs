//! What a real engine did to raw HTTP requests, held against what the plugin would have required of them.
//!
//! The engine's plugin here allows everything and keeps the questions. A spelling may be refused, and it may
//! require more than was done; an effect that was not required is the failure that this test exists for.

use wharfinger::engine::{Call, Classified, Door, Refusal, classify};
use wharfinger::plugin::wire::Question;

use crate::support::dockerd::{Dockerd, Ground};
use crate::support::stub::Recorder;

mod calls;
mod effects;
mod powers;
mod request;
mod spellings;
mod view;

use calls::Prepared;
use effects::Effect;
use request::{Request, send};
use view::View;

/// An engine with a few objects in it, and the questions that it asks.
struct Bench {
    recorder: Recorder,
    dockerd: Dockerd,
    empty: View,
    _ground: Ground,
}

/// What one request came to.
#[derive(Debug)]
struct Outcome {
    effects: Vec<Effect>,
    questions: Vec<Result<Classified, Refusal>>,
}

#[test]
fn every_plain_call_does_something_and_all_of_it_is_required() {
    let bench = Bench::new();
    for call in calls::all() {
        let mut before = bench.prepare(&call);
        let outcome = bench.try_out(&call, &call.request, &mut before);
        if call.usual {
            assert!(!outcome.effects.is_empty(), "`{}` did nothing: {outcome:?}", call.name);
            assert!(outcome.is_taken(), "`{}` is refused: {outcome:?}", call.name);
        }
        assert_eq!(outcome.unrequired(), Vec::<String>::new(), "`{}`", call.name);
    }
}

#[test]
fn no_spelling_of_a_sample_makes_the_engine_do_what_was_not_required() {
    Bench::new().try_spellings(|at| at % 50 == 0);
}

#[test]
#[ignore = "takes a quarter of an hour: `tests/run long` runs it"]
fn no_spelling_makes_the_engine_do_what_was_not_required() {
    Bench::new().try_spellings(|_| true);
}

impl Bench {
    fn new() -> Self {
        let ground = Ground::in_memory(&["carol"]);
        let recorder = Recorder::start(&ground.plugin_socket());
        let dockerd = Dockerd::start(&ground);
        dockerd.import_busybox("carol");
        let empty = View::of(&dockerd.raw_socket());
        Self { recorder, dockerd, empty, _ground: ground }
    }

    /// Tries the spellings of every call whose number, counted through, is chosen.
    #[track_caller]
    fn try_spellings(&self, chosen: impl Fn(usize) -> bool) {
        let (mut number, mut tried, mut taken, mut found) = (0, 0, 0, Vec::new());
        for call in calls::all() {
            let mut before = self.prepare(&call);
            for (spelling, request) in spellings::of(&call.request) {
                number += 1;
                if !chosen(number) {
                    continue;
                }
                let outcome = self.try_out(&call, &request, &mut before);
                tried += 1;
                taken += usize::from(!outcome.effects.is_empty() && outcome.is_taken());
                for effect in outcome.unrequired() {
                    found.push(format!("{} | {spelling}: {effect}", call.name));
                }
            }
        }
        assert!(found.is_empty(), "{} of {tried} spellings:\n{}", found.len(), found.join("\n"));
        // Otherwise nothing was compared.
        assert!(taken > tried / 10, "only {taken} of {tried} spellings were taken and did something");
        println!("{tried} spellings, of which {taken} were taken and did something");
    }

    /// Brings the engine into the state that the call starts from.
    fn prepare(&self, call: &Prepared) -> View {
        let socket = self.dockerd.raw_socket();
        view::undo(&socket, &self.empty, &View::of(&socket));
        for request in &call.before {
            send(&socket, request);
        }
        View::of(&socket)
    }

    /// Sends a spelling of the call and looks at what changed since `before`, which is kept true.
    fn try_out(&self, call: &Prepared, request: &Request, before: &mut View) -> Outcome {
        let socket = self.dockerd.raw_socket();
        drop(self.recorder.take());
        send(&socket, request);
        let questions = self.recorder.take().iter().map(|question| classified(question)).collect();
        let after = View::of(&socket);
        let effects = effects::between(before, &after);
        if !effects.is_empty() && !view::undo(&socket, before, &after) {
            *before = self.prepare(call);
        }
        Outcome { effects, questions }
    }
}

impl Outcome {
    fn is_taken(&self) -> bool {
        self.questions.iter().all(Result::is_ok)
    }

    /// The effects that none of the questions required. A refused question is a call that would not have been
    /// made, so then nothing is left to require.
    fn unrequired(&self) -> Vec<String> {
        if !self.is_taken() {
            return Vec::new();
        }
        let required: Vec<_> =
            self.questions.iter().flatten().flat_map(|classified| classified.requirements.iter()).collect();
        self.effects
            .iter()
            .filter(|effect| !required.iter().any(|requirement| effect.is_covered_by(requirement)))
            .map(ToString::to_string)
            .collect()
    }
}

fn classified(question: &[u8]) -> Result<Classified, Refusal> {
    let question = Question::read(question).unwrap();
    classify(&Call {
        method: &question.request_method,
        uri: &question.request_uri,
        headers: &question.request_headers,
        body: question.request_body.as_deref(),
        door: Door::Plugin,
    })
}
