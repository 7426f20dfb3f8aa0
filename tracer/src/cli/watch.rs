//! Options of commands that watch this host: what to watch, and how to show it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, builder::NonEmptyStringValueParser};
use ipnet::IpNet;
use tracer_core::{Confidence, Options};

use super::{
    record_to::RecordTo,
    show::Show,
    thresholds::Thresholds,
    values::{comm, container, duration, network, output_format, pid, positive, source},
};
use crate::{
    collect::{
        filter::Filter,
        plan::{Plan, Source, UprobeTargets},
    },
    output::options::{OutputFormat, OutputOptions},
};

/// How long `audit` observes by default, which is long enough to see which sockets change.
const AUDIT_DURATION: Duration = Duration::from_secs(3);

/// How long an audit waits for inspections by default.
const INSPECT_FOR: Duration = Duration::from_secs(5);

/// What to watch, what counts as a leak, and how to show it.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    thresholds: Thresholds,
    #[command(flatten)]
    observation: Observation,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) record_to: RecordTo,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection (default: all processes and connections)")]
struct Selection {
    /// Watch only these processes (adds uprobes to Go ones)
    ///
    /// A comma-separated list of pids, as seen by the shell that runs tracer. Options that take a
    /// list can also be repeated. Uprobes are attached to Go programs unless --no-uprobes is given
    /// or --for is at most --idle.
    #[arg(short, long = "pid", value_name = "PID", value_delimiter = ',', value_parser = pid)]
    pids: Vec<u32>,
    /// Include the descendants of --pid
    #[arg(long, requires = "pids")]
    children: bool,
    /// Watch only processes with this name (/proc/PID/comm)
    #[arg(long = "comm", value_name = "NAME", value_delimiter = ',', value_parser = comm)]
    comms: Vec<String>,
    /// Watch only processes in this cgroup or below (/proc/PID/cgroup)
    #[arg(long, value_name = "PATH", value_parser = NonEmptyStringValueParser::new())]
    #[arg(hide_short_help = true)]
    cgroup: Option<String>,
    /// Watch only this container (ID prefix, 4+ hex digits)
    #[arg(long, value_name = "ID", value_parser = container)]
    container: Option<String>,
    /// Watch only connections with these local ports
    #[arg(short = 'L', long = "local-port", value_name = "PORT", value_delimiter = ',')]
    local_ports: Vec<u16>,
    /// Watch only connections with these remote ports
    #[arg(short = 'D', long = "remote-port", value_name = "PORT", value_delimiter = ',')]
    remote_ports: Vec<u16>,
    /// Watch only these remote addresses (10.0.0.0/8, ::1)
    #[arg(long = "remote", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    remotes: Vec<IpNet>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Observation")]
struct Observation {
    /// Stop after this long [default: Ctrl-C; audit: 3s]
    ///
    /// With 0s, tracer takes a single snapshot.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    duration: Option<Duration>,
    /// Attach uprobes to Go programs even without --pid
    ///
    /// Uprobes track HTTP responses until they are read to EOF or closed. They are not attached in
    /// a run whose --for is at most --idle, because it would end before a response could be
    /// reported.
    #[arg(long, conflicts_with = "no_uprobes")]
    go: bool,
    /// Do not attach uprobes to Go programs
    #[arg(long)]
    no_uprobes: bool,
    /// Set the time between snapshots [default: adaptive, from 1s to 10s]
    ///
    /// tracer lengthens it, to at most 30s, if it would otherwise use more than 1% of a CPU.
    #[arg(long, value_name = "DURATION", value_parser = positive, hide_short_help = true)]
    interval: Option<Duration>,
    /// At the end of an audit or of --for, wait at most this long for process inspections [default: 5s]
    ///
    /// The report says which processes could not be inspected in time. A live run waits only at
    /// its end; until then, the results of an inspection appear in the next report. After Ctrl-C,
    /// tracer does not wait.
    #[arg(long, value_name = "DURATION", value_parser = duration, hide_short_help = true)]
    inspect_for: Option<Duration>,
    /// Load extra rules that say which stack frames belong to libraries
    ///
    /// They take precedence over the built-in rules. In section `[go]`, the line
    /// `application package NAME` marks a package as part of the application.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    call_sites: Option<PathBuf>,
    /// Use this source of snapshots; for tests
    #[arg(long, hide = true, value_parser = source())]
    source: Option<Source>,
}

/// How long the demo runs, and how to show it.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Stop after this long
    #[arg(long = "for", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    duration: Duration,
    #[command(flatten)]
    output: Output,
}

/// How to show a live run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    #[command(flatten)]
    pub(super) format: Format,
    /// Show command lines, which often contain secrets
    #[arg(long, hide_short_help = true)]
    cmdline: bool,
}

/// How to show any run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Format {
    /// Print to stdout as table [default], json, jsonl or csv
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    #[arg(value_parser = output_format())]
    pub(super) output: Option<OutputFormat>,
    #[command(flatten)]
    show: Show,
    /// Append a row when a connection gains or loses a verdict
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Show more columns
    #[arg(short, long)]
    wide: bool,
    /// Log diagnostics to stderr
    #[arg(short, long)]
    verbose: bool,
}

impl Watch {
    /// The plan and output options of a live run.
    pub(crate) fn live(self) -> (Plan, OutputOptions) {
        let output = self.output_options(false);
        (self.plan(None), output)
    }

