//! `cargo xtask corpus`: real programs that leak or are healthy, and what tracer reports about
//! them.

mod baseline;
mod case;
mod confidence;
mod label;
mod languages;
mod matrix;
mod need;
mod observed;
mod outcome;
mod pace;
mod program;
mod programs;
mod runtime;
mod server;
mod session;
mod sweep;
mod tables;
mod trial;
mod watch;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use clap::Args;

pub(crate) use confidence::Confidence;
pub(crate) use runtime::packages::search_path;

use crate::build;
use crate::extent::Extent;
use crate::figures;
use crate::privileges::{self, Access};
use crate::tally::Tally;
use baseline::Baseline;
use observed::{Finding, Record, Sentence};
use outcome::{JudgedCase, Outcome, Summary};
use pace::Pace;
use programs::{Ended, Programs};
use sweep::Variant;
use trial::Trial;
use watch::{Tracer, Watch};

/// Maximum number of findings shown about processes outside the corpus.
const OTHERS_SHOWN: usize = 10;
/// Maximum number of findings per case whose evidence is shown.
const SHOWN: usize = 4;

/// The scale of the runs whose figures are in docs/.
const SCALE: f64 = 6.0;

#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Divide tracer's thresholds by this to shorten the run; 1 leaves them unchanged.
    #[arg(long, value_name = "FACTOR", default_value_t = SCALE)]
    scale: f64,
    /// Only the cases of `cargo xtask test --all`: Go and Python.
    #[arg(long)]
    reduced: bool,
    /// Only cases whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Also audit with other values of --idle and --min-count, and show the results.
    #[arg(long)]
    sweep: bool,
    /// Write the results to docs/corpus.md and to the pages that show it.
    #[arg(long, conflicts_with_all = ["reduced", "filter"])]
    markdown: bool,
}

