use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use tracer_core::{Confidence, Options};

use super::{
    size,
    values::{count, growth, milliseconds, positive},
};

/// The growth rule compares this many windows.
const GROWTH_WINDOWS: u32 = 5;

/// What counts as a leak. What is not given stays as it is: the judge's own when watching, the
/// recording's when that is judged again.
#[derive(Debug, Args)]
#[command(next_help_heading = "What counts")]
pub(super) struct Thresholds {
    /// How long a connection must have been silent [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    idle: Option<Duration>,
    /// How many alike it takes to be more than possible [default: 5]
    #[arg(long, value_name = "N", value_parser = count)]
    min_count: Option<usize>,
    /// So many dead connections a pool may keep by oversight, a large one twice as many
    /// [default: 10]
    #[arg(long, value_name = "N", value_parser = count, hide_short_help = true)]
    pool_size: Option<usize>,
    /// How long connections must have been idle to be a pool that nobody uses [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = positive, hide_short_help = true)]
    pool_idle: Option<Duration>,
    /// Unread data up to this size is TLS session tickets [default: 4KiB]
    #[arg(long, value_name = "BYTES", value_parser = size::parse, hide_short_help = true)]
    min_unread: Option<u64>,
    /// How long their number must have been rising [default: 3m]
    #[arg(long, value_name = "DURATION", value_parser = growth, hide_short_help = true)]
    growth_for: Option<Duration>,
    /// Exit with 1 from this on: certain, likely [default], possible
    #[arg(long, value_name = "CONFIDENCE", ignore_case = true, hide_possible_values = true)]
    fail_on: Option<FailOn>,
    /// Connections without a finding too
    #[arg(long)]
    all: bool,
}

impl Thresholds {
    /// The options with what was given instead of theirs.
    pub(super) fn options(&self, options: Options) -> Options {
        let window = self.growth_for.map(|duration| milliseconds(duration / GROWTH_WINDOWS));
        Options {
            idle_ms: self.idle.map_or(options.idle_ms, milliseconds),
            count_min: self.min_count.unwrap_or(options.count_min),
            pool_size: self.pool_size.unwrap_or(options.pool_size),
            pool_idle_ms: self.pool_idle.map_or(options.pool_idle_ms, milliseconds),
            unread_min_bytes: self.min_unread.unwrap_or(options.unread_min_bytes),
            window_ms: window.unwrap_or(options.window_ms),
            all: self.all || options.all,
            ..options
        }
    }

    /// What was given, as it can be given again.
    pub(super) fn arguments(&self) -> Vec<String> {
        let duration = |duration: Duration| {
            SignedDuration::try_from(duration)
                .map_or_else(|_| String::new(), |it| format!("{it:#}"))
        };
        let fail_on = self.fail_on.map(|it| it.confidence().to_string());
        let flags = [
            ("--idle", self.idle.map(duration)),
            ("--min-count", self.min_count.map(|count| count.to_string())),
            ("--pool-size", self.pool_size.map(|count| count.to_string())),
            ("--pool-idle", self.pool_idle.map(duration)),
            ("--min-unread", self.min_unread.map(|bytes| bytes.to_string())),
            ("--growth-for", self.growth_for.map(duration)),
            ("--fail-on", fail_on),
        ];
        let given = flags.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        given.flatten().chain(self.all.then(|| "--all".to_owned())).collect()
    }

    /// From which confidence on a run fails, if that was given.
    pub(super) fn fail_on(&self) -> Option<Confidence> {
        self.fail_on.map(FailOn::confidence)
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FailOn {
    Certain,
    Likely,
    Possible,
}

impl FailOn {
    pub(super) const fn confidence(self) -> Confidence {
        match self {
            Self::Certain => Confidence::Certain,
            Self::Likely => Confidence::Likely,
            Self::Possible => Confidence::Possible,
        }
    }
}
