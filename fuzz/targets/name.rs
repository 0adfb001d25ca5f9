//! Feeds any image reference or host path to the engine's reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wharfinger::engine::fuzzing::name(bytes));
