//! The thresholds that were applied in a report, in words.

use tracer_core::Options;

use crate::output::quantity::{argument, size_argument};

/// The number of windows of the growth rule in `--growth-for`.
const GROWTH_WINDOWS: u64 = 5;

/// `--idle 60s, --min-count 5`, and the other thresholds if they differ from their defaults.
pub(crate) fn thresholds(options: &Options) -> String {
    let [(_, idle), (_, count_min), others @ ..] = all(options);
    let always = [(true, idle), (true, count_min)];
    listed(always.into_iter().chain(others)).join(", ")
}

/// The arguments that give another run the same thresholds: ` --idle 10s`, or nothing.
pub(crate) fn threshold_arguments(options: &Options) -> String {
    listed(all(options)).iter().flat_map(|argument| [" ", argument]).collect()
}

fn listed(thresholds: impl IntoIterator<Item = (bool, String)>) -> Vec<String> {
    thresholds.into_iter().filter_map(|(is_listed, text)| is_listed.then_some(text)).collect()
}

/// Each threshold as an argument, and whether it differs from its default.
fn all(options: &Options) -> [(bool, String); 6] {
    let default = Options::default();
    let growth_for = |options: &Options| options.window_ms.saturating_mul(GROWTH_WINDOWS);
    [
        (options.idle_ms != default.idle_ms, format!("--idle {}", argument(options.idle_ms))),
        (options.count_min != default.count_min, format!("--min-count {}", options.count_min)),
        (options.pool_size != default.pool_size, format!("--pool-size {}", options.pool_size)),
        (
            options.pool_idle_ms != default.pool_idle_ms,
            format!("--pool-idle {}", argument(options.pool_idle_ms)),
        ),
        (
            options.unread_min_bytes != default.unread_min_bytes,
            format!("--min-unread {}", size_argument(options.unread_min_bytes)),
        ),
        (
            options.window_ms != default.window_ms,
            format!("--growth-for {}", argument(growth_for(options))),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_thresholds_that_differ_from_their_defaults_are_listed_after_idle_and_min_count() {
        assert_eq!(thresholds(&Options::default()), "--idle 60s, --min-count 5");
        let options = Options {
            idle_ms: 1_500,
            count_min: 3,
            pool_size: 20,
            pool_idle_ms: 60_000,
            unread_min_bytes: 1_024,
            window_ms: 12_000,
            ..Options::default()
        };
        assert_eq!(
            thresholds(&options),
            "--idle 1500ms, --min-count 3, --pool-size 20, --pool-idle 60s, --min-unread 1KiB, \
             --growth-for 60s"
        );
        assert_eq!(
            threshold_arguments(&options),
            " --idle 1500ms --min-count 3 --pool-size 20 --pool-idle 60s --min-unread 1KiB \
             --growth-for 60s"
        );
        assert_eq!(threshold_arguments(&Options::default()), "");
    }
}
