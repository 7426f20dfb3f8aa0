//! `cargo xtask test`: every test that this host allows, in steps, and a summary.

mod background;
mod browser;
mod cookbook;
mod host_tests;
mod libtest;
mod plan;
mod rebuilt_object;

use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::extent::Extent;
use crate::privileges::{self, Access};
use crate::tally::Tally;
use crate::{bench, corpus, ebpf, fuzz, go, step, vm, zoo};
use background::Background;
use plan::{Set, Step};

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(after_help = plan::help())]
pub(crate) struct Arguments {
    /// Run only what requires no root.
    #[arg(long)]
    fast: bool,
    /// Also run the slower steps, as CI does.
    #[arg(long, conflicts_with = "fast")]
    all: bool,
    /// Also run the steps that are too slow for CI; use before a release.
    #[arg(long, conflicts_with = "fast")]
    nightly: bool,
    /// Run only these steps.
    #[arg(long, value_name = "STEP", value_enum, value_delimiter = ',')]
    #[arg(hide_possible_values = true, conflicts_with_all = ["fast", "all", "nightly"])]
    only: Vec<Step>,
    /// Run one step after the other, and print no totals except the summary.
    #[arg(long, hide = true)]
    in_background: bool,
}

/// Runs the steps; one that fails does not stop the later ones.
///
/// # Errors
/// If cargo or the workspace's build directory cannot be found.
pub(crate) fn run(arguments: &Arguments) -> Result<Tally> {
    let access = privileges::kernel_access();
    let groups = plan::groups(|step| arguments.wants(step));
    if arguments.in_background {
        return groups.concat().into_iter().map(|step| run_step(step, access)).sum();
    }
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut is_default_done = false;
    for group in groups {
        let Some((first, others)) = group.split_first() else { continue };
        if !first.is_in(Set::Default) && !is_default_done && arguments.only.is_empty() {
            is_default_done = true;
            println!("\n== without --all: {tally}, in {}", minutes(started));
        }
        let background = Background::start(others)?;
        tally += run_step(*first, access)?;
        if let Some(background) = background {
            tally += background.finish()?;
        }
    }
    println!("\n== all steps took {}", minutes(started));
    Ok(tally)
}

impl Arguments {
    fn wants(&self, step: Step) -> bool {
        if !self.only.is_empty() {
            return self.only.contains(&step);
        }
        step.is_in(match self {
            Self { nightly: true, .. } => Set::Nightly,
            Self { all: true, .. } => Set::All,
            Self { fast: true, .. } => Set::Fast,
            _ => Set::Default,
        })
    }
}

fn run_step(step: Step, access: Result<Access, &'static str>) -> Result<Tally> {
    step::heading(&format!("{}: {}", step.name(), step.description()));
    let started = Instant::now();
    let needs_root = |run: &dyn Fn(Access) -> Tally| match access {
        Ok(access) => run(access),
        Err(reason) => step::skipped(reason),
    };
    let tally = match step {
        Step::Digest => step::checked(ebpf::check()),
        Step::Build => step::checked(host_tests::build(None).and_then(|_| go::fill_cache())),
        Step::Root => host_tests::run_as_root(access, None),
        Step::Unit => host_tests::run_without_root(),
        Step::Corpus => needs_root(&|access| corpus::test(access, Extent::Reduced)),
        Step::Zoo => needs_root(&|access| zoo::test(access, Extent::Reduced)),
        Step::Cookbook => cookbook::run()?,
        Step::Browser => browser::run()?,
        Step::Fuzz => fuzz::run(&fuzz::BRIEFLY)?,
        Step::Bench => needs_root(&bench::test),
        Step::Kernels => vm::test(Extent::Reduced)?,
        Step::Object => rebuilt_object::run(access)?,
        Step::Musl => needs_root(&host_tests::run_with_musl),
        Step::WholeCorpus => needs_root(&|access| corpus::test(access, Extent::Whole)),
        Step::WholeZoo => needs_root(&|access| zoo::test(access, Extent::Whole)),
        Step::AllKernels => vm::test(Extent::Whole)?,
        Step::LongFuzz => fuzz::run(&fuzz::A_MINUTE)?,
    };
    println!("{}: {tally}, in {}", step.name(), minutes(started));
    Ok(tally)
}

/// The elapsed time, as `3m 05s`.
fn minutes(since: Instant) -> String {
    let seconds = since.elapsed().as_secs();
    format!("{}m {:02}s", seconds / 60, seconds % 60)
}
