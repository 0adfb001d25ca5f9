//! SQLite: opening, pragmas, migrations and file modes.
