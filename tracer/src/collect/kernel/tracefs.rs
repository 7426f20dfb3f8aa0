//! Where tracefs is mounted.

/// Where tracefs belongs, and where every kernel keeps a place for it.
pub(crate) const TRACEFS: &str = "/sys/kernel/tracing";

/// Where its tracepoints are seen once it is mounted; the second is where it used to be.
pub(crate) const EVENT_DIRECTORIES: [&str; 2] =
    ["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"];
