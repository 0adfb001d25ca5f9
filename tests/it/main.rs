//! Tests of the built program from outside: its binary, a real Docker Engine, a real directory server.
//!
//! Everything a test starts lives in a private directory and in namespaces of its own, and ends with the test
//! process, however that ends. `tests/run` installs what is needed; see there.
#![cfg(test)]

mod support;

mod active_directory;
mod architecture;
mod audit;
mod canary;
mod cli;
mod differential;
mod directory;
mod e2e;
mod failures;
mod gateway;
mod harness;
mod hostile_domain;
mod hostile_ldap;
mod ldap;
mod load;
mod login;
mod posix;
mod recordings;
