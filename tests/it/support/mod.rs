//! What the tests stand on: private servers, the running program, the docker command line.

pub(crate) mod ca;
pub(crate) mod docker;
pub(crate) mod dockerd;
pub(crate) mod gateway;
pub(crate) mod hostile;
pub(crate) mod http;
pub(crate) mod process;
pub(crate) mod provider;
pub(crate) mod samba;
pub(crate) mod slapd;
pub(crate) mod stub;
pub(crate) mod tree;
pub(crate) mod wharfinger;
