//! `cargo xtask zoo`: healthy software that must not be reported as leaking, and twins of it that
//! leak.

mod exhibit;
mod expectation;
mod finding;
mod outcome;
mod pace;
mod packages;
mod ports;
mod processes;
mod record;
mod round;
mod running;
mod summary;
mod supervisor;
mod tracing;
mod verdicts;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::extent::Extent;
use crate::privileges::{self, Access};
use crate::tally::Tally;
use crate::{build, figures, step, workspace};
use exhibit::Exhibit;
use pace::Round;
use packages::Packages;
use round::{JudgedExhibit, Results, Setting};
use summary::OfRound;

/// Maximum number of exhibits that run at the same time, on two cores.
const AT_A_TIME: usize = 60;

/// Maximum time of the rounds of `--short`. A second run is left out if it would take longer.
const SHORT_MAX: Duration = Duration::from_secs(500);
/// Time that a second run takes in addition to its length: programs start and end.
const AROUND_ROUND: Duration = Duration::from_secs(25);

/// The beginning of the name of a run's directory; its pid follows.
const SCRATCH: &str = "tracer-zoo-";

#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Run only about half of the exhibits, for ten minutes with shorter thresholds.
    #[arg(long)]
    reduced: bool,
    /// Run only the exhibits of `cargo xtask test --all`, for one round: about eight minutes at most.
    #[arg(long, conflicts_with = "reduced")]
    short: bool,
    /// Run only these exhibits; `nginx-*` selects all whose names start with `nginx-`.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Run one round with this --idle instead of the usual rounds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    idle: Option<Duration>,
    /// Length of a round.
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<f64>,
    /// Use this tracer instead of building one.
    #[arg(long, value_name = "FILE")]
    tracer: Option<PathBuf>,
    /// Write the figures to docs/zoo.md and to the pages that show them.
    #[arg(long, conflicts_with_all = ["only", "idle", "scoped", "short"])]
    markdown: bool,
    /// Watch and audit only the exhibits' processes, on a host that is busy with something else.
    #[arg(long)]
    scoped: bool,
    /// Keep the exhibits' directories, with the output of their programs, until the next run.
    #[arg(long)]
    keep: bool,
    /// List the exhibits.
    #[arg(long)]
    list: bool,
    /// Run the functions of an exhibit that are named on standard input.
    #[arg(long, hide = true, value_name = "FILE")]
    supervise: Option<PathBuf>,
}

