//! One reader a body or query: each turns a request into everything that it needs.

use super::Door;
use super::json::Json;
use super::query::Query;
use crate::authz::Action;

pub(super) mod build;
pub(super) mod checkpoint;
pub(super) mod container;
pub(super) mod exec;
pub(super) mod image;
pub(super) mod network;
pub(super) mod plain;
pub(super) mod plugin;
pub(super) mod swarm;
pub(super) mod volume;

mod config;
mod devices;
mod driver_options;
mod endpoint;
mod host_config;
mod isolation;
mod limits;
mod logs;
mod mounts;
mod names;
mod needs;
mod ports;
mod service;
mod shapes;
mod table;
mod url;

use needs::Needs;

/// A request whose route is known, split into what readers look at.
pub(super) struct Request<'a> {
    /// What it is, and so the action of its first requirement.
    pub(super) operation: Action,
    /// The values of the path's variables.
    pub(super) names: &'a [&'a str],
    /// The query, in which no key stands twice that counts once.
    pub(super) query: &'a Query,
    /// The body; null where the route reads none or none was sent.
    pub(super) body: &'a Json,
    /// Whether the daemon surely reads the query that we see.
    pub(super) query_holds: bool,
    /// Which door the call came through.
    pub(super) door: Door,
}

/// Works out everything that a request needs.
pub(super) type Reader = fn(&Request<'_>) -> Result<Needs, super::Refusal>;

impl Request<'_> {
    /// The first variable of the path.
    fn name(&self) -> &str {
        self.names.first().copied().unwrap_or_default()
    }

    /// The value of a query key, empty if absent.
    fn key(&self, key: &str) -> &str {
        self.query.one(key).unwrap_or_default()
    }

    /// The operation on the object of that name, to which the rest is added.
    fn needs(&self, name: impl Into<String>) -> Needs {
        Needs::new(self.operation, name)
    }
}
