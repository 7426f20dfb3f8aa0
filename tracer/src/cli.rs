//! The command line. clap's types stop here: what leaves is a
//! [`Plan`](crate::collect::plan::Plan) and
//! [`OutputOptions`](crate::output::options::OutputOptions).

mod record_to;
mod recordings;
mod size;
mod thresholds;
mod values;
mod watch;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

pub(crate) use recordings::{At, Diff, Incident, Record, Replay};
pub(crate) use watch::{Demo, Watch};

use crate::{collect::kernel::hooks::Mechanism, output::options::DocumentFormat};
use values::{document_format, mechanism};

const EXAMPLES: &str = "\
Examples:
  sudo tracer --pid 4711                 watch one process until Ctrl-C
  sudo tracer audit                      look once at every process on this host
  sudo tracer --csv leaks.csv            watch everything and keep a record
  sudo tracer record night.rec           watch everything and keep all that was seen
  tracer replay night.rec --idle 10s     judge it again, on any machine
  tracer report night.rec --html a.html  the incident document, as a page for a browser
  tracer diff before.json after.json     did the fix work?

Exit codes: 0 nothing leaked, 1 leaks found, 2 could not run, 3 nothing found but not all was seen.";

const DOCTOR_EXIT_CODES: &str =
    "Exit codes: 0 everything works, 3 it works with less, 2 it cannot work.";

const REPORT_HELP: &str = "\
The standard output gets the summary in words, unless the document goes there.
Thresholds that are not given are those of the recording.

Exit codes: 0 nothing leaked, 1 leaks found, 2 could not run, 3 nothing found but not all was seen.";

const DIFF_EXIT_CODES: &str = "\
Leaks are the same by process name, destination, kind and function; pids and lines may differ.

Exit codes: 0 no new leaks, 1 new leaks, 2 could not compare, 3 no new leaks but not all was seen.";

/// Finds leaked TCP connections: which, whose, since when, from which line, and how it knows.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
#[command(disable_help_subcommand = true, disable_help_flag = true)]
pub(crate) struct Cli {
    /// Show this
    #[arg(short, long, global = true, action = ArgAction::HelpShort)]
    help: Option<bool>,
    /// Show this with the options that are seldom needed
    #[arg(long, global = true, action = ArgAction::HelpLong)]
    help_all: Option<bool>,
    /// Hang on the kernel in this way only; for tests
    #[arg(long = "rung", global = true, hide = true, value_parser = mechanism)]
    pub(crate) mechanism: Option<Mechanism>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) watch: Watch,
}

/// What to do; without one, watch live.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look once, judge and exit; sockets older than the tool are included.
    #[command(after_help = EXAMPLES)]
    Audit(Box<Watch>),
    /// Watch, and keep all that is seen, for `tracer replay`.
    Record(Box<Record>),
    /// Judge what was recorded, again or otherwise; needs no root.
    #[command(after_help = "Thresholds that are not given are those of the recording.")]
    Replay(Box<Replay>),
    /// Make the incident document of a recording: who leaks what, since when, how sure, and why.
    #[command(after_help = REPORT_HELP)]
    Report(Box<Incident>),
    /// Compare two recordings or audits (JSON): which leaks are new, which are gone.
    #[command(after_help = DIFF_EXIT_CODES)]
    Diff(Diff),
    /// Say what this host allows, what each lack costs, and what to do about it.
    #[command(after_help = DOCTOR_EXIT_CODES)]
    Doctor(Doctor),
    /// Trace a leaking program of our own, to see what it looks like.
    Demo(Demo),
    /// Write the manual pages and shell completions.
    #[command(hide = true)]
    Packaging {
        /// Where to.
        directory: PathBuf,
    },
    /// The server of the demo.
    #[command(hide = true)]
    DemoServer,
    /// The leaking client of the demo.
    #[command(hide = true)]
    DemoClient {
        /// Where the server listens.
        server: std::net::SocketAddr,
    },
}

/// How to show what the host allows.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Format of the standard output
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = document_format())]
    pub(crate) output: DocumentFormat,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_wrong_is_said_with_the_flag_and_what_helps() {
        let complaint = |argument| {
            let error = Cli::try_parse_from(["tracer", argument]).unwrap_err().to_string();
            error.lines().next().unwrap_or_default().to_owned()
        };
        for (argument, flag, remedy) in [
            ("--pool-size=0", "--pool-size <N>", "expected a number from 1 on"),
            ("--pool-idle=5", "--pool-idle <DURATION>", "expected a duration such as"),
            ("--min-unread=64KB", "--min-unread <BYTES>", "expected a size such as"),
            ("--growth-for=1s", "--growth-for <DURATION>", "it must be at least 5s"),
        ] {
            let complaint = complaint(argument);
            assert!(complaint.contains(flag) && complaint.contains(remedy), "{complaint}");
        }
    }
}