/// Reads `10s` or `10`.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse();
    match seconds.map_err(|_| "not a number of seconds".to_owned())? {
        0 => Err("0 seconds".to_owned()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

/// Runs the zoo; the exit code is 1 if something healthy was flagged or a leak was not found.
///
/// # Errors
/// The zoo cannot run.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(file) = &arguments.supervise {
        return supervisor::run(file).map(|()| ExitCode::SUCCESS);
    }
    if arguments.list {
        for Exhibit { name, what, .. } in exhibit::load()? {
            println!("{name:<28} {what}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    match privileges::kernel_access() {
        Ok(Access::Direct) => perform(arguments).map(step::conclude),
        Ok(Access::Sudo) => {
            let again: Vec<_> = env::args_os().skip(1).collect();
            through_sudo(&again, arguments.tracer.is_none()).map(step::conclude)
        }
        Err(reason) => bail!("the zoo loads BPF programs: {reason}"),
    }
}

/// Runs the zoo as a step of `cargo xtask test`.
pub(crate) fn test(access: Access, extent: Extent) -> Tally {
    let arguments = Arguments { short: extent == Extent::Reduced, ..Arguments::default() };
    let result = match access {
        Access::Direct => perform(&arguments),
        Access::Sudo => {
            let flag = arguments.short.then_some("--short");
            let again = ["zoo"].into_iter().chain(flag).map(OsString::from);
            through_sudo(&again.collect::<Vec<_>>(), true)
        }
    };
    result.unwrap_or_else(|error| step::checked(Err(error)))
}

/// Runs xtask with these arguments as root, which servers of the zoo require. The tracer is built
/// as the caller.
fn through_sudo(arguments: &[OsString], build: bool) -> Result<Tally> {
    let mut command = Command::new("sudo");
    command.args(["-n", "--"]).arg(workspace::xtask()?).args(arguments);
    if build {
        command.arg("--tracer").arg(build::for_system_tests()?.programs.tracer);
    }
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start sudo")?;
    let output = child.stdout.take().context("the output is piped")?;
    let mut summary = None;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        summary = Tally::parse_summary(&line);
        if summary.is_none() {
            println!("{line}");
        }
    }
    let status = child.wait()?;
    summary.with_context(|| format!("xtask ended as root with {status}"))
}

fn perform(arguments: &Arguments) -> Result<Tally> {
    let started = Instant::now();
    let mut exhibits = exhibit::load()?;
    exhibits.retain(|exhibit| {
        exhibit::is_selected(&arguments.only, &exhibit.name)
            && (exhibit.is_reduced || !arguments.reduced)
            && (exhibit.is_short || !arguments.short)
    });
    ensure!(!exhibits.is_empty(), "there is no such exhibit; --list lists them");
    let tracer = match &arguments.tracer {
        Some(tracer) => tracer.clone(),
        None => build::for_system_tests()?.programs.tracer,
    };
    let packages = Packages::prepare(&exhibits)?;
    let mut tally = Tally::default();
    exhibits.retain(|exhibit| {
        let reason = packages.reason(exhibit);
        if let Some(reason) = &reason {
            println!("{} is skipped: {reason}", exhibit.name);
            tally += Tally::SKIPPED;
        }
        reason.is_none()
    });

    let latest_end = arguments.short.then(|| Instant::now() + SHORT_MAX);
    let scratch = Scratch::new(arguments.keep)?;
    let mut rounds = Vec::new();
    // Parts of equal size.
    let part = exhibits.len().div_ceil(exhibits.len().div_ceil(AT_A_TIME).max(1)).max(1);
    let number_of_parts = exhibits.len().div_ceil(part);
    for round in chosen_rounds(arguments) {
        step::heading(&format!("the zoo, {}", round.name));
        let mut parts = Vec::new();
        for (index, exhibits) in exhibits.chunks(part).enumerate() {
            let directory = scratch.path.join(format!("{}-{index}", rounds.len()));
            let setting = Setting {
                tracer: &tracer,
                python: &packages.python,
                is_scoped: arguments.scoped,
                scratch: directory,
            };
            let results = round::run(exhibits, &round, &setting)?;
            // A round may take two hours, and be stopped.
            println!("\npart {} of {number_of_parts} has ended", index + 1);
            summary::show_mistakes_of(&results, &round);
            parts.push(results);
        }
        let again_end = Instant::now() + round.length + AROUND_ROUND;
        let has_time = latest_end.is_none_or(|latest| again_end <= latest);
        if !arguments.only.is_empty() || !has_time {
            rounds.push(OfRound { round, parts });
            continue;
        }
        let directory = scratch.path.join(format!("{}-again", rounds.len()));
        let setting = Setting {
            tracer: &tracer,
            python: &packages.python,
            is_scoped: arguments.scoped,
            scratch: directory,
        };
        run_again(&mut parts, &exhibits, &round, &setting)?;
        rounds.push(OfRound { round, parts });
    }
    show(&rounds, started);
    if arguments.markdown {
        let command: Vec<String> = env::args().skip(1).collect();
        let table = summary::figures(&rounds);
        figures::publish_zoo(&format!("`cargo xtask {}`:\n\n{table}", command.join(" ")))?;
    }
    tally += summary::tally(&rounds);
    Ok(tally)
}

/// Runs twins that were not found, and exhibits that did not run, once more without the others: on
/// a busy host, programs and snapshots are late. A healthy program that was flagged is not run
/// again.
fn run_again(
    parts: &mut [Results],
    exhibits: &[Exhibit],
    round: &Round,
    setting: &Setting<'_>,
) -> Result<()> {
    let may_be_late = |judged: &&mut JudgedExhibit| {
        !judged.outcome.mistakes().is_empty() && !judged.outcome.is_flagged()
    };
    let late = parts.iter_mut().flat_map(|part| &mut part.exhibits).filter(may_be_late);
    let mut late: BTreeMap<String, &mut JudgedExhibit> =
        late.map(|judged| (judged.name.clone(), judged)).collect();
    let again = exhibits.iter().filter(|exhibit| late.contains_key(&exhibit.name));
    let again: Vec<Exhibit> = again.cloned().collect();
    if again.is_empty() {
        return Ok(());
    }
    step::heading(&format!("the zoo, {}, a second time", round.name));
    for (name, judged) in &late {
        println!("{name}: {}", judged.outcome.mistakes().join("; "));
    }
    for judged in round::run(&again, round, setting)?.exhibits {
        if let Some(first) = late.get_mut(&judged.name) {
            **first = JudgedExhibit { is_second_run: true, ..judged };
        }
    }
    Ok(())
}

fn chosen_rounds(arguments: &Arguments) -> Vec<Round> {
    let mut rounds = match arguments.idle {
        Some(idle) => vec![Round::with_idle(idle, idle * 60)],
        None if arguments.reduced => Round::reduced(),
        None if arguments.short => vec![Round::short()],
        None => Round::whole(),
    };
    if let Some(minutes) = arguments.minutes {
        for round in &mut rounds {
            round.length = Duration::from_secs_f64(minutes.max(0.5) * 60.0);
        }
    }
    rounds
}

fn show(rounds: &[OfRound], started: Instant) {
    println!("\n{}", summary::exhibits(rounds));
    summary::show_mistakes(rounds);
    println!("\n{}", summary::figures(rounds));
    let others: u64 = rounds.iter().flat_map(|round| &round.parts).map(|part| part.others).sum();
    if others > 0 {
        println!("\nprocesses outside the zoo: {others} findings above possible");
    }
    println!("\nthe run took {} s", started.elapsed().as_secs());
}

/// The directory of the exhibits' directories. Its path is short, because Unix sockets are below
/// it, and every user may pass through it. Removed when this is dropped, unless it is kept.
struct Scratch {
    path: PathBuf,
    is_kept: bool,
}

impl Scratch {
    fn new(is_kept: bool) -> Result<Self> {
        remove_old();
        let path = env::temp_dir().join(format!("{SCRATCH}{}", process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let scratch = Self { path, is_kept };
        open_to_all(&scratch.path)?;
        Ok(scratch)
    }
}

/// Removes the directories of runs that were interrupted, and those that were kept.
fn remove_old() {
    let listing = fs::read_dir(env::temp_dir()).into_iter().flatten().flatten();
    for entry in listing {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(SCRATCH)?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            // If this fails, the remaining files do no harm.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn open_to_all(path: &Path) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot change the mode of {}", path.display()))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.is_kept {
            let path = self.path.display();
            println!("the exhibits' directories, and recordings (live.rec), are in {path}");
            return;
        }
        // If this fails, the remaining files are in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{AROUND_ROUND, Arguments, SHORT_MAX, chosen_rounds, exhibit, seconds};
    use crate::zoo::exhibit::Kind;
    use crate::zoo::pace::Round;

    #[test]
    fn a_round_can_be_chosen() {
        let idle = seconds("7s").unwrap();
        let arguments = Arguments { idle: Some(idle), minutes: Some(2.0), ..Arguments::default() };
        let rounds = chosen_rounds(&arguments);
        assert_eq!(rounds.len(), 1);
        assert_eq!(rounds[0].idle, Duration::from_secs(7));
        assert_eq!(rounds[0].length, Duration::from_mins(2));
        assert_eq!(chosen_rounds(&Arguments::default()).len(), 2);
        let short = Arguments { short: true, ..Arguments::default() };
        assert_eq!(chosen_rounds(&short), [Round::short()]);
        assert!(seconds("0").is_err() && seconds("soon").is_err());
    }

    #[test]
    fn the_short_set_has_time_for_a_second_run() {
        let first = Round::short().length + 2 * AROUND_ROUND;
        assert!(first + Round::short().length + AROUND_ROUND <= SHORT_MAX);
        let exhibits = exhibit::load().unwrap();
        let short = exhibits.iter().filter(|exhibit| exhibit.is_short);
        let (healthy, twins): (Vec<_>, Vec<_>) = short.partition(|it| it.kind == Kind::Healthy);
        assert!(healthy.len() >= 20 && twins.len() >= 10, "{} {}", healthy.len(), twins.len());
    }
}
