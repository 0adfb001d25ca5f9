//! What the daemon has by a name, and all that it has: for showing nobody more than what he may see.

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::time::timeout;
use tracing::warn;

use super::daemon::{ANSWER_LIMIT, AskError};
use super::{Inventory, lookup};
use crate::authz::Kind;

/// The largest list that is read.
const LIST_LIMIT: usize = 32 << 20;

/// Where a kind of thing is inspected that no list finds by name; `{}` is the name.
const INSPECTIONS: &[(Kind, &str)] = &[
    (Kind::Image, "/images/{}/json"),
    (Kind::Task, "/tasks/{}"),
    (Kind::Node, "/nodes/{}"),
    (Kind::Plugin, "/plugins/{}/json"),
];

/// Where all things of a kind are listed.
const LISTS: &[(Kind, &str)] =
    &[(Kind::Container, "/containers/json?all=1"), (Kind::Image, "/images/json?all=1")];

/// What the daemon has by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Full IDs, each with all names.
    Things(Vec<(String, Vec<String>)>),
    /// The one thing, as its inspection answers.
    Inspected(Bytes),
    /// Things of the kind cannot be asked for: the name is all there is.
    Itself,
}

impl Inventory {
    /// Everything that the daemon could take a text for; `None` where it could not be asked.
    pub async fn identify(&self, kind: Kind, text: &str) -> Option<Found> {
        let answer = timeout(self.settings.deadline, self.look(kind, text)).await;
        answer.unwrap_or(Err(AskError::Deadline)).map_err(|error| failed(kind, &error)).ok()
    }

    /// The daemon's own list of everything of a kind, as it answers; `None` where it could not be asked, or the kind
    /// has no list.
    pub async fn everything(&self, kind: Kind) -> Option<Bytes> {
        let (_, target) = LISTS.iter().find(|(of, _)| *of == kind)?;
        let answer = timeout(self.settings.deadline, lookup::get(&self.daemon, target, LIST_LIMIT)).await;
        answer.unwrap_or(Err(AskError::Deadline)).map_err(|error| failed(kind, &error)).ok()
    }

    async fn look(&self, kind: Kind, text: &str) -> Result<Found, AskError> {
        if lookup::has_names(kind) {
            let found = lookup::candidates(&self.daemon, kind, text).await?;
            return Ok(Found::Things(found.into_iter().map(|one| (one.id, one.names)).collect()));
        }
        let Some((_, target)) = INSPECTIONS.iter().find(|(of, _)| *of == kind) else {
            return Ok(Found::Itself);
        };
        // What the daemon cannot have called anything is not asked for.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/:@".contains(&byte);
        let strange = text.is_empty()
            || !text.bytes().all(plain)
            || text.split('/').any(|part| matches!(part, "" | "." | ".."));
        if strange {
            return Ok(Found::Things(Vec::new()));
        }
        match self.daemon.get(&target.replace("{}", text), ANSWER_LIMIT).await? {
            (StatusCode::OK, answer) => Ok(Found::Inspected(answer)),
            // 400 is a name that the daemon finds impossible.
            (StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST, _) => Ok(Found::Things(Vec::new())),
            (status, _) => Err(AskError::Status(status)),
        }
    }
}

fn failed(kind: Kind, error: &AskError) {
    warn!(kind = kind.name(), %error, "nobody is shown what could not be looked up");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::fake::Fake;

    #[tokio::test]
    async fn a_name_is_everything_that_the_daemon_could_take_it_for_with_all_its_names() {
        let fake = Fake::start();
        fake.add(Kind::Container, "abc111", &["/web", "/mine/alias"]);
        fake.add(Kind::Container, "def222", &["/abc"]);
        let inventory = fake.inventory();
        let things = |things: &[(&str, &[&str])]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            Some(Found::Things(things.iter().map(|(id, names)| ((*id).to_owned(), owned(names))).collect()))
        };
        assert_eq!(
            inventory.identify(Kind::Container, "abc").await,
            things(&[("abc111", &["web", "mine/alias"]), ("def222", &["abc"])])
        );
        assert_eq!(inventory.identify(Kind::Container, "other").await, things(&[]));
        assert_eq!(inventory.identify(Kind::Image, "a/../b").await, things(&[]));
        assert_eq!(inventory.identify(Kind::Volume, "data").await, Some(Found::Itself));
        fake.fail();
        assert_eq!(inventory.identify(Kind::Container, "abc").await, None);
    }
}
