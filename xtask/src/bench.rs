//! `cargo xtask bench`: measures the cost of tracer, compared with other tools in the same run.

mod audit;
mod burst;
mod busy;
mod churn;
mod ctrl_c;
mod helper;
mod holders;
mod idle;
mod measure;
mod programs;
mod report;
mod requests;
mod start;
mod tracing;

use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::build::Programs;
use crate::privileges::{self, Access};
use crate::tally::Tally;
use crate::{build, step};
use report::BenchReport;

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// An audit of many open sockets, compared with ss and lsof.
    Audit,
    /// The time from the start until everything is attached, compared with bpftrace.
    Start,
    /// Connections opened and closed as fast as possible.
    Churn,
    /// Requests of a Go client on kept-alive connections.
    Requests,
    /// Many connections opened at once and held.
    Burst,
    /// Many idle connections.
    Idle,
    /// Many programs that open new connections continuously: does tracer keep up?
    Busy,
    /// Ctrl-C in a run with uprobes in many Go programs.
    CtrlC,
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to measure [default: everything].
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Measure little, within a minute: shows that everything runs, but not how fast.
    #[arg(long)]
    short: bool,
    /// Number of rounds, in each of which everything is measured [default: 5, or 1 with --short].
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Audit this many sockets in ten processes, instead of various numbers.
    #[arg(long, value_name = "N")]
    sockets: Option<usize>,
    /// Start this many Go programs before Ctrl-C [default: 80, or 4 with --short].
    #[arg(long, value_name = "N")]
    go_programs: Option<usize>,
    /// Write the results to docs/benchmark.md, and the summary to the pages that show it. This
    /// takes half an hour, most of it for ss with a million sockets.
    #[arg(long, conflicts_with_all = ["parts", "short", "sockets", "go_programs"])]
    write: bool,
}

/// How much is measured.
struct Size<'a> {
    rounds: usize,
    /// The number of sockets, and of processes that hold them, for each audit.
    audits: &'a [(usize, usize)],
    churn: usize,
    request_connections: usize,
    requests: Duration,
    burst: (usize, usize),
    idle: (usize, Duration),
    busy: busy::Size,
    busy_rounds: usize,
    go_programs: usize,
}

const WHOLE: Size<'_> = Size {
    rounds: 5,
    audits: &[
        (1_000, 1),
        (1_000, 10),
        (1_000, 100),
        (10_000, 1),
        (10_000, 10),
        (10_000, 100),
        (10_000, 1_000),
        (100_000, 1),
        (100_000, 10),
        (100_000, 100),
        (100_000, 1_000),
        (1_000_000, 1),
        (1_000_000, 10),
        // With 1,000 processes, this would take minutes longer and add little to the measurement of
        // 100,000 sockets.
        (1_000_000, 100),
    ],
    churn: 20_000,
    request_connections: 8,
    requests: Duration::from_secs(3),
    burst: (100_000, 10),
    idle: (10_000, Duration::from_mins(1)),
    busy: busy::Size { processes: 1_450, opened_per_s: 200, duration: Duration::from_mins(10) },
    // One run measures many intervals.
    busy_rounds: 2,
    go_programs: 80,
};

const SHORT: Size<'_> = Size {
    rounds: 1,
    audits: &[(1_000, 1), (1_000, 10)],
    churn: 2_000,
    request_connections: 8,
    requests: Duration::from_millis(500),
    burst: (2_000, 2),
    idle: (1_000, Duration::from_secs(3)),
    busy: busy::Size { processes: 50, opened_per_s: 50, duration: Duration::from_secs(6) },
    busy_rounds: 1,
    go_programs: 4,
};

/// Measures, and prints medians, ranges and ratios.
///
/// # Errors
/// The benchmark is not run as root, or a command fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !privileges::is_root() {
        bail!("the benchmark loads BPF programs: run it as root");
    }
    measure_with(&build::release()?, arguments)
}

fn measure_with(programs: &Programs, arguments: &Arguments) -> Result<()> {
    let cell = arguments.sockets.map(|sockets| [(sockets, 10)]);
    let size = if arguments.short { SHORT } else { WHOLE };
    let audits = cell.as_ref().map_or(size.audits, |cell| cell);
    let go_programs = arguments.go_programs.unwrap_or(size.go_programs);
    let size = Size { audits, go_programs, ..size };
    let rounds = arguments.rounds.unwrap_or(size.rounds).max(1);
    let parts = if arguments.parts.is_empty() { Part::value_variants() } else { &arguments.parts };
    let mut report = BenchReport::new();
    for part in parts {
        measure(*part, programs, &mut report, &size, rounds)?;
    }
    println!("\n{}", report.summary().trim_end());
    if arguments.write {
        report.publish()?;
    }
    Ok(())
}

/// Runs the short form as a step of `cargo xtask test`, to show that every measurement runs.
pub(crate) fn test(access: Access) -> Tally {
    if access != Access::Direct {
        return step::skipped("the benchmark runs only as root, not through sudo");
    }
    let arguments = Arguments {
        parts: Vec::new(),
        short: true,
        rounds: None,
        sockets: None,
        go_programs: None,
        write: false,
    };
    let programs = build::for_system_tests();
    step::checked(programs.and_then(|it| measure_with(&it.programs, &arguments)))
}

fn measure(
    part: Part,
    programs: &Programs,
    report: &mut BenchReport,
    size: &Size<'_>,
    rounds: usize,
) -> Result<()> {
    match part {
        Part::Audit => audit::run(programs, report, size.audits, rounds),
        Part::Start => start::run(programs, report, rounds),
        Part::Churn => churn::run(programs, report, size.churn, rounds),
        Part::Requests => {
            requests::run(programs, report, size.request_connections, size.requests, rounds)
        }
        Part::Burst => burst::run(programs, report, size.burst.0, size.burst.1),
        Part::Idle => idle::run(programs, report, size.idle.0, size.idle.1),
        Part::Busy => busy::run(programs, report, size.busy, rounds.min(size.busy_rounds)),
        Part::CtrlC => ctrl_c::run(programs, report, size.go_programs, rounds),
    }
}
