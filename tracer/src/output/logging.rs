//! Diagnostics.

/// Diagnostics go to standard error: errors always, the rest with `-v`.
pub(crate) fn start_logging(verbose: bool) {
    let level = if verbose { log::LevelFilter::Debug } else { log::LevelFilter::Error };
    env_logger::Builder::new()
        .filter_module("tracer", level)
        .filter_module("tracer_inspect", level)
        .format_timestamp_millis()
        .init();
}
