//! The steps of a test run: which set each belongs to, and which run at the same time.

use std::fmt::Write;

use clap::ValueEnum;

/// A step, with its name on the command line and its line of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// The committed BPF object matches the sources
    Digest,
    /// Every test builds, and so does Go's standard library for the test programs
    Build,
    /// End-to-end tests, and the tracer's own tests that load BPF programs
    Root,
    /// Unit, property, golden and documentation tests of every crate
    Unit,
    /// Real programs that leak or are healthy, and the tracer's reports about them: the reduced set
    Corpus,
    /// Healthy software and leaking twins of it: the short set; installs packages
    Zoo,
    /// The queries of docs/csv.md, run by DuckDB
    Cookbook,
    /// The HTML report, opened in a browser
    Browser,
    /// Every parser of untrusted bytes, fuzzed for three seconds
    Fuzz,
    /// Every measurement of `cargo xtask bench`, once and in short
    Bench,
    /// The tests in virtual machines with other kernels: the reduced set
    Kernels,
    /// The BPF object, rebuilt from source and tested if it differs
    Object,
    /// Inspections by a tracer that is built with musl
    Musl,
    /// The whole corpus; packages that are missing are installed
    WholeCorpus,
    /// The whole zoo; packages that are missing are installed
    WholeZoo,
    /// All tests on all kernels, with each attach method
    AllKernels,
    /// Every parser of untrusted bytes, fuzzed for a minute
    LongFuzz,
}

/// How much is run. Each set includes the previous ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Set {
    /// Without root: `--fast`.
    Fast,
    /// Without a flag.
    Default,
    /// What CI runs: `--all`.
    All,
    /// What takes too long for CI: `--nightly`.
    Nightly,
}

/// The order of the steps. Steps of one group run at the same time: the first one waits for most of
/// its time, and the others run in the background, one after the other.
const GROUPS: [&[Step]; 14] = [
    &[Step::Digest],
    &[Step::Build],
    &[Step::Root, Step::Unit],
    // These run alone: the tracer inspects processes for a limited time per snapshot, and the
    // confidence of findings that it has no time for would be lower than the label requires.
    &[Step::Corpus],
    &[Step::Zoo],
    &[Step::Fuzz, Step::Cookbook, Step::Browser],
    &[Step::Bench],
    &[Step::Kernels],
    &[Step::Object],
    &[Step::Musl],
    &[Step::WholeCorpus],
    &[Step::WholeZoo],
    &[Step::AllKernels],
    &[Step::LongFuzz],
];

impl Step {
    /// Whether this set includes the step. A longer form replaces a shorter one.
    pub(crate) fn is_in(self, set: Set) -> bool {
        match self {
            Self::Digest | Self::Build | Self::Unit => true,
            Self::Root => set >= Set::Default,
            Self::Cookbook | Self::Browser | Self::Bench | Self::Object => set >= Set::All,
            Self::Corpus | Self::Zoo | Self::Kernels | Self::Fuzz => set == Set::All,
            Self::Musl | Self::WholeCorpus | Self::WholeZoo | Self::AllKernels | Self::LongFuzz => {
                set == Set::Nightly
            }
        }
    }

    /// The name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default()
    }

    /// The description of the step.
    pub(crate) fn description(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|it| it.get_help().map(ToString::to_string)).unwrap_or_default()
    }
}

/// The selected steps in order, in groups that run at the same time.
pub(crate) fn groups(is_wanted: impl Fn(Step) -> bool) -> Vec<Vec<Step>> {
    let wanted = |group: &&[Step]| group.iter().copied().filter(|it| is_wanted(*it)).collect();
    let groups = GROUPS.iter().map(wanted);
    groups.filter(|group: &Vec<Step>| !group.is_empty()).collect()
}

/// The part of `--help` that lists the sets and the steps.
pub(crate) fn help() -> String {
    let mut text = String::new();
    let mut listed = Vec::new();
    for (set, heading) in [
        (Set::Fast, "Steps without root (--fast):"),
        (Set::Default, "Steps without a flag, in addition:"),
        (Set::All, "Steps with --all, in addition:"),
        (Set::Nightly, "Steps with --nightly, in place of the short ones:"),
    ] {
        let _ = writeln!(text, "{heading}");
        for step in GROUPS.iter().flat_map(|group| group.iter()).filter(|step| step.is_in(set)) {
            if !listed.contains(step) {
                listed.push(*step);
                let _ = writeln!(text, "  {:<13} {}", step.name(), step.description());
            }
        }
        text.push('\n');
    }
    text + "The last line is the summary: `N passed, N failed, N skipped`. Everything that is \
            skipped says why."
}

#[cfg(test)]
mod tests {
    use super::{Set, Step, groups, help};
    use clap::ValueEnum;

    #[test]
    fn every_step_has_its_place_and_is_in_the_help() {
        let planned: Vec<_> = groups(|_| true).concat();
        for step in Step::value_variants() {
            assert_eq!(planned.iter().filter(|it| *it == step).count(), 1, "{step:?}");
            assert_eq!(help().matches(&step.description()).count(), 1, "{step:?}");
        }
    }

    #[test]
    fn nothing_runs_twice() {
        let of = |set| groups(|step| step.is_in(set)).concat();
        assert_eq!(of(Set::Fast), [Step::Digest, Step::Build, Step::Unit]);
        assert_eq!(of(Set::Default), [Step::Digest, Step::Build, Step::Root, Step::Unit]);
        for (short, whole) in [(Step::Corpus, Step::WholeCorpus), (Step::Zoo, Step::WholeZoo)] {
            assert!(of(Set::All).contains(&short) && !of(Set::All).contains(&whole));
            assert!(!of(Set::Nightly).contains(&short) && of(Set::Nightly).contains(&whole));
        }
    }
}
