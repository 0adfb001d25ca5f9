//! Feeds any question of dockerd's through decoding and classification.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wharfinger::plugin::fuzzing::question(bytes));
