//! SQLite: opening, pragmas, migrations and file modes; no business words.

mod error;
mod open;

pub use error::StoreError;
pub use open::{Identity, Schema, identity, open, open_read_only};
