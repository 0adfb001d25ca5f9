//! The socket that users call: the kernel says who asks, and the call goes on to the daemon's raw socket.

mod settings;
pub mod view;

pub use settings::{DOCKER_SOCKET, SOCKET, Settings};
