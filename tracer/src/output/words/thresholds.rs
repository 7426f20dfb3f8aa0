//! The thresholds that were applied in a report, in words.

use tracer_core::Options;

use crate::output::quantity::{argument, size_argument};

/// The number of windows of the growth rule in `--growth-for`.
const GROWTH_WINDOWS: u64 = 5;

/// `--idle 60s, --min-count 5`, and the other thresholds if they differ from their defaults.
pub(crate) fn thresholds(options: &Options) -> String {
    let always = [(true, idle(options)), (true, count_min(options))];
    joined(always.into_iter().chain(others(options)), ", ")
}

/// The arguments that give another run the same thresholds: ` --idle 10s`, or nothing.
pub(crate) fn threshold_arguments(options: &Options) -> String {
    let default = Options::default();
    let first = [
        (options.idle_ms != default.idle_ms, idle(options)),
        (options.count_min != default.count_min, count_min(options)),
    ];
    let arguments = joined(first.into_iter().chain(others(options)), " ");
    if arguments.is_empty() { arguments } else { format!(" {arguments}") }
}

fn idle(options: &Options) -> String {
    format!("--idle {}", argument(options.idle_ms))
}

fn count_min(options: &Options) -> String {
    format!("--min-count {}", options.count_min)
}

fn joined(thresholds: impl Iterator<Item = (bool, String)>, separator: &str) -> String {
    let texts: Vec<_> =
        thresholds.filter_map(|(is_listed, text)| is_listed.then_some(text)).collect();
    texts.join(separator)
}

/// The other thresholds, and whether they differ from their defaults.
fn others(options: &Options) -> [(bool, String); 4] {
    let default = Options::default();
    let growth_for = |options: &Options| options.window_ms.saturating_mul(GROWTH_WINDOWS);
    [
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
