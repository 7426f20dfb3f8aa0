//! Options of the commands that write and read recordings.

use std::{fmt, path::PathBuf};

use clap::Args;
use jiff::{Timestamp, civil::Time};
use tracer_core::{Confidence, Options};

use super::{
    show::Show,
    thresholds::{FailOn, Thresholds},
    values::document_format,
    watch::{Format, Watch},
};
use crate::{
    collect::plan::Plan,
    output::options::{DocumentFormat, OutputOptions},
};

/// What to watch, and where to record it.
#[derive(Debug, Args)]
#[command(mut_arg("record_to", |argument| argument.hide(true)))]
pub(crate) struct Record {
    /// The recording to write (an existing one is renamed to FILE.old)
    #[arg(value_name = "FILE", group = "recording")]
    file: PathBuf,
    #[command(flatten)]
    watch: Watch,
}

impl Record {
    /// The plan and output options of a live run, without a live table unless `--output` was given.
    pub(crate) fn live(mut self) -> (Plan, OutputOptions) {
        let is_quiet = self.watch.output.format.output.is_none();
        self.watch.record_to.path = Some(self.file);
        let (plan, output) = self.watch.live();
        (plan, OutputOptions { only_at_the_end: is_quiet, ..output })
    }
}

/// The recording to analyze, up to which time, and with which thresholds.
#[derive(Debug, Args)]
pub(crate) struct Rejudge {
    /// The recording to read
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Report the state at this time (UTC), such as 02:00
    ///
    /// The time is a timestamp, such as 2026-03-01T02:00:00Z, or a time of day, which means its
    /// last occurrence in the recording.
    #[arg(long, value_name = "TIME", value_parser = report_time)]
    pub(crate) at: Option<ReportTime>,
    #[command(flatten)]
    thresholds: Thresholds,
}

impl Rejudge {
    /// The thresholds to apply: `recorded`, with those that were given on the command line
    /// replaced.
    pub(crate) fn options(&self, recorded: Options) -> Options {
        self.thresholds.options(recorded)
    }

    /// The lowest confidence for exit code 1, if one was given.
    pub(crate) fn fail_on(&self) -> Option<Confidence> {
        self.thresholds.fail_on()
    }

    /// These options as command line arguments.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![self.file.display().to_string()];
        if let Some(at) = self.at {
            arguments.extend(["--at".to_owned(), at.to_string()]);
        }
        arguments.extend(self.thresholds.arguments());
        arguments
    }
}

/// The recording to analyze, and how to show the result.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) rejudge: Rejudge,
    #[command(flatten)]
    format: Format,
}

impl Replay {
    /// The output options; only the last report is shown.
    pub(crate) fn output_options(&self) -> OutputOptions {
        self.format.output_options(true)
    }

    /// The lowest confidence of the findings that the table lists, with the confidence and thresholds
    /// of the recording.
    pub(crate) fn least(&self, fail_on: Confidence, options: Options) -> Confidence {
        self.format.least(self.rejudge.fail_on().unwrap_or(fail_on), options.all)
    }
}

/// The recording to report on, and where to write the report.
#[derive(Debug, Args)]
pub(crate) struct IncidentReport {
    #[command(flatten)]
    pub(crate) rejudge: Rejudge,
    /// Write the report to an HTML file (- for stdout)
    ///
    /// The page is self-contained, and the file is readable by its owner only.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    show: Show,
}

impl IncidentReport {
    /// The lowest confidence of the findings that are listed, with the confidence and thresholds of
    /// the recording.
    pub(crate) fn least(&self, fail_on: Confidence, options: Options) -> Confidence {
        self.show.least(self.rejudge.fail_on().unwrap_or(fail_on), options.all)
    }

    /// The recording, the thresholds, and what to show, as command line arguments.
    pub(crate) fn arguments(&self) -> Vec<String> {
        [self.rejudge.arguments(), self.show.arguments()].concat()
    }
}

