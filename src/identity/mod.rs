//! Evidence to subject: one file a kind of evidence, and no falling through after a bad one.
