//! Feeds any call to classification, written as `METHOD target`, header lines, an empty line and the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wharfinger::engine::fuzzing::call(bytes));