/// The two states to compare.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// A recording, or JSON from tracer audit -o json
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,
    /// A later recording, or later JSON, of the same processes
    #[arg(value_name = "AFTER")]
    pub(crate) after: PathBuf,
    /// Compare findings at this confidence or above
    #[arg(long, value_name = "LEVEL", default_value = "likely", ignore_case = true)]
    fail_on: FailOn,
    /// Print to stdout as table [default] or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    #[arg(value_parser = document_format(), hide_possible_values = true, hide_default_value = true)]
    pub(crate) output: DocumentFormat,
}

impl Diff {
    /// The lowest confidence of a leak.
    pub(crate) fn fail_on(&self) -> Confidence {
        self.fail_on.confidence()
    }
}

/// A time in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportTime {
    /// A date and time.
    Timestamp(Timestamp),
    /// The last occurrence of this time of day, in UTC.
    TimeOfDay(Time),
}

impl fmt::Display for ReportTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timestamp(timestamp) => timestamp.fmt(formatter),
            Self::TimeOfDay(time) => time.fmt(formatter),
        }
    }
}

fn report_time(text: &str) -> Result<ReportTime, String> {
    let timestamp = text.parse().map(ReportTime::Timestamp);
    timestamp
        .or_else(|_| text.parse().map(ReportTime::TimeOfDay))
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
    fn record_shows_only_the_last_report_unless_a_format_is_given() {
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
    fn thresholds_default_to_those_of_the_recording() {
        let recorded = Options { idle_ms: 7, count_min: 3, scoped: true, ..Options::default() };
        let options = |arguments: &[&str]| match parse(arguments) {
            Ok(Command::Replay(replay)) => replay.rejudge.options(recorded),
            other => panic!("{other:?}"),
        };
        assert_eq!(options(&["replay", "a.rec"]), recorded);
        let chosen = options(&["replay", "a.rec", "--idle=2s", "--all"]);
        assert_eq!(chosen, Options { idle_ms: 2_000, all: true, ..recorded });
    }

    #[test]
    fn options_are_returned_as_arguments() {
        let arguments = |given: &[&str]| match parse(given) {
            Ok(Command::Report(report)) => report.arguments(),
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
            "--show",
            "info",
        ];
        assert_eq!(arguments(&[&["report"], &all[..]].concat()), all);
        let timestamp = ["a.rec", "--at", "2026-03-01T02:00:00.123Z"];
        assert_eq!(arguments(&[&["report"], &timestamp[..], &["--html", "-"]].concat()), timestamp);
    }

    #[test]
    fn a_report_time_is_a_timestamp_or_a_time_of_day() {
        let timestamp = "2026-03-01T02:00:00Z".parse().unwrap();
        assert_eq!(report_time("2026-03-01T02:00:00Z"), Ok(ReportTime::Timestamp(timestamp)));
        assert_eq!(report_time("2026-03-01T03:00:00+01:00"), Ok(ReportTime::Timestamp(timestamp)));
        assert_eq!(report_time("02:00"), Ok(ReportTime::TimeOfDay(Time::constant(2, 0, 0, 0))));
        assert_eq!(
            report_time("23:59:58"),
            Ok(ReportTime::TimeOfDay(Time::constant(23, 59, 58, 0)))
        );
        for text in ["", "2", "25:00", "yesterday", "2026-03-01"] {
            assert!(report_time(text).is_err(), "{text}: {:?}", report_time(text));
        }
    }

    #[test]
    fn a_size_limit_has_units_and_a_minimum() {
        assert_eq!(max_size("64MiB"), Ok(64 << 20));
        assert!(max_size("1K").is_err());
        assert!(parse(&["record", "a.rec", "--max-size=64MiB"]).is_ok());
        assert!(Cli::try_parse_from(["tracer", "--record=a.rec", "--max-size=1G"]).is_ok());
        assert!(Cli::try_parse_from(["tracer", "--max-size=1G"]).is_err());
    }
}
