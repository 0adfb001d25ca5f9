//! The socket that dockerd calls: wire types and the one handler.

pub mod wire;
