//! The first thing that a newcomer runs.

use crate::support::Tracer;

#[test]
#[ignore = "needs root and BPF; cargo xtask test runs it where the host allows"]
fn it_shows_a_leak_and_ends() {
    let outcome = Tracer::run("demo");

    assert_eq!(outcome.code, 1, "a leak is what it is for: {outcome:?}");
    assert!(outcome.stdout.contains("undrained"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("likely"), "{}", outcome.stdout);
}
