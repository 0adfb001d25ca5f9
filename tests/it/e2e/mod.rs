//! End to end: the real docker command line, a real dockerd, the program as built, the shipped policy.

mod certificate;
mod directory;
mod failing;
mod gateway;
mod login;
mod names;
mod ownership;
mod paths;
mod people;
mod policy;
mod token;
mod trail;
mod view;

use crate::support::process::Said;

/// The message of a denial, without docker's words around it and without the id; and the id.
#[track_caller]
fn denial(said: Said) -> (String, String) {
    let error = said.refused();
    let line = error
        .lines()
        .find_map(|line| line.split_once("authorization denied by plugin wharfinger: "))
        .unwrap_or_else(|| panic!("no denial: {error}"))
        .1;
    // `docker run` of older command lines puts a full stop behind it.
    let (message, id) = line.trim_end_matches('.').trim_end_matches(']').rsplit_once(" [").unwrap();
    (message.to_owned(), id.to_owned())
}
