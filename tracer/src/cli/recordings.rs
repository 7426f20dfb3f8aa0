//! Making recordings, and what can be done with them.

use std::{fmt, path::PathBuf};

use clap::Args;
use jiff::{Timestamp, civil::Time};
use tracer_core::{Confidence, Options};

use super::{
    thresholds::{FailOn, Thresholds},
    values::document_format,
    watch::{Showing, Watch},
};
use crate::{
    collect::plan::Plan,
    output::options::{DocumentFormat, OutputOptions},
};

/// Whom to watch, and where to keep what is seen.
#[derive(Debug, Args)]
pub(crate) struct Record {
    /// The recording; an earlier one is renamed to FILE.old
    #[arg(value_name = "FILE", group = "recording")]
    file: PathBuf,
    #[command(flatten)]
    watch: Watch,
}

impl Record {
    /// The plan and options of watching live, without a table unless one was asked for.
    pub(crate) fn live(mut self) -> (Plan, OutputOptions) {
        let is_quiet = self.watch.appearance.showing.output.is_none();
        self.watch.record_to.path = Some(self.file);
        let (plan, output) = self.watch.live();
        (plan, OutputOptions { only_at_the_end: is_quiet, ..output })
    }
}

/// What to judge again, as of when, and by what.
#[derive(Debug, Args)]
pub(crate) struct Again {
    /// The recording
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How it stood then: 2026-03-01T02:00:00Z, or 02:00 for the last time it was two o'clock (UTC)
    #[arg(long, value_name = "TIME", value_parser = at)]
    pub(crate) at: Option<At>,
    #[command(flatten)]
    thresholds: Thresholds,
}

impl Again {
    /// What to judge by, where it was judged by `recorded`.
    pub(crate) fn options(&self, recorded: Options) -> Options {
        self.thresholds.options(recorded)
    }

    /// From which confidence on it fails, if that was given.
    pub(crate) fn fail_on(&self) -> Option<Confidence> {
        self.thresholds.fail_on()
    }

    /// These arguments, as they can be given again.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![self.file.display().to_string()];
        if let Some(at) = self.at {
            arguments.extend(["--at".to_owned(), at.to_string()]);
        }
        arguments.extend(self.thresholds.arguments());
        arguments
    }
}

/// What to judge again, and how to show it.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) again: Again,
    #[command(flatten)]
    showing: Showing,
}

impl Replay {
    /// How to show how it ended.
    pub(crate) fn output(&self) -> OutputOptions {
        self.showing.output(true)
    }
}

/// Of what to make an incident document, and where to.
#[derive(Debug, Args)]
pub(crate) struct Incident {
    #[command(flatten)]
    pub(crate) again: Again,
    /// Write the document there, one page that needs nothing else, for its owner only; - for the
    /// standard output
    #[arg(long, value_name = "OUT", help_heading = "How to show it")]
    pub(crate) html: Option<PathBuf>,
}

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// A recording, or what `audit -o json` printed
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,
    /// Another one, of later
    #[arg(value_name = "AFTER")]
    pub(crate) after: PathBuf,
    /// What counts as a leak: findings from this confidence on
    #[arg(long, value_name = "CONFIDENCE", default_value = "likely", ignore_case = true)]
    fail_on: FailOn,
    /// Format of the standard output
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    #[arg(value_parser = document_format())]
    pub(crate) output: DocumentFormat,
}

impl Diff {
    /// From which confidence on a finding is a leak.
    pub(crate) fn fail_on(&self) -> Confidence {
        self.fail_on.confidence()
    }
}

/// A moment in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// On the calendar.
    Moment(Timestamp),
    /// The last time that it was so late, in UTC.
    TimeOfDay(Time),
}

impl fmt::Display for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moment(moment) => moment.fmt(formatter),
            Self::TimeOfDay(time) => time.fmt(formatter),
        }
    }
}

