use std::time::Duration;

use clap::{Arg, Args, ValueEnum};
use jiff::SignedDuration;
use tracer_core::{Confidence, Options};

use super::{
    size,
    values::{count, growth, milliseconds, positive},
};

/// Number of time windows that the growth rule compares.
const GROWTH_WINDOWS: u32 = 5;

/// The thresholds for leaks. One that is not given keeps its default or, for a recording, its
/// recorded value.
#[derive(Debug, Args)]
#[command(next_help_heading = "Thresholds")]
pub(super) struct Thresholds {
    /// Report leaks that have lasted this long [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    idle: Option<Duration>,
    /// Connections needed for likely or certain [default: 5]
    #[arg(long, value_name = "N", value_parser = count)]
    min_count: Option<usize>,
    /// Attribute up to this many dead connections per destination to a pool [default: 10]
    #[arg(long, value_name = "N", value_parser = count, hide_short_help = true)]
    pool_size: Option<usize>,
    /// Count a connection toward unshared-pool once it has been idle this long [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = positive, hide_short_help = true)]
    pool_idle: Option<Duration>,
    /// Ignore unread data up to this size: it may be TLS session tickets [default: 4KiB]
    #[arg(long, value_name = "BYTES", value_parser = size::parse, hide_short_help = true)]
    min_unread: Option<u64>,
    /// Report growth once the number of connections has risen for this long [default: 3m]
    #[arg(long, value_name = "DURATION", value_parser = growth, hide_short_help = true)]
    growth_for: Option<Duration>,
    /// Exit 1 for findings at LEVEL or above [default: likely]
    ///
    /// From high to low: certain, likely, possible. Retracted findings do not count.
    #[arg(long, value_name = "LEVEL", ignore_case = true, hide_possible_values = true)]
    fail_on: Option<FailOn>,
    /// Also report connections without a finding
    #[arg(long)]
    all: bool,
}

impl Thresholds {
    /// `options`, with the thresholds that were given on the command line replaced.
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

    /// The thresholds that were given, as command line arguments.
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

    /// The lowest confidence for exit code 1, if one was given.
    pub(super) fn fail_on(&self) -> Option<Confidence> {
        self.fail_on.map(FailOn::confidence)
    }
}

/// Removes the default from the help of a threshold: for a recording, it is the recorded value.
pub(super) fn without_default(argument: Arg) -> Arg {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    match help.split_once(" [default: ") {
        Some((help, _)) => argument.help(help.to_owned()),
        None => argument,
    }
}

/// A value of `--fail-on`. `info` is not one: such findings are not leaks.
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
