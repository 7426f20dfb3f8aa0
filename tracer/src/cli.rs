//! The command line. No other module uses clap's types: this one returns a
//! [`Plan`](crate::collect::plan::Plan) and
//! [`OutputOptions`](crate::output::options::OutputOptions).

mod record_to;
mod recordings;
mod show;
mod size;
mod thresholds;
mod values;
mod watch;

use std::path::PathBuf;

use clap::{
    Arg, ArgAction, Args, Command as ClapCommand, CommandFactory as _, FromArgMatches as _, Parser,
    Subcommand,
};

pub(crate) use recordings::{Diff, IncidentReport, Record, Rejudge, Replay, ReportTime};
pub(crate) use watch::{Demo, Watch};

use crate::{
    collect::{
        inspection::{LAUNCHER, WORKER},
        kernel::hooks::AttachFamily,
    },
    output::options::DocumentFormat,
    program::NAME,
};
use thresholds::without_default;
use values::{attach_family, document_format};

/// Width of help texts in columns: that of a default terminal.
const HELP_WIDTH: usize = 80;

/// The exit codes of the commands that report findings. A macro, because `concat!` takes no constant.
macro_rules! exit_codes {
    () => {
        "\
Exit codes: 0 no likely or certain finding, 1 at least one, 2 error, 3 none, but
not everything was observed. --fail-on sets a level other than 'likely'."
    };
}

const EXAMPLES: &str = concat!(
    "\
Examples:
  sudo tracer --pid 4711              watch one process until Ctrl-C
  sudo tracer audit                   check all processes of this host and exit
  sudo tracer record night.rec        watch all processes and record
  tracer diff before.json after.json  compare two audits: is the leak fixed?

",
    exit_codes!()
);

const AUDIT_EXAMPLES: &str = concat!(
    "\
Examples:
  sudo tracer audit                      check all processes
  sudo tracer audit --for 0s             check a single snapshot
  sudo tracer audit --pid 4711 --for 2m  check one process thoroughly
  sudo tracer audit -o json              print one JSON document

",
    exit_codes!()
);

const RECORDED_THRESHOLDS: &str = concat!(
    "\
Thresholds default to the recorded ones.

",
    exit_codes!()
);

const REPORT_NOTES: &str = concat!(
    "\
Prints a summary to stdout, unless --html - sends the report there.
Thresholds default to the recorded ones.

",
    exit_codes!()
);

const DIFF_NOTES: &str = "\
Leaks are matched by process name, destination, kind of leak and function; pids
and line numbers may differ. A leak that AFTER does not show is
  gone          AFTER observed the process, or one that started later
  not observed  AFTER did not: other pids, container, ports (see Selection)
  too early     the process had run for less than twice --idle plus the time
                that the leak took to begin in BEFORE (if known)

Exit codes: 0 no new leaks (those in both may have grown), 1 new leaks, 2 error,
3 no new leaks, but some not observed or too early, or coverage is incomplete";

const DOCTOR_EXIT_CODES: &str = "\
Exit codes: 0 everything is available, 2 tracer cannot run here, 3 tracer runs
with restrictions";

/// Find leaked TCP connections: the process, the destination, the line of code.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
#[command(disable_help_subcommand = true, disable_help_flag = true, max_term_width = HELP_WIDTH)]
pub(crate) struct Cli {
    /// Print help
    #[arg(short, long, global = true, action = ArgAction::HelpShort)]
    help: Option<bool>,
    /// Print help with all options
    #[arg(long, global = true, action = ArgAction::HelpLong)]
    help_all: Option<bool>,
    /// Attach to the kernel with this method only; for tests
    #[arg(long = "attach-method", global = true, hide = true, value_parser = attach_family)]
    pub(crate) attach_family: Option<AttachFamily>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) watch: Watch,
}

impl Cli {
    /// The command line of this process. Help texts have the `program` name in their examples.
    ///
    /// # Errors
    /// A usage error, or a help or version text that was requested.
    pub(crate) fn of_process(program: &str) -> Result<Self, clap::Error> {
        Self::from_arg_matches(&with_program(Self::command(), program).try_get_matches()?)
    }
}

/// The command with this name of the program in the texts after its help, which have examples.
fn with_program(command: ClapCommand, program: &str) -> ClapCommand {
    if program == NAME {
        return command;
    }
    let text = command.get_after_help().map(ToString::to_string);
    let command = match text {
        Some(text) => command.after_help(text.replace("tracer ", &format!("{program} "))),
        None => command,
    };
    let names: Vec<String> = command.get_subcommands().map(|it| it.get_name().into()).collect();
    names.iter().fold(command, |command, name| {
        command.mut_subcommand(name, |subcommand| with_program(subcommand, program))
    })
}

