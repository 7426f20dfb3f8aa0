use clap::{Args, ValueEnum};
use tracer_core::Confidence;

use crate::output::listing;

/// Which findings a table lists in addition to the likely and certain ones.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Show {
    /// Also list findings down to this level: possible, info
    ///
    /// Tables list findings that are likely, certain, or at --fail-on or above, and possible ones
    /// with most of the fds of a process near its fd limit; they only count the others. With info,
    /// possible ones are also listed; --all lists every finding. JSON and CSV always contain every
    /// finding.
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', ignore_case = true)]
    #[arg(hide_possible_values = true)]
    show: Vec<Level>,
}

/// A value of `--show`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Possible,
    Info,
}

impl Level {
    const fn confidence(self) -> Confidence {
        match self {
            Self::Possible => Confidence::Possible,
            Self::Info => Confidence::Info,
        }
    }
}

impl Show {
    /// The lowest confidence of the findings that are listed. `all`: every connection is listed.
    pub(super) fn least(&self, fail_on: Confidence, all: bool) -> Confidence {
        let everything = all.then_some(Confidence::Info);
        listing::lowest(fail_on, everything.or(self.requested()))
    }

    /// The option as arguments, if it was given.
    pub(super) fn arguments(&self) -> Vec<String> {
        let level = self.requested().map(|it| ["--show".to_owned(), it.to_string()]);
        level.into_iter().flatten().collect()
    }

    fn requested(&self) -> Option<Confidence> {
        self.show.iter().map(|level| level.confidence()).min()
    }
}
