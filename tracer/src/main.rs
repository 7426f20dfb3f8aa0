//! Finds leaked TCP connections.
fn main() {}
