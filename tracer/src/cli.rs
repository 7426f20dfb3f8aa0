//! The command line. clap's types stop here: what leaves is a [`Plan`] and a [`Form`].

mod recordings;
mod size;
mod thresholds;

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};
use ipnet::{IpNet, Ipv4Net};
use jiff::SignedDuration;
use tracer_core::{Confidence, Options};

pub(crate) use recordings::{At, Diff, DiffOutput, Incident, Record, Replay};
use thresholds::Thresholds;

use crate::{scope::Scope, source::hooks::Family};

/// How long `audit` looks by default: long enough to see whether anything moves.
const AUDIT_FOR: Duration = Duration::from_secs(3);

/// Longer ones are mistakes.
const DURATION_MAX: Duration = Duration::from_hours(366 * 24);

/// There is a look in each window while something changes.
const GROWTH_MIN: Duration = Duration::from_secs(5);

/// Longest name that the kernel keeps of a process, in bytes (`TASK_COMM_LEN` less one).
const COMM_MAX: usize = 15;

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
    #[arg(long, global = true, hide = true)]
    pub(crate) rung: Option<Family>,
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

/// Whom to watch, what counts as a leak, and how to show it.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    thresholds: Thresholds,
    #[command(flatten)]
    looks: Looks,
    #[command(flatten)]
    appearance: Appearance,
    #[command(flatten)]
    tape: recordings::Tape,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Whom to watch (default: every process)")]
struct Selection {
    /// Only these processes (repeat, or separate by commas, as all lists)
    #[arg(short, long = "pid", value_name = "PID", value_delimiter = ',')]
    pids: Vec<u32>,
    /// Their descendants too
    #[arg(long, requires = "pids")]
    children: bool,
    /// Only processes of this name, as in /proc/PID/comm
    #[arg(long = "comm", value_name = "NAME", value_delimiter = ',', value_parser = comm)]
    comms: Vec<String>,
    /// Only processes in this cgroup or below, as in /proc/PID/cgroup
    #[arg(long, value_name = "PATH", value_parser = NonEmptyStringValueParser::new())]
    #[arg(hide_short_help = true)]
    cgroup: Option<String>,
    /// Only processes in the container whose id begins like this
    #[arg(long, value_name = "ID", value_parser = container)]
    container: Option<String>,
    /// Only connections with these local ports
    #[arg(short = 'L', long = "local-port", value_name = "PORT", value_delimiter = ',')]
    local_ports: Vec<u16>,
    /// Only connections with these remote ports
    #[arg(short = 'D', long = "remote-port", value_name = "PORT", value_delimiter = ',')]
    remote_ports: Vec<u16>,
    /// Only connections to or from these addresses: 10.0.0.0/8, ::1
    #[arg(long = "remote", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    remotes: Vec<IpNet>,
    /// Follow the responses of every Go program, as --pid does
    #[arg(long, conflicts_with = "no_uprobes")]
    go: bool,
    /// Follow nobody's: no uprobes in Go programs
    #[arg(long, hide_short_help = true)]
    no_uprobes: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What to show and keep")]
struct Looks {
    /// Stop after this long; 0s is one look [default: until Ctrl-C; audit: 3s]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    duration: Option<Duration>,
    /// How often to look [default: 1s while something changes, up to 10s while nothing does];
    /// looking takes 1 % of a processor or less
    #[arg(long, value_name = "DURATION", value_parser = positive, hide_short_help = true)]
    interval: Option<Duration>,
    /// Rules for which frames of a stack are not the application's, before the built-in ones;
    /// `application package NAME` below a line `[go]` takes one back
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    call_sites: Option<PathBuf>,
    /// Look in this way only; for tests
    #[arg(long, hide = true)]
    source: Option<Source>,
}

/// Ways to look at sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    /// The kernel programs.
    Kernel,
    /// `sock_diag`, `/proc` and copies of descriptors.
    SockDiag,
}

/// How to show what the host allows.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Format of the standard output
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: DoctorOutput,
}

/// Formats of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorOutput {
    /// For people.
    Table,
    /// One document.
    Json,
}

/// How long the demo is to run, and how to show it.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Stop after this long
    #[arg(long = "for", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    duration: Duration,
    #[command(flatten)]
    appearance: Appearance,
}

/// How to show it, and what is not shown unless it is asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to show and keep")]
pub(crate) struct Appearance {
    #[command(flatten)]
    showing: Showing,
    /// Command lines too; they often hold secrets
    #[arg(long, hide_short_help = true)]
    cmdline: bool,
}

/// How to show it.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to show and keep")]
struct Showing {
    /// Format of the standard output: table [default], json, csv
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    output: Option<Output>,
    /// Also keep a row for each connection that gets, changes or loses a verdict
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// More columns
    #[arg(short, long)]
    wide: bool,
    /// Diagnostics, the kernel side's included, on standard error
    #[arg(short, long)]
    verbose: bool,
}

