//! `wharfinger actions`: the vocabulary of permissions.

use std::io::Write;

use super::args::Output;
use super::{Outcome, output};
use crate::authz::Action;

pub(super) fn run(form: Output, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let rows: Vec<Vec<String>> = Action::ALL
        .iter()
        .map(|action| {
            vec![action.name().to_owned(), format!("{}:…", action.kind().name()), action.summary().to_owned()]
        })
        .collect();
    output::rows(form, &["action", "resource", "allows to"], &rows, out)?;
    Ok(Outcome::Done)
}
