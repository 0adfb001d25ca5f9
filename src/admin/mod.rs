//! The admin socket: what the command line asks of the running daemon.