/// The option as it is in an audit, which attaches uprobes only if it is long.
fn of_audit(option: Arg) -> Arg {
    match option.get_id().as_str() {
        "pids" => option.help("Audit only these processes (no uprobes by default)"),
        "go" => option.help("Attach uprobes to Go programs, if --for is over --idle"),
        _ => option,
    }
}

/// What to do; without a subcommand, watch live.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Observe for a few seconds, report leaks and exit.
    ///
    /// Connections that were opened before the audit are included.
    #[command(after_help = AUDIT_EXAMPLES, mut_args(of_audit))]
    Audit(Box<Watch>),
    /// Watch live and record everything that is observed.
    Record(Box<Record>),
    /// Re-analyze a recording, without root, on any machine.
    #[command(after_help = RECORDED_THRESHOLDS, mut_args(without_default))]
    Replay(Box<Replay>),
    /// Write an incident report from a recording.
    #[command(after_help = REPORT_NOTES, mut_args(without_default))]
    Report(Box<IncidentReport>),
    /// Compare two recordings or audits: which leaks are new, which are gone.
    #[command(after_help = DIFF_NOTES)]
    Diff(Diff),
    /// Check kernel features and privileges; show fixes for what is missing.
    #[command(after_help = DOCTOR_EXIT_CODES)]
    Doctor(Doctor),
    /// Trace an example program that leaks, to show sample output.
    Demo(Demo),
    /// Write the manual pages and shell completions.
    #[command(hide = true)]
    Packaging {
        /// Directory to write to.
        directory: PathBuf,
    },
    /// The server of the demo.
    #[command(hide = true)]
    DemoServer,
    /// The process that starts inspection workers.
    #[command(hide = true, name = LAUNCHER)]
    LaunchInspection {
        /// The log is on standard error.
        #[arg(long)]
        verbose: bool,
    },
    /// An inspection worker.
    #[command(hide = true, name = WORKER)]
    Inspect {
        /// The log is on standard error.
        #[arg(long)]
        verbose: bool,
    },
    /// The leaking client of the demo.
    #[command(hide = true)]
    DemoClient {
        /// Address of the server.
        server: std::net::SocketAddr,
    },
}

/// How to print what was checked on the host.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print to stdout as table [default] or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    #[arg(value_parser = document_format(), hide_possible_values = true, hide_default_value = true)]
    pub(crate) output: DocumentFormat,
}

#[cfg(test)]
mod compatibility;

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;

    /// Lines of a usual terminal window.
    const SCREEN_LINES: usize = 55;

    /// Between two help texts.
    const RULE: &str =
        "\n--------------------------------------------------------------------------------\n\n";

    const COMMANDS: [&str; 8] =
        ["", "audit", "record", "replay", "report", "diff", "doctor", "demo"];

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_usage_error_names_the_option_and_the_expected_value() {
        for (argument, option, expected) in [
            ("--pool-size=0", "--pool-size <N>", "expected a number of at least 1"),
            ("--pool-idle=5", "--pool-idle <DURATION>", "expected a duration such as"),
            ("--min-unread=64KB", "--min-unread <BYTES>", "expected a size such as"),
            ("--pid=nginx", "--pid <PID>", "to select processes by name, use --comm nginx"),
            ("--growth-for=1s", "--growth-for <DURATION>", "must be at least 5s"),
        ] {
            let error = Cli::try_parse_from(["tracer", argument]).unwrap_err().to_string();
            let first_line = error.lines().next().unwrap_or_default();
            assert!(first_line.contains(option) && first_line.contains(expected), "{first_line}");
        }
    }

    fn help(command: &str, flag: &str) -> String {
        let arguments = ["tracer", command, flag];
        let arguments = arguments.into_iter().filter(|argument| !argument.is_empty());
        let help = Cli::try_parse_from(arguments).unwrap_err().to_string();
        help.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
    }

    #[test]
    fn examples_name_the_program_as_it_was_called() {
        let command = with_program(Cli::command(), "tcp-tracer");
        for arguments in [&["tcp-tracer", "-h"][..], &["tcp-tracer", "audit", "-h"]] {
            let error = command.clone().try_get_matches_from(arguments).unwrap_err().to_string();
            assert!(error.contains("\n  sudo tcp-tracer audit   "), "{error}");
            assert!(!error.contains("sudo tracer "), "{error}");
        }
    }

    #[test]
    fn short_help_fits_one_screen() {
        for command in COMMANDS {
            let help = help(command, "-h");
            assert!(help.lines().count() <= SCREEN_LINES, "{help}");
            for line in help.lines() {
                assert!(line.chars().count() <= HELP_WIDTH, "{line}");
            }
        }
    }

    #[test]
    fn help_texts() {
        let short: String = COMMANDS.iter().map(|command| help(command, "-h") + RULE).collect();
        expect_file!["cli/help.txt"].assert_eq(&short);
        expect_file!["cli/help-all.txt"].assert_eq(&help("audit", "--help-all"));
    }
}