/// Runs the corpus; the exit code is 1 if a case differs from its label.
///
/// # Errors
/// The corpus cannot run.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let access = match privileges::kernel_access() {
        Ok(access) => access,
        Err(reason) => bail!("the corpus loads BPF programs: {reason}"),
    };
    let pace = Pace::scaled(arguments.scale)?;
    let tracer = Tracer::new(build::release()?.tracer, access, &pace)?;
    let summary = perform(arguments, &tracer, &pace, true)?;
    println!("\n{summary}");
    Ok(if summary.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the corpus as a step of `cargo xtask test`. The reduced set does not install Debian
/// packages.
pub(crate) fn test(access: Access, extent: Extent) -> Tally {
    let arguments = Arguments {
        scale: SCALE,
        reduced: extent == Extent::Reduced,
        filter: String::new(),
        sweep: false,
        markdown: false,
    };
    let summary = Pace::scaled(SCALE).and_then(|pace| {
        let tracer = Tracer::new(build::for_system_tests()?.programs.tracer, access, &pace)?;
        perform(&arguments, &tracer, &pace, extent == Extent::Whole)
    });
    match summary {
        Ok(summary) => {
            println!("{summary}");
            Tally {
                passed: summary.as_labeled,
                failed: summary.not_as_labeled + summary.broken,
                skipped: summary.skipped(),
            }
        }
        Err(error) => {
            println!("FAILED: {error:#}");
            Tally::FAILED
        }
    }
}

fn perform(
    arguments: &Arguments,
    tracer: &Tracer,
    pace: &Pace,
    may_install: bool,
) -> Result<Summary> {
    let started = Instant::now();
    let cases = case::load(&runtime::corpus().join("cases"))?;
    let trials = Trial::all(&cases, arguments.reduced, &arguments.filter);
    ensure!(!trials.is_empty(), "no case has `{}` in its name", arguments.filter);

    let mut programs = Programs::prepare(trials, pace, may_install)?;
    println!("watching with `{}`", tracer.describe(""));
    let mut watch = Watch::start(tracer)?;
    programs.start_all()?;
    programs.note_processes();
    let settling = pace.settling(programs.has_dying());
    let (running, all) = (programs.running(), programs.len());
    println!("{running} of {all} programs are ready; waiting {} s", settling.as_secs());
    thread::sleep(pace.closed());
    let earlier = Baseline::take(pace.idle)?;
    thread::sleep(settling.saturating_sub(pace.closed()));

    watch.check()?;
    programs.check()?;
    programs.note_processes();
    println!("auditing with `{}`", tracer.describe("audit"));
    let baseline = Baseline::take(pace.idle)?.or(earlier);
    let audit = tracer.audit()?;
    let live = watch.stop()?;
    let variants = if arguments.sweep { sweep::run(tracer, pace)? } else { Vec::new() };
    println!("the live tracer wrote {} documents", live.documents);
    for (name, record) in [("live", &live), ("audit", &audit)] {
        if let Some(reason) = record.incomplete() {
            println!("{name}: the view was incomplete: {reason}");
        }
    }
    show_others(&live, &audit, &programs.processes());
    let outcomes: Vec<_> = programs
        .end()
        .into_iter()
        .map(|ended| judge(ended, &live, &audit, &baseline, &variants))
        .collect();
    show(&outcomes);
    if !variants.is_empty() {
        let names: Vec<String> = variants.into_iter().map(|variant| variant.name).collect();
        println!("\n{}", sweep::table(&names, &judged(&outcomes)));
    }
    println!("\nthe run took {} s", started.elapsed().as_secs());
    if arguments.markdown {
        let matrix = tables::matrix_markdown(&judged(&outcomes));
        let by_language = languages::markdown(&outcomes);
        let figures = format!(
            "{matrix}\n\nThe live run, by the language of the leaking program:\n\n{by_language}"
        );
        figures::publish_corpus(&figures)?;
    }
    Ok(Summary::of(outcomes.iter().map(|(_, outcome)| outcome)))
}

/// Collects what was reported about one program.
fn judge(
    ended: Ended,
    live: &Record,
    audit: &Record,
    baseline: &Baseline,
    variants: &[Variant],
) -> (String, Outcome) {
    let outcome = match ended.result {
        Ok((_, pids)) if pids.is_empty() => Outcome::Broken("it has no processes".to_owned()),
        Ok((label, pids)) => Outcome::JudgedCase(JudgedCase {
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

/// Shows findings about processes that do not belong to the corpus.
fn show_others(live: &Record, audit: &Record, corpus: &BTreeSet<u32>) {
    for (name, record) in [("live", live), ("audit", audit)] {
        let findings = record.of_others(corpus);
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
            Outcome::Broken(reason) => println!("\n{name} is broken: {reason}"),
            Outcome::JudgedCase(judged) if !judged.mistakes().is_empty() => {
                show_evidence(name, judged);
            }
            Outcome::JudgedCase(_) | Outcome::Skipped(_) => {}
        }
    }
    println!("\n{}", tables::matrix(&judged(outcomes)));
}

/// Shows the evidence of reports that differ from the label.
fn show_evidence(name: &str, judged: &JudgedCase) {
    println!("\n{name}: {}", judged.mistakes().join("; "));
    for (mode, observed) in [("live", &judged.live), ("audit", &judged.audit)] {
        for finding in observed.active.iter().take(SHOWN) {
            let Finding { pid, comm, verdict, confidence, count, evidence, caveats, .. } = finding;
            println!("  {mode}: {comm:?} [{pid}]: {count} {verdict} ({confidence})");
            for Sentence { text } in evidence.iter().chain(caveats) {
                println!("    {text}");
            }
        }
    }
}

fn judged(outcomes: &[(String, Outcome)]) -> Vec<&JudgedCase> {
    let mut rows = Vec::new();
    for (_, outcome) in outcomes {
        if let Outcome::JudgedCase(judged) = outcome {
            rows.push(judged);
        }
    }
    rows
}
