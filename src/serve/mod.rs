//! Wiring, sockets, signals, readiness and shutdown.