/// Formats of the standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// One document at the end of an audit; live, one a line.
    Json,
    /// The rows of `--csv`.
    Csv,
}

/// In which Go programs uprobes follow each response until it is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// In none.
    Nobody,
    /// In none, though it was asked for: the run ends before a response could be suspicious.
    InVain,
    /// In those among the processes that were named.
    Named,
    /// In all that hold sockets.
    Everybody,
}

/// What to observe, for how long, and how to judge it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) scope: Scope,
    pub(crate) follow: Follow,
    pub(crate) options: Options,
    /// `None`: until a signal.
    pub(crate) duration: Option<Duration>,
    /// It is an audit: what is selected must be there.
    pub(crate) once: bool,
    /// Between looks; `None`: by what changes.
    pub(crate) interval: Option<Duration>,
    /// Rules of the user's for what is not the application.
    pub(crate) call_sites: Option<PathBuf>,
    pub(crate) fail_on: Confidence,
    pub(crate) cmdline: bool,
    pub(crate) verbose: bool,
    /// Look in this way only.
    pub(crate) source: Option<Source>,
    /// Hang on the kernel in this way only.
    pub(crate) rung: Option<Family>,
}

/// How to show it.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) output: Output,
    pub(crate) csv: Option<PathBuf>,
    pub(crate) wide: bool,
    /// Show only how it ended.
    pub(crate) only_at_the_end: bool,
    pub(crate) verbose: bool,
    /// Where to record what is seen.
    pub(crate) tape: Option<Tape>,
}

/// The file of a recording.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    pub(crate) path: PathBuf,
    /// It does not get larger than this.
    pub(crate) max_bytes: Option<u64>,
}

impl Watch {
    /// The plan and form of watching live.
    pub(crate) fn live(self) -> (Plan, Form) {
        let form = self.form(false);
        (self.plan(None), form)
    }

    /// The plan and form of an audit.
    pub(crate) fn audit(self) -> (Plan, Form) {
        let form = self.form(true);
        (self.plan(Some(AUDIT_FOR)), form)
    }

    fn form(&self, only_at_the_end: bool) -> Form {
        Form { tape: self.tape.tape(), ..self.appearance.showing.form(only_at_the_end) }
    }

    fn plan(self, duration: Option<Duration>) -> Plan {
        let Self { selection, thresholds, looks, appearance, tape: _ } = self;
        let scoped = !selection.pids.is_empty();
        let options = thresholds.options(Options { scoped, ..Options::default() });
        let once = duration.is_some();
        let duration = looks.duration.or(duration);
        let idle = Duration::from_millis(options.idle_ms);
        Plan {
            follow: selection.follow(duration.is_none_or(|duration| duration > idle)),
            scope: selection.scope(),
            options,
            once,
            duration,
            interval: looks.interval,
            call_sites: looks.call_sites,
            fail_on: thresholds.fail_on().unwrap_or(Confidence::Likely),
            cmdline: appearance.cmdline,
            verbose: appearance.showing.verbose,
            source: looks.source,
            rung: None,
        }
    }
}

impl Showing {
    /// The form, for a run that shows itself or only its end.
    fn form(&self, only_at_the_end: bool) -> Form {
        Form {
            output: self.output.unwrap_or(Output::Table),
            csv: self.csv.clone(),
            wide: self.wide,
            only_at_the_end,
            verbose: self.verbose,
            tape: None,
        }
    }
}

impl Demo {
    /// The plan and form of watching these processes, with thresholds that fit a few seconds.
    pub(crate) fn plan(&self, pids: &[u32]) -> (Plan, Form) {
        let plan = Plan {
            scope: Scope { pids: pids.iter().copied().collect(), ..Scope::default() },
            options: Options { idle_ms: 2_000, scoped: true, ..Options::default() },
            follow: Follow::Nobody,
            once: false,
            duration: Some(self.duration),
            interval: None,
            call_sites: None,
            fail_on: Confidence::Likely,
            cmdline: self.appearance.cmdline,
            verbose: self.appearance.showing.verbose,
            source: None,
            rung: None,
        };
        (plan, self.appearance.showing.form(false))
    }
}

impl Selection {
    /// Uprobes see what is handed out from now on, so a run that ends before that can be suspicious
    /// has no use for them.
    fn follow(&self, lasts: bool) -> Follow {
        match (self.go, self.pids.is_empty()) {
            _ if self.no_uprobes => Follow::Nobody,
            (true, _) if !lasts => Follow::InVain,
            (false, _) if !lasts => Follow::Nobody,
            (_, false) => Follow::Named,
            (true, true) => Follow::Everybody,
            (false, true) => Follow::Nobody,
        }
    }

    fn scope(self) -> Scope {
        Scope {
            pids: self.pids.into_iter().collect(),
            children: self.children,
            comms: self.comms.into_iter().collect(),
            cgroup: self.cgroup,
            container: self.container,
            local_ports: self.local_ports.into_iter().collect(),
            remote_ports: self.remote_ports.into_iter().collect(),
            remotes: self.remotes,
        }
    }
}

