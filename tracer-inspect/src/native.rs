//! Native code, and code that a runtime makes as it runs: names, unwind tables, return addresses.

pub mod modules;
pub mod perf_map;
pub mod return_address;
pub mod unwind;
