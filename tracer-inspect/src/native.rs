//! Native and JIT-compiled code: symbols, unwind tables, return addresses.

pub mod modules;
pub mod perf_map;
pub mod return_address;
pub mod unwind;
