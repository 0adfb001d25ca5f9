//! The config file: strict TOML to each module's own settings.
