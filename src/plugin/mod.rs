//! The socket that dockerd calls: wire types and the one handler.

mod counters;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod gate;
mod handler;
mod judge;
mod message;
mod server;
mod settings;
mod signature;
mod ticket;
pub mod wire;

pub use counters::Counters;
pub use gate::Gate;
pub use handler::{Handler, Sources};
pub use judge::Judge;
pub use server::{QUESTION_LIMIT, serve};
pub use settings::{NAME, SOCKET, Settings};
pub use signature::{Call as SignedCall, Key, KeyError};
pub use ticket::{Holder, Ticket, Tickets, Verdict};