fn at(text: &str) -> Result<At, String> {
    let moment = text.parse().map(At::Moment);
    moment
        .or_else(|_| text.parse().map(At::TimeOfDay))
        .map_err(|_| "expected a time in UTC such as 2026-03-01T02:00:00Z or 02:00".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command, record_to::max_size};

    fn parse(arguments: &[&str]) -> Result<Command, clap::Error> {
        Cli::try_parse_from([&["tracer"], arguments].concat()).map(|cli| cli.command.unwrap())
    }

    #[test]
    fn a_recording_shows_only_its_end_unless_something_else_was_asked_for() {
        for (arguments, is_quiet) in
            [(&["record", "a.rec"][..], true), (&["record", "a.rec", "-o", "json"], false)]
        {
            let Ok(Command::Record(record)) = parse(arguments) else { panic!("{arguments:?}") };
            let (_, output) = record.live();
            assert_eq!(output.only_at_the_end, is_quiet);
            assert_eq!(output.recording.unwrap().path.to_str(), Some("a.rec"));
        }
        assert!(parse(&["record", "a.rec", "--record", "b.rec"]).is_err());
        assert!(parse(&["record"]).is_err());
    }

    #[test]
    fn the_thresholds_of_a_recording_are_the_default() {
        let recorded = Options { idle_ms: 7, count_min: 3, scoped: true, ..Options::default() };
        let options = |arguments: &[&str]| match parse(arguments) {
            Ok(Command::Replay(replay)) => replay.again.options(recorded),
            other => panic!("{other:?}"),
        };
        assert_eq!(options(&["replay", "a.rec"]), recorded);
        let chosen = options(&["replay", "a.rec", "--idle=2s", "--all"]);
        assert_eq!(chosen, Options { idle_ms: 2_000, all: true, ..recorded });
    }

    #[test]
    fn what_is_judged_again_can_be_given_again() {
        let arguments = |given: &[&str]| match parse(given) {
            Ok(Command::Report(incident)) => incident.again.arguments(),
            other => panic!("{other:?}"),
        };
        let all = [
            "a.rec",
            "--at",
            "02:00:00",
            "--idle",
            "1m 500ms",
            "--min-count",
            "3",
            "--pool-size",
            "4",
            "--pool-idle",
            "5s",
            "--min-unread",
            "1024",
            "--growth-for",
            "10s",
            "--fail-on",
            "certain",
            "--all",
        ];
        assert_eq!(arguments(&[&["report"], &all[..]].concat()), all);
        let moment = ["a.rec", "--at", "2026-03-01T02:00:00.123Z"];
        assert_eq!(arguments(&[&["report"], &moment[..], &["--html", "-"]].concat()), moment);
    }

    #[test]
    fn a_moment_is_on_the_calendar_or_a_time_of_day() {
        let moment = "2026-03-01T02:00:00Z".parse().unwrap();
        assert_eq!(at("2026-03-01T02:00:00Z"), Ok(At::Moment(moment)));
        assert_eq!(at("2026-03-01T03:00:00+01:00"), Ok(At::Moment(moment)));
        assert_eq!(at("02:00"), Ok(At::TimeOfDay(Time::constant(2, 0, 0, 0))));
        assert_eq!(at("23:59:58"), Ok(At::TimeOfDay(Time::constant(23, 59, 58, 0))));
        for text in ["", "2", "25:00", "yesterday", "2026-03-01"] {
            assert!(at(text).is_err(), "{text}: {:?}", at(text));
        }
    }

    #[test]
    fn a_limit_of_size_has_units_and_a_least() {
        assert_eq!(max_size("64MiB"), Ok(64 << 20));
        assert!(max_size("1K").is_err());
        assert!(parse(&["record", "a.rec", "--max-size=64MiB"]).is_ok());
        assert!(Cli::try_parse_from(["tracer", "--record=a.rec", "--max-size=1G"]).is_ok());
        assert!(Cli::try_parse_from(["tracer", "--max-size=1G"]).is_err());
    }
}
