//! Struct types as tables: one row a field, with the reader of what the field asks for.

use super::needs::Needs;
use crate::engine::Refusal;
use crate::engine::json::{Fields, Json};

/// Reads one field: what it asks for is added, a value that cannot be understood is refused.
pub(super) type FieldReader = fn(&mut Needs, &Fields<'_>, &str) -> Result<(), Refusal>;

/// The fields of a struct type of the daemon.
pub(super) struct Table {
    /// Their names, as the Engine API spells them.
    pub(super) names: &'static [&'static str],
    /// Their readers.
    pub(super) rows: &'static [(&'static str, FieldReader)],
}

/// Declares a [`Table`]: `NAME { "Field" reader; … }`.
macro_rules! fields {
    ($($(#[$doc:meta])* $table:ident { $($name:literal $reader:path;)* })*) => {$(
        $(#[$doc])*
        pub(super) const $table: $crate::engine::readers::table::Table = $crate::engine::readers::table::Table {
            names: &[$($name),*],
            rows: &[$(($name, $reader)),*],
        };
    )*};
}
pub(super) use fields;

impl Table {
    /// Reads a value as this struct type; null is one with nothing in it.
    pub(super) fn read(&self, needs: &mut Needs, value: &Json, path: &str) -> Result<(), Refusal> {
        self.read_fields(needs, &value.as_fields(path, self.names)?)
    }

    /// Reads a field of a struct as this struct type.
    pub(super) fn read_within(
        &self,
        needs: &mut Needs,
        outer: &Fields<'_>,
        name: &str,
    ) -> Result<(), Refusal> {
        self.read_fields(needs, &outer.within(name, self.names)?)
    }

    /// Reads a field of a struct as a list of this struct type.
    pub(super) fn read_each(&self, needs: &mut Needs, outer: &Fields<'_>, name: &str) -> Result<(), Refusal> {
        outer.each(name, self.names)?.iter().try_for_each(|fields| self.read_fields(needs, fields))
    }

    /// Reads all fields, and what is unknown among them.
    pub(super) fn read_fields(&self, needs: &mut Needs, fields: &Fields<'_>) -> Result<(), Refusal> {
        needs.note_unknown(fields);
        self.read_known(needs, fields)
    }

    /// Reads the known fields only.
    pub(super) fn read_known(&self, needs: &mut Needs, fields: &Fields<'_>) -> Result<(), Refusal> {
        self.rows.iter().try_for_each(|(name, read)| read(needs, fields, name))
    }
}

/// The reader of a field that another reader of the same struct looks at.
#[expect(clippy::unnecessary_wraps, reason = "it stands in tables beside readers that can refuse")]
pub(super) fn elsewhere(_: &mut Needs, _: &Fields<'_>, _: &str) -> Result<(), Refusal> {
    Ok(())
}

/// A refusal of a value that cannot be understood; the value itself may be a secret and is not shown.
pub(super) fn invalid(path: &str, wanted: &str) -> Refusal {
    Refusal::new(crate::engine::RefusalCode::BodyInvalid, format!("`{path}` of the body is not {wanted}"))
}
