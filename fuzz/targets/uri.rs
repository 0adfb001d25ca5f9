//! Feeds any request target to the engine's reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wharfinger::engine::fuzzing::target(bytes));
