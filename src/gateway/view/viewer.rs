//! Who looks at an answer, and which of the daemon's things he may see.

use std::sync::Arc;

use super::ViewError;
use super::json;
use crate::authz::{Kind, Named, Owner, Sight};
use crate::engine;

/// Who created what, as far as anybody knows.
pub trait Owners: Send + Sync {
    /// The creator of the object of that full ID (of a volume, its name), also of one that is gone by now.
    fn owner(&self, kind: Kind, id: &str) -> Option<Arc<Owner>>;
}

impl Owners for crate::inventory::Inventory {
    fn owner(&self, kind: Kind, id: &str) -> Option<Arc<Owner>> {
        self.owner_ever(kind, id)
    }
}

/// A subject, with what it may see.
#[derive(Clone)]
pub(super) struct Viewer {
    pub(super) sight: Sight,
    pub(super) owners: Arc<dyn Owners>,
}

/// A thing as answers show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) kind: Kind,
    /// The full ID; of a volume, its name.
    pub(super) id: String,
    /// All names under which a call could mean it, besides the ID.
    pub(super) names: Vec<String>,
    /// What it belongs to, and so is visible with: of a task, its service.
    pub(super) of: Option<(Kind, String)>,
}

impl Viewer {
    /// Whether the thing is visible.
    pub(super) fn sees(&self, thing: &Thing) -> bool {
        let owner = self.owner(thing);
        let sees = |names: &[String]| self.sight.sees(thing.kind, thing.named(names), owner.as_deref());
        if thing.kind == Kind::Image && !thing.names.is_empty() {
            // Names of an image are things of their own: one that is visible shows it, whatever else it is called.
            return thing.names.iter().any(|name| sees(std::slice::from_ref(name)));
        }
        sees(&thing.names)
    }

    /// Whether a thing is visible of which nothing but the ID is known.
    pub(super) fn sees_id(&self, kind: Kind, id: &str) -> bool {
        self.sees(&Thing::new(kind, id, Vec::new()))
    }

    /// Whether a name of an image is visible, which stands for the image where it does.
    pub(super) fn sees_reference(&self, reference: &str) -> bool {
        // What cannot be read as a name is no name that a role could grant.
        let Some(name) = engine::canonical_image(reference) else { return false };
        self.sight.sees(Kind::Image, Named { names: vec![name], ..Named::default() }, None)
    }

    /// Whether the environment values of the thing may be read.
    pub(super) fn reads_environment(&self, thing: &Thing) -> bool {
        self.sight.reads_environment(thing.kind, thing.named(&thing.names), self.owner(thing).as_deref())
    }

    fn owner(&self, thing: &Thing) -> Option<Arc<Owner>> {
        self.owners.owner(thing.kind, &thing.id).or_else(|| {
            let (kind, id) = thing.of.as_ref()?;
            self.owners.owner(*kind, id)
        })
    }
}

impl Thing {
    pub(super) fn new(kind: Kind, id: &str, names: Vec<String>) -> Self {
        Self { kind, id: id.to_owned(), names, of: None }
    }

    /// Reads what an item of a list or an inspection says that it is, in the spellings of all kinds and API versions.
    pub(super) fn read(kind: Kind, text: &str) -> Result<Self, ViewError> {
        #[derive(serde::Deserialize)]
        struct Shown {
            #[serde(rename = "Id", alias = "ID")]
            id: Option<String>,
            #[serde(rename = "Name")]
            name: Option<String>,
            #[serde(rename = "Names")]
            names: Option<Vec<String>>,
            #[serde(rename = "Spec")]
            spec: Option<Spec>,
            #[serde(rename = "Description")]
            description: Option<serde_json::Value>,
            #[serde(rename = "RepoTags")]
            tags: Option<Vec<String>>,
            #[serde(rename = "RepoDigests")]
            digests: Option<Vec<String>>,
            #[serde(rename = "ServiceID")]
            service: Option<String>,
        }
        #[derive(serde::Deserialize)]
        struct Spec {
            #[serde(rename = "Name")]
            name: Option<String>,
        }
        let shown: Shown = json::read(text)?;
        let known = |found: Option<String>| found.ok_or_else(|| ViewError::missing(kind));
        let spec = shown.spec.and_then(|spec| spec.name);
        let mut thing = match kind {
            Kind::Volume => {
                let name = known(shown.name)?;
                Self::new(kind, &name, Vec::new())
            }
            Kind::Container => {
                let names = shown.names.unwrap_or_default().into_iter().chain(shown.name);
                let names = names.map(|name| name.strip_prefix('/').map_or(name.clone(), str::to_owned));
                Self::new(kind, &known(shown.id)?, names.collect())
            }
            Kind::Network => Self::new(kind, &known(shown.id)?, shown.name.into_iter().collect()),
            Kind::Image => {
                let references =
                    shown.tags.unwrap_or_default().into_iter().chain(shown.digests.unwrap_or_default());
                // What has no name is known by its ID alone: `<none>` is how older API versions say so.
                let names = references.filter_map(|reference| engine::canonical_image(&reference));
                Self::new(kind, &known(shown.id)?, names.collect())
            }
            Kind::Plugin => {
                let names =
                    shown.name.into_iter().flat_map(|name| [engine::canonical_image(&name), Some(name)]);
                Self::new(kind, &known(shown.id)?, names.flatten().collect())
            }
            Kind::Node => {
                let host = shown.description.as_ref().and_then(|node| node.get("Hostname")?.as_str());
                let names = spec.into_iter().chain(host.map(str::to_owned));
                Self::new(kind, &known(shown.id)?, names.filter(|name| !name.is_empty()).collect())
            }
            Kind::Service | Kind::Task | Kind::Secret | Kind::Config => {
                Self::new(kind, &known(shown.id)?, spec.into_iter().collect())
            }
            // Nothing else is listed.
            _ => return Err(ViewError::missing(kind)),
        };
        thing.of = shown.service.filter(|_| kind == Kind::Task).map(|id| (Kind::Service, id));
        Ok(thing)
    }

    /// The thing under these of its names, as permissions see it.
    fn named(&self, names: &[String]) -> Named {
        // The name that a link gives is in the hands of who made the link.
        let link = |name: &String| self.kind == Kind::Container && name.contains('/');
        let (others, mut names): (Vec<String>, Vec<String>) = names.iter().cloned().partition(link);
        let mut ids = vec![self.id.clone()];
        match self.kind {
            // Their only name.
            Kind::Volume => names.push(self.id.clone()),
            Kind::Image => {
                let digits = self.id.strip_prefix("sha256:");
                ids.extend(digits.and_then(|digits| digits.get(..12)).map(str::to_owned));
                // What has no name is called by its ID.
                names.extend(self.names.is_empty().then(|| self.id.clone()));
            }
            _ => ids.extend(self.id.get(..12).map(str::to_owned)),
        }
        Named { names, ids, others }
    }
}
