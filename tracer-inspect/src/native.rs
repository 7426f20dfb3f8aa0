//! Native and JIT-compiled code: symbols, unwind tables, return addresses.

mod debug_link;
pub mod modules;
pub mod perf_map;
pub mod return_address;
pub mod unwind;
