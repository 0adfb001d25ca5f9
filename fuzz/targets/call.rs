//! Feeds any call to the whole engine.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wharfinger::engine::fuzzing::call(bytes));
