//! Healthy and leaking programs at any pace, size and order: no healthy one is ever above
//! *possible*, and leaks are found in time, with exactly the leaked connections.
//!
//! A [`Script`] is a timeline that a generator has written. [`watch`] takes snapshots of it, and
//! passes on which connections are above *possible*.

use core::ops::RangeInclusive;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, format,
    string::{String, ToString as _},
    vec::Vec,
};

use proptest::{prelude::*, test_runner::RngSeed};

use super::timeline::Player;
use crate::{Confidence, Input, Options};

mod forwarders;
mod leaks;
mod pools;
mod readers;
mod stops;

/// A timeline, in any order.
#[derive(Clone, Default)]
pub(super) struct Script {
    steps: Vec<(u64, String)>,
    /// The connections that are leaked, if the script has others as well.
    leaked: BTreeSet<String>,
}

impl Script {
    /// A step of a timeline, without its time.
    pub(super) fn at(&mut self, at_ms: u64, step: impl Into<String>) {
        self.steps.push((at_ms, step.into()));
    }

    pub(super) fn end_ms(&self) -> u64 {
        self.steps.iter().map(|(at_ms, _)| *at_ms).max().unwrap_or(0)
    }
}

/// How a leaked connection ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    PeerCloses,
    PeerResets,
    /// The response is not read.
    Unread,
    /// A request is not read.
    NeverRead,
}

pub(super) fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        Just(End::PeerCloses),
        Just(End::PeerResets),
        Just(End::Unread),
        Just(End::NeverRead),
    ]
}

/// When snapshots are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) idle_ms: u64,
    every_ms: u64,
    /// Whether each snapshot is judged again shortly before the next one, as when answers are late.
    is_judged_again: bool,
}

/// A short `--idle` or the default, and frequent snapshots.
pub(super) fn pace() -> impl Strategy<Value = Pace> {
    pace_up_to(100)
}

/// The same, or a busy host, on which snapshots are further apart than `--idle`.
pub(super) fn any_pace() -> impl Strategy<Value = Pace> {
    prop_oneof![2 => pace_up_to(100), 1 => pace_up_to(250)]
}

/// Snapshots that are at most this many hundredths of `--idle` apart.
pub(super) fn pace_up_to(every_max: u64) -> impl Strategy<Value = Pace> {
    let idle_ms = prop_oneof![3 => Just(10_000_u64), 1 => Just(60_000)];
    (idle_ms, 10..every_max, any::<bool>()).prop_map(|(idle_ms, hundredths, is_judged_again)| {
        Pace { idle_ms, every_ms: idle_ms * hundredths / 100, is_judged_again }
    })
}

/// The connections above *possible* in one report, by name.
pub(super) struct Seen {
    pub(super) at_ms: u64,
    pub(super) flagged: BTreeSet<String>,
    /// The findings, for messages.
    pub(super) findings: Vec<String>,
}

/// Takes snapshots until `until_ms`, and passes each report on.
pub(super) fn watch(
    script: &Script,
    pace: Pace,
    until_ms: u64,
    mut check: impl FnMut(Seen) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let options = Options { idle_ms: pace.idle_ms, ..Options::default() };
    let mut steps = script.steps.clone();
    steps.sort_by_key(|(at_ms, _)| *at_ms);
    let mut steps = steps.into_iter().peekable();
    let mut player = Player::new(options);
    let mut names: BTreeMap<u64, String> = BTreeMap::new();
    let mut at_ms = 0;
    while at_ms <= until_ms {
        let mut lines = Vec::new();
        while let Some((step_ms, step)) = steps.next_if(|(step_ms, _)| *step_ms <= at_ms) {
            lines.push(format!("{step_ms}ms {step}"));
        }
        lines.push(format!("{at_ms}ms snapshot"));
        player.play_all(&lines.join("\n"));
        if pace.is_judged_again {
            let later = player.world.now.after_ms(pace.every_ms * 9 / 10);
            player.detector.handle(Input::Tick(later));
        }
        names.extend(player.world.sockets.iter().map(|(name, it)| (it.id.0, name.clone())));
        let report = player.detector.report();
        let active = report.findings.iter().filter(|it| it.retracted_at.is_none());
        let active: Vec<_> = active.filter(|it| it.confidence > Confidence::Possible).collect();
        let ids = active.iter().flat_map(|it| &it.connections).map(|it| it.id.0);
        let flagged = ids.map(|id| names[&id].clone()).collect();
        let describe = |it: &&crate::Finding| {
            format!("{:?} {:?} x{}", it.verdict, it.confidence, it.connections.len())
        };
        let findings = active.iter().map(describe).collect();
        check(Seen { at_ms, flagged, findings })?;
        at_ms += pace.every_ms;
    }
    Ok(())
}

/// Whether nothing is ever above *possible*.
pub(super) fn check_healthy(script: &Script, pace: Pace) -> Result<(), TestCaseError> {
    let until_ms = script.end_ms() + 3 * pace.idle_ms;
    watch(script, pace, until_ms, |Seen { at_ms, flagged, findings }| {
        if flagged.is_empty() {
            return Ok(());
        }
        let text = render(script, at_ms, &flagged);
        Err(TestCaseError::fail(format!("{pace:?}: at {at_ms} ms: {findings:?}\n{text}")))
    })
}

/// Whether as many connections as leaked are above *possible* from `due_ms` on. Before that, those
/// that are dead and not yet cleaned up may be counted, too.
pub(super) fn check_leaking(
    script: &Script,
    pace: Pace,
    leaked: RangeInclusive<usize>,
    due_ms: u64,
) -> Result<(), TestCaseError> {
    let until_ms = due_ms + 3 * pace.idle_ms;
    watch(script, pace, until_ms, |Seen { at_ms, flagged, findings }| {
        let others = flagged.difference(&script.leaked).count();
        let is_exact = script.leaked.is_empty() || others == 0;
        if at_ms < due_ms || (is_exact && leaked.contains(&flagged.len())) {
            return Ok(());
        }
        let text = render(script, at_ms, &flagged);
        let message = format!(
            "{pace:?}: {leaked:?} leaked, at {at_ms} ms: {findings:?}, {others} not leaked\n{text}"
        );
        Err(TestCaseError::fail(message))
    })
}

/// What happened, for messages; the connections above *possible* are marked.
fn render(script: &Script, until_ms: u64, flagged: &BTreeSet<String>) -> String {
    if env::var_os("PATTERNS_VERBOSE").is_none() {
        return flagged.iter().cloned().collect::<Vec<_>>().join(" ");
    }
    let mut steps = script.steps.clone();
    steps.retain(|(at_ms, _)| *at_ms <= until_ms);
    steps.sort_by_key(|(at_ms, _)| *at_ms);
    let mark = |step: &str| {
        let is_flagged = step.split(' ').any(|word| flagged.contains(word));
        if is_flagged { "*" } else { " " }.to_string()
    };
    let lines = steps.iter().map(|(at_ms, step)| format!("{}{at_ms}ms {step}", mark(step)));
    lines.collect::<Vec<_>>().join("\n")
}

/// `cases` cases, the same in each run, so that a change is tested and not luck. With
/// `PROPTEST_CASES` there are as many as it says, and others each time.
pub(super) fn cases(cases: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    if env::var_os("PROPTEST_CASES").is_some() {
        return usual;
    }
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(1), ..usual }
}
