//! See `tracer/src/fuzzing.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tracer::fuzzing::run("unwind_tables", bytes));
