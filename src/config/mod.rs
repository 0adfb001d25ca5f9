//! The config file: strict TOML to each module's own settings.

pub mod duration;
