//! `cargo xtask corpus`: real programs, leaking and healthy, and what tracer says of them.

mod baseline;
mod case;
mod label;
mod matrix;
mod observed;
mod outcome;
mod pace;
mod program;
mod runtime;
mod server;
mod session;
mod stage;
mod sweep;
mod tables;
mod trial;
mod watch;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::privileges::{self, Access};
use crate::tally::Tally;
use baseline::Baseline;
use observed::{Finding, Record, Sentence};
use outcome::{Judged, Outcome, Summary};
use pace::Pace;
use stage::{Ended, Stage};
use sweep::Variant;
use trial::Trial;
use watch::{Tracer, Watch};

/// Findings that are shown of processes that are no part of the corpus.
const OTHERS_SHOWN: usize = 10;
/// Findings whose evidence is shown of one case.
const SHOWN: usize = 4;

#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Divide tracer's thresholds by this, so that the run is shorter; 1 is the real ones.
    #[arg(long, value_name = "FACTOR", default_value_t = 6.0)]
    scale: f64,
    /// Only the cases that continuous integration runs: Go and Python.
    #[arg(long)]
    reduced: bool,
    /// Only cases whose name holds this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Also audit with other T and N, and say how those do.
    #[arg(long)]
    sweep: bool,
    /// Also write the confusion matrix to this file.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Runs the corpus; 1 if a case is not as labelled.
///
/// # Errors
/// If it could not run.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let access = match privileges::kernel_access() {
        Ok(access) => access,
        Err(reason) => bail!("the corpus loads kernel programs: {reason}"),
    };
    let summary = perform(arguments, access, true)?;
    println!("\n{summary}");
    Ok(if summary.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the reduced set as a step of the tests, without installing Debian packages.
pub(crate) fn reduced(access: Access) -> Tally {
    let arguments = Arguments {
        scale: 6.0,
        reduced: true,
        filter: String::new(),
        sweep: false,
        markdown: None,
    };
    match perform(&arguments, access, false) {
        Ok(summary) => {
            println!("{summary}");
            Tally {
                passed: summary.as_labelled,
                failed: summary.not + summary.broken,
                skipped: summary.skipped(),
            }
        }
        Err(error) => {
            println!("FAILED: {error:#}");
            Tally::FAILED
        }
    }
}

fn perform(arguments: &Arguments, access: Access, may_install: bool) -> Result<Summary> {
    let started = Instant::now();
    let pace = Pace::scaled(arguments.scale)?;
    let cases = case::load(&runtime::corpus().join("cases"))?;
    let trials = Trial::all(&cases, arguments.reduced, &arguments.filter);
    ensure!(!trials.is_empty(), "no case has `{}` in its name", arguments.filter);

    let mut stage = Stage::prepare(trials, &pace, may_install)?;
    let tracer = Tracer::build(access, &pace)?;
    println!("watching with `{}`", tracer.describe(""));
    let mut watch = Watch::start(&tracer)?;
    stage.start_all()?;
    stage.look();
    let settling = pace.settling(stage.has_dying());
    println!("{} of {} programs are ready; waiting {settling:?}", stage.running(), stage.len());
    thread::sleep(pace.closed());
    let earlier = Baseline::take(pace.idle)?;
    thread::sleep(settling.saturating_sub(pace.closed()));

    watch.check()?;
    stage.check()?;
    stage.look();
    println!("auditing with `{}`", tracer.describe("audit"));
    let baseline = Baseline::take(pace.idle)?.or(earlier);
    let audit = tracer.audit()?;
    let live = watch.stop()?;
    let variants = if arguments.sweep { sweep::run(&tracer, &pace)? } else { Vec::new() };
    println!("the watching tracer wrote {} documents", live.documents);
    for (name, record) in [("live", &live), ("audit", &audit)] {
        if let Some(lack) = record.not_seen() {
            println!("not everything was seen, {name}: {lack}");
        }
    }
    show_others(&live, &audit, &stage.processes());
    let outcomes: Vec<_> = stage
        .end()
        .into_iter()
        .map(|ended| judge(ended, &live, &audit, &baseline, &variants))
        .collect();
    show(&outcomes);
    if !variants.is_empty() {
        let names: Vec<String> = variants.into_iter().map(|variant| variant.name).collect();
        println!("\n{}", sweep::table(&names, &judged(&outcomes)));
    }
    println!("\nit took {} s", started.elapsed().as_secs());
    if let Some(path) = &arguments.markdown {
        let markdown = format!("{}\n", tables::matrix_markdown(&judged(&outcomes)));
        fs::write(path, markdown).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Summary::of(outcomes.iter().map(|(_, outcome)| outcome)))
}

/// Puts together what was said of one program.
fn judge(
    ended: Ended,
    live: &Record,
    audit: &Record,
    baseline: &Baseline,
    variants: &[Variant],
) -> (String, Outcome) {
    let outcome = match ended.part {
        Ok((_, pids)) if pids.is_empty() => Outcome::Broken("it has no processes".to_owned()),
        Ok((label, pids)) => Outcome::Judged(Judged {
            label,
            live: live.of(&pids),
            audit: audit.of(&pids),
            counts: baseline.of(&pids),
            variants: variants.iter().map(|variant| variant.record.of(&pids)).collect(),
        }),
        Err(outcome) => outcome,
    };
    (ended.name, outcome)
}

/// Findings about processes of the host that are no part of the corpus.
fn show_others(live: &Record, audit: &Record, ours: &BTreeSet<u32>) {
    for (name, record) in [("live", live), ("audit", audit)] {
        let findings = record.of_others(ours);
        for finding in findings.iter().take(OTHERS_SHOWN) {
            let Finding { pid, comm, verdict, confidence, count, .. } = finding;
            println!("others, {name}: {comm:?} [{pid}]: {count} {verdict} ({confidence})");
        }
        let more = findings.len().saturating_sub(OTHERS_SHOWN);
        if more > 0 {
            println!("others, {name}: {more} more findings");
        }
    }
}

fn show(outcomes: &[(String, Outcome)]) {
    println!("\n{}", tables::cases(outcomes));
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Broken(why) => println!("\n{name} is broken: {why}"),
            Outcome::Judged(judged) if !judged.mistakes().is_empty() => show_evidence(name, judged),
            Outcome::Judged(_) | Outcome::Skipped(_) => {}
        }
    }
    println!("\n{}", tables::matrix(&judged(outcomes)));
}

/// Why tracer said what it should not have.
fn show_evidence(name: &str, judged: &Judged) {
    println!("\n{name}: {}", judged.mistakes().join("; "));
    for (look, observed) in [("live", &judged.live), ("audit", &judged.audit)] {
        for finding in observed.now.iter().take(SHOWN) {
            let Finding { pid, comm, verdict, confidence, count, evidence, caveats, .. } = finding;
            println!("  {look}: {comm:?} [{pid}]: {count} {verdict} ({confidence})");
            for Sentence { text } in evidence.iter().chain(caveats) {
                println!("    {text}");
            }
        }
    }
}

fn judged(outcomes: &[(String, Outcome)]) -> Vec<&Judged> {
    let mut rows = Vec::new();
    for (_, outcome) in outcomes {
        if let Outcome::Judged(judged) = outcome {
            rows.push(judged);
        }
    }
    rows
}
