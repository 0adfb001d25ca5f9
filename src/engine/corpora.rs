//! A short run of the fuzz targets: their corpora, and inputs near them, in every run of the tests.
#![cfg(test)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::fuzzing;

/// Inputs made from the corpus of one target, beside the corpus itself.
const MUTATIONS: usize = 4000;

/// Words that change what a call means.
const WORDS: &[&str] = &[
    "%2f",
    "%2e%2e",
    "//",
    "/../",
    "?",
    "&",
    "=",
    ";",
    "#",
    "%",
    "%00",
    "%25",
    "+",
    "v1.41/",
    "v1.22/",
    "*",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\u0000",
    "\\ud800",
    "\\u017f",
    "\u{17f}",
    "\u{212a}",
    "null",
    "true",
    "-1",
    "1e9",
    "\"HostConfig\":{",
    "\"hostconfig\":null,",
    "\"Privileged\":true,",
    "\"Binds\":[\"/:/x\"],",
    "sha256:",
    "@",
    "container:",
    "host",
    "\n",
    "\n\n",
    "Content-Type: application/x-www-form-urlencoded\n",
    "Content-Length: 0\n",
    "POST ",
    "{{",
];

/// Feeds a target its corpus and a fixed number of inputs near it, the same in every run.
pub(crate) fn run(target: &str, feed: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mutated = (0..MUTATIONS).map(|_| dice.mutated(&corpus)).collect::<Vec<_>>();
    for input in corpus.iter().chain(&mutated) {
        let held = catch_unwind(AssertUnwindSafe(|| feed(input)));
        assert!(held.is_ok(), "add to fuzz/corpus/{target}: {:?}", String::from_utf8_lossy(input));
    }
}

/// Numbers that look random and are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// An input of the corpus with one to four changes.
    fn mutated(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            let (from, to) = (self.below(input.len() + 1), self.below(input.len() + 1));
            let part = from.min(to)..from.max(to);
            match self.below(6) {
                0 => drop(input.drain(part)),
                1 => input.splice(from..from, input[part].to_vec()).for_each(drop),
                2 => input.splice(from..from, WORDS[self.below(WORDS.len())].bytes()).for_each(drop),
                3 => input.splice(part, WORDS[self.below(WORDS.len())].bytes()).for_each(drop),
                4 => {
                    let other = &corpus[self.below(corpus.len())];
                    let rest = other[self.below(other.len() + 1)..].to_vec();
                    input.splice(from.., rest).for_each(drop);
                }
                _ => {
                    if let Some(byte) = input.get_mut(from) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
        input
    }
}

#[test]
fn no_target_near_those_of_the_corpus_breaks_what_always_holds() {
    run("uri", fuzzing::target);
}

#[test]
fn no_body_near_those_of_the_corpus_breaks_what_always_holds() {
    run("body", fuzzing::body);
}

#[test]
fn no_name_near_those_of_the_corpus_breaks_what_always_holds() {
    run("name", fuzzing::name);
}

#[test]
fn no_call_near_those_of_the_corpus_breaks_what_always_holds() {
    run("call", fuzzing::call);
}
