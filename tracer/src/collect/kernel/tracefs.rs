//! Where tracefs is mounted.

/// The usual mount point of tracefs, a directory that every kernel provides.
pub(crate) const TRACEFS: &str = "/sys/kernel/tracing";

/// The directories of tracepoints in a mounted tracefs; the second is the historical mount point.
pub(crate) const EVENT_DIRECTORIES: [&str; 2] =
    ["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"];
