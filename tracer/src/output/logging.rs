//! Diagnostic messages on standard error.

/// Starts logging to standard error: errors always, all other messages with `-v`.
pub(crate) fn start_logging(verbose: bool) {
    let level = if verbose { log::LevelFilter::Debug } else { log::LevelFilter::Error };
    // Only tests start it twice, for several runs in one process.
    let _ = env_logger::Builder::new()
        .filter_module("tracer", level)
        .filter_module("tracer_inspect", level)
        .format_timestamp_millis()
        .try_init();
}
