//! What the tests stand on: a private engine, the running program, the docker command line.

pub(crate) mod docker;
pub(crate) mod dockerd;
pub(crate) mod process;
pub(crate) mod stub;