    /// The plan and output options of an audit.
    pub(crate) fn audit(self) -> (Plan, OutputOptions) {
        let output = self.output_options(true);
        (self.plan(Some(AUDIT_DURATION)), output)
    }

    fn output_options(&self, only_at_the_end: bool) -> OutputOptions {
        let fail_on = self.thresholds.fail_on().unwrap_or(Confidence::Likely);
        let all = self.thresholds.options(Options::default()).all;
        OutputOptions {
            recording: self.record_to.options(),
            least: self.output.format.least(fail_on, all),
            ..self.output.format.output_options(only_at_the_end)
        }
    }

    fn plan(self, duration: Option<Duration>) -> Plan {
        let Self { selection, thresholds, observation, output, record_to: _ } = self;
        let has_pids = !selection.pids.is_empty();
        let scoped = has_pids || !selection.comms.is_empty();
        let options = thresholds.options(Options { scoped, ..Options::default() });
        let once = duration.is_some();
        let duration = observation.duration.or(duration);
        let idle = Duration::from_millis(options.idle_ms);
        Plan {
            uprobes: observation.uprobes(has_pids, duration.is_none_or(|duration| duration > idle)),
            filter: selection.filter(),
            options,
            once,
            inspect_for: observation.inspect_for.unwrap_or(INSPECT_FOR),
            duration,
            interval: observation.interval,
            call_sites: observation.call_sites,
            fail_on: thresholds.fail_on().unwrap_or(Confidence::Likely),
            cmdline: output.cmdline,
            verbose: output.format.verbose,
            source: observation.source,
            attach_family: None,
        }
    }
}

impl Format {
    /// The lowest confidence of the findings that a table lists. `all`: every connection is listed.
    pub(super) fn least(&self, fail_on: Confidence, all: bool) -> Confidence {
        self.show.least(fail_on, all)
    }

    /// The output options of a run that is shown live, or only at the end.
    pub(super) fn output_options(&self, only_at_the_end: bool) -> OutputOptions {
        OutputOptions {
            format: self.output.unwrap_or(OutputFormat::Table),
            csv: self.csv.clone(),
            wide: self.wide,
            least: self.least(Confidence::Likely, false),
            only_at_the_end,
            verbose: self.verbose,
            recording: None,
        }
    }
}

impl Demo {
    /// The plan and output options for watching these processes, with thresholds for a run of a few
    /// seconds.
    pub(crate) fn plan(&self, pids: &[u32]) -> (Plan, OutputOptions) {
        let plan = Plan {
            filter: Filter { pids: pids.iter().copied().collect(), ..Filter::default() },
            options: Options { idle_ms: 2_000, scoped: true, ..Options::default() },
            uprobes: UprobeTargets::None,
            once: false,
            inspect_for: INSPECT_FOR,
            duration: Some(self.duration),
            interval: None,
            call_sites: None,
            fail_on: Confidence::Likely,
            cmdline: self.output.cmdline,
            verbose: self.output.format.verbose,
            source: None,
            attach_family: None,
        };
        (plan, self.output.format.output_options(false))
    }
}

impl Observation {
    /// Which Go programs get uprobes. Uprobes see only requests made after they are attached, so a
    /// run that ends before such a response can be suspicious (`is_long_enough` is false) does not
    /// need them.
    fn uprobes(&self, has_pids: bool, is_long_enough: bool) -> UprobeTargets {
        match (self.go, has_pids) {
            _ if self.no_uprobes => UprobeTargets::None,
            (true, _) if !is_long_enough => UprobeTargets::NoneRunTooShort,
            (false, _) if !is_long_enough => UprobeTargets::None,
            (_, true) => UprobeTargets::TargetProcesses,
            (true, false) => UprobeTargets::AllProcesses,
            (false, false) => UprobeTargets::None,
        }
    }
}

impl Selection {
    fn filter(self) -> Filter {
        Filter {
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn thresholds_default_to_those_of_the_core() {
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
    fn uprobes_are_attached_to_named_processes_in_runs_that_are_long_enough() {
        let uprobes = |arguments: &[&str]| {
            let cli = Cli::try_parse_from([&["tracer"], arguments].concat()).unwrap();
            match cli.command {
                Some(Command::Audit(watch)) => watch.audit().0.uprobes,
                _ => cli.watch.live().0.uprobes,
            }
        };
        assert_eq!(uprobes(&[]), UprobeTargets::None);
        assert_eq!(uprobes(&["--pid=1"]), UprobeTargets::TargetProcesses);
        assert_eq!(uprobes(&["--pid=1", "--go"]), UprobeTargets::TargetProcesses);
        assert_eq!(uprobes(&["--go"]), UprobeTargets::AllProcesses);
        assert_eq!(uprobes(&["--pid=1", "--no-uprobes"]), UprobeTargets::None);
        assert_eq!(uprobes(&["audit", "--pid=1"]), UprobeTargets::None);
        assert_eq!(uprobes(&["audit", "--go"]), UprobeTargets::NoneRunTooShort);
        assert_eq!(uprobes(&["audit", "--pid=1", "--for=2m"]), UprobeTargets::TargetProcesses);
        assert_eq!(uprobes(&["--pid=1", "--for=10s"]), UprobeTargets::None);
        assert_eq!(uprobes(&["--pid=1", "--for=10s", "--idle=3s"]), UprobeTargets::TargetProcesses);
        assert!(Cli::try_parse_from(["tracer", "--go", "--no-uprobes"]).is_err());
    }
}
