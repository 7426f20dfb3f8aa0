//! Finds leaked TCP connections.
#![allow(dead_code, unused_imports, reason = "the event loop that calls these is not here yet")]

mod sink;
mod wall_clock;

fn main() {}