/// The beginning of a container's id. Fewer digits than four are more likely to be a mistake.
fn container(text: &str) -> Result<String, String> {
    let is_id = text.bytes().all(|byte| byte.is_ascii_hexdigit()) && (4..=64).contains(&text.len());
    if is_id {
        return Ok(text.to_ascii_lowercase());
    }
    Err("expected 4 to 64 hexadecimal digits, as container tools show them".to_owned())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration =
        text.parse().map_err(|_| "expected a duration such as 500ms, 3s or 5m".to_owned())?;
    let duration =
        Duration::try_from(duration).map_err(|_| "a duration cannot be negative".to_owned())?;
    if duration > DURATION_MAX {
        return Err("it must be at most a year".to_owned());
    }
    Ok(duration)
}

fn positive(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_millis(1) {
        return Err("it must be at least 1ms".to_owned());
    }
    Ok(duration)
}

fn growth(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < GROWTH_MIN {
        return Err(format!("it must be at least {}s", GROWTH_MIN.as_secs()));
    }
    Ok(duration)
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a number from 1 on".to_owned()),
        Ok(count) => Ok(count),
    }
}

fn comm(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("a name is missing".to_owned()),
        1..=COMM_MAX => Ok(text.to_owned()),
        _ => Err(format!("the kernel keeps {COMM_MAX} bytes of a name: give no more")),
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let complaint = |_| "expected an address or a network such as 10.0.0.0/8".to_owned();
    let network = text.parse().or_else(|_| address()).map_err(complaint)?;
    // Connections of IPv4 over an IPv6 socket are shown and compared as IPv4.
    Ok(match network {
        IpNet::V6(mapped) if mapped.prefix_len() >= 96 => mapped
            .addr()
            .to_ipv4_mapped()
            .and_then(|address| Ipv4Net::new(address, mapped.prefix_len() - 96).ok())
            .map_or(network, IpNet::V4),
        _ => network,
    })
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
    fn durations_have_units_and_limits() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert!(duration("3").is_err());
        assert!(duration("-3s").is_err());
        assert!(positive("0s").is_err());
    }

    #[test]
    fn what_counts_has_defaults_that_are_the_judges() {
        let options = |arguments: &[&str]| {
            let cli = Cli::try_parse_from([&["tracer"], arguments].concat()).unwrap();
            cli.watch.live().0.options
        };
        assert_eq!(options(&[]), Options::default());
        let chosen = options(&[
            "--idle=1s",
            "--min-count=2",
            "--pool-size=3",
            "--pool-idle=4m",
            "--min-unread=64K",
            "--growth-for=10s",
        ]);
        let expected = Options {
            idle_ms: 1_000,
            count_min: 2,
            pool_size: 3,
            pool_idle_ms: 240_000,
            unread_min_bytes: 65_536,
            window_ms: 2_000,
            ..Options::default()
        };
        assert_eq!(chosen, expected);
    }

    #[test]
    fn responses_are_followed_of_whom_was_named_and_if_there_is_time() {
        let follow = |arguments: &[&str]| {
            let cli = Cli::try_parse_from([&["tracer"], arguments].concat()).unwrap();
            match cli.command {
                Some(Command::Audit(watch)) => watch.audit().0.follow,
                _ => cli.watch.live().0.follow,
            }
        };
        assert_eq!(follow(&[]), Follow::Nobody);
        assert_eq!(follow(&["--pid=1"]), Follow::Named);
        assert_eq!(follow(&["--pid=1", "--go"]), Follow::Named);
        assert_eq!(follow(&["--go"]), Follow::Everybody);
        assert_eq!(follow(&["--pid=1", "--no-uprobes"]), Follow::Nobody);
        assert_eq!(follow(&["audit", "--pid=1"]), Follow::Nobody);
        assert_eq!(follow(&["audit", "--go"]), Follow::InVain);
        assert_eq!(follow(&["audit", "--pid=1", "--for=2m"]), Follow::Named);
        assert_eq!(follow(&["--pid=1", "--for=10s"]), Follow::Nobody);
        assert_eq!(follow(&["--pid=1", "--for=10s", "--idle=3s"]), Follow::Named);
        assert!(Cli::try_parse_from(["tracer", "--go", "--no-uprobes"]).is_err());
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

    #[test]
    fn a_remote_is_a_network_or_an_address() {
        assert_eq!(network("10.0.0.0/8").map(|net| net.to_string()), Ok("10.0.0.0/8".to_owned()));
        assert_eq!(network("::1").map(|net| net.to_string()), Ok("::1/128".to_owned()));
        assert!(network("localhost").is_err());
        let mapped = network("::ffff:10.0.0.0/104").map(|net| net.to_string());
        assert_eq!(mapped, Ok("10.0.0.0/8".to_owned()));
    }
}
