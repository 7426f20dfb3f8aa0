//! Whom to watch, and how to show it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, builder::NonEmptyStringValueParser};
use ipnet::IpNet;
use tracer_core::{Confidence, Options};

use super::{
    record_to::RecordTo,
    thresholds::Thresholds,
    values::{comm, container, duration, network, output_format, positive, source},
};
use crate::{
    collect::{
        filter::Filter,
        plan::{Follow, Plan, Source},
    },
    output::options::{OutputFormat, OutputOptions},
};

/// How long `audit` looks by default: long enough to see whether anything moves.
const AUDIT_FOR: Duration = Duration::from_secs(3);

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
    pub(super) appearance: Appearance,
    #[command(flatten)]
    pub(super) record_to: RecordTo,
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
    #[arg(long, hide = true, value_parser = source())]
    source: Option<Source>,
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
    pub(super) showing: Showing,
    /// Command lines too; they often hold secrets
    #[arg(long, hide_short_help = true)]
    cmdline: bool,
}

/// How to show it.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to show and keep")]
pub(super) struct Showing {
    /// Format of the standard output: table [default], json, csv
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    #[arg(value_parser = output_format())]
    pub(super) output: Option<OutputFormat>,
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

impl Watch {
    /// The plan and options of watching live.
    pub(crate) fn live(self) -> (Plan, OutputOptions) {
        let output = self.output(false);
        (self.plan(None), output)
    }

    /// The plan and options of an audit.
    pub(crate) fn audit(self) -> (Plan, OutputOptions) {
        let output = self.output(true);
        (self.plan(Some(AUDIT_FOR)), output)
    }

    pub(super) fn output(&self, only_at_the_end: bool) -> OutputOptions {
        OutputOptions {
            recording: self.record_to.options(),
            ..self.appearance.showing.output(only_at_the_end)
        }
    }

    fn plan(self, duration: Option<Duration>) -> Plan {
        let Self { selection, thresholds, looks, appearance, record_to: _ } = self;
        let scoped = !selection.pids.is_empty();
        let options = thresholds.options(Options { scoped, ..Options::default() });
        let once = duration.is_some();
        let duration = looks.duration.or(duration);
        let idle = Duration::from_millis(options.idle_ms);
        Plan {
            follow: selection.follow(duration.is_none_or(|duration| duration > idle)),
            filter: selection.filter(),
            options,
            once,
            duration,
            interval: looks.interval,
            call_sites: looks.call_sites,
            fail_on: thresholds.fail_on().unwrap_or(Confidence::Likely),
            cmdline: appearance.cmdline,
            verbose: appearance.showing.verbose,
            source: looks.source,
            mechanism: None,
        }
    }
}

impl Showing {
    /// The options, for a run that shows itself or only its end.
    pub(super) fn output(&self, only_at_the_end: bool) -> OutputOptions {
        OutputOptions {
            format: self.output.unwrap_or(OutputFormat::Table),
            csv: self.csv.clone(),
            wide: self.wide,
            only_at_the_end,
            verbose: self.verbose,
            recording: None,
        }
    }
}

impl Demo {
    /// The plan and options of watching these processes, with thresholds that fit a few seconds.
    pub(crate) fn plan(&self, pids: &[u32]) -> (Plan, OutputOptions) {
        let plan = Plan {
            filter: Filter { pids: pids.iter().copied().collect(), ..Filter::default() },
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
            mechanism: None,
        };
        (plan, self.appearance.showing.output(false))
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
}
