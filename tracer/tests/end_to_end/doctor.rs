//! What the host allows.

use crate::support::Tracer;

#[test]
#[ignore = "needs root and BPF; cargo xtask test runs it where the host allows"]
fn every_hook_is_named() {
    let outcome = Tracer::run("doctor");

    assert!([0, 3].contains(&outcome.code), "{outcome:?}");
    for hook in ["inet_sock_set_state", "tcp_destroy_sock", "accept", "task_file", "uprobes"] {
        assert!(outcome.stdout.contains(hook), "{hook} is not in {}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains('\x1b'), "{:?}", outcome.stdout);
}
