//! The tables of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{Table, presets};

use super::exhibit::Kind;
use super::outcome::{Leak, Outcome};
use super::pace::Round;
use super::round::{JudgedExhibit, Results};
use crate::tally::Tally;

/// All results with the same thresholds.
pub(crate) struct OfRound {
    pub(crate) round: Round,
    pub(crate) parts: Vec<Results>,
}

impl OfRound {
    fn judged(&self) -> impl Iterator<Item = &JudgedExhibit> {
        self.parts.iter().flat_map(|part| &part.exhibits)
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &JudgedExhibit> {
        let ran = |it: &&JudgedExhibit| !matches!(it.outcome, Outcome::Broken(_));
        self.judged().filter(move |it| it.kind == kind).filter(ran)
    }

    fn leaks(&self) -> impl Iterator<Item = &Leak> {
        self.judged().flat_map(|it| match &it.outcome {
            Outcome::Twin { leaks, .. } => leaks.as_slice(),
            _ => &[],
        })
    }
}

/// The exhibits that passed and failed, each in each round.
pub(crate) fn tally(rounds: &[OfRound]) -> Tally {
    let all = rounds.iter().flat_map(OfRound::judged);
    all.map(|it| if it.outcome.mistakes().is_empty() { Tally::PASSED } else { Tally::FAILED }).sum()
}

/// Shows the mistakes and the accepted findings.
pub(crate) fn show_mistakes(rounds: &[OfRound]) {
    for round in rounds {
        for part in &round.parts {
            show_mistakes_of(part, &round.round);
        }
    }
}

/// Prints the mistakes, and what was accepted, in a part of a round.
pub(crate) fn show_mistakes_of(part: &Results, round: &Round) {
    for JudgedExhibit { name, outcome, .. } in &part.exhibits {
        for mistake in outcome.mistakes() {
            println!("\n{name}, {}: {mistake}", round.name);
        }
        if let Outcome::Healthy { accepted, .. } = outcome {
            for accepted in accepted {
                println!("\n{name}, {}: {accepted}", round.name);
            }
        }
    }
}

/// A row for each exhibit.
pub(crate) fn exhibits(rounds: &[OfRound]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let names = rounds.iter().map(|round| round.round.name.clone());
    table.set_header(["exhibit".to_owned(), "processes".to_owned()].into_iter().chain(names));
    let mut rows = BTreeMap::new();
    for round in rounds {
        for judged in round.judged() {
            let key = (judged.kind == Kind::Twin, judged.name.as_str());
            let (processes, cells) = rows.entry(key).or_insert_with(|| (0, Vec::new()));
            *processes = judged.processes.max(*processes);
            cells.push(cell(judged));
        }
    }
    for ((_, name), (processes, cells)) in rows {
        table.add_row([name.to_owned(), processes.to_string()].into_iter().chain(cells));
    }
    table
}

fn cell(judged: &JudgedExhibit) -> String {
    match &judged.outcome {
        Outcome::Broken(_) => "BROKEN".to_owned(),
        Outcome::Healthy { flagged, .. } if !flagged.is_empty() => "FLAGGED".to_owned(),
        Outcome::Healthy { accepted, .. } if !accepted.is_empty() => "accepted".to_owned(),
        Outcome::Healthy { .. } if judged.was_possible => "possible".to_owned(),
        Outcome::Healthy { .. } => "quiet".to_owned(),
        Outcome::Twin { leaks, mistakes } => {
            let after = leaks.iter().filter_map(|leak| leak.found_after_s).fold(f64::NAN, f64::max);
            let found = if after.is_nan() { "-".to_owned() } else { format!("after {after:.0} s") };
            let again = if judged.is_second_run { ", second run" } else { "" };
            let right = if mistakes.is_empty() { "found" } else { "WRONG" };
            format!("{right} {found}{again}")
        }
    }
}

/// The figures of a run: a column for each round.
pub(crate) fn figures(rounds: &[OfRound]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let names = rounds.iter().map(|round| match round.round.name.strip_prefix("--") {
        Some(_) => format!("`{}`", round.round.name),
        None => round.round.name.clone(),
    });
    table.set_header([String::new()].into_iter().chain(names));
    let mut row = |name: String, value: &dyn Fn(&OfRound) -> String| {
        table.add_row([name].into_iter().chain(rounds.iter().map(value)));
    };
    row("healthy programs".to_owned(), &|it| it.of(Kind::Healthy).count().to_string());
    row("leaking twins".to_owned(), &|it| it.of(Kind::Twin).count().to_string());
    row("processes".to_owned(), &|it| {
        it.judged().map(|judged| judged.processes).sum::<usize>().to_string()
    });
    row("sockets, peak".to_owned(), &|it| {
        it.parts.iter().map(|part| part.sockets).max().unwrap_or_default().to_string()
    });
    row("minutes".to_owned(), &|it| {
        let length: Duration = it.parts.iter().map(|part| part.length).sum();
        format!("{:.0}", length.as_secs_f64() / 60.0)
    });
    row("seconds between snapshots, mean".to_owned(), &|it| {
        let length: Duration = it.parts.iter().map(|part| part.length).sum();
        let snapshots: u64 = it.parts.iter().map(|part| part.snapshots).sum();
        format!(
            "{:.1}",
            length.as_secs_f64() / f64::from(u32::try_from(snapshots).unwrap_or(1).max(1))
        )
    });
    row("healthy programs flagged (above *possible*, at any time)".to_owned(), &|it| {
        count(it.of(Kind::Healthy), Outcome::is_flagged)
    });
    row("accepted".to_owned(), &|it| {
        count(
            it.of(Kind::Healthy),
            |outcome| matches!(outcome, Outcome::Healthy { accepted, .. } if !accepted.is_empty()),
        )
    });
    row("healthy programs with a *possible* finding".to_owned(), &|it| {
        it.of(Kind::Healthy).filter(|judged| judged.was_possible).count().to_string()
    });
    row("twins found by the live run, with exactly their leaks".to_owned(), &|it| {
        let right = count(it.of(Kind::Twin), |outcome| outcome.mistakes().is_empty());
        format!("{right} of {}", it.of(Kind::Twin).count())
    });
    row("of these, in a second run without the other programs".to_owned(), &|it| {
        let found = it.of(Kind::Twin).filter(|it| it.outcome.mistakes().is_empty());
        found.filter(|it| it.is_second_run).count().to_string()
    });
    for (index, what) in ["live", "`audit`", "`audit --for 0s`"].into_iter().enumerate() {
        for verdict in verdicts(rounds) {
            row(format!("{what}: leaks found, `{verdict}`"), &|it| {
                let of_verdict = it.leaks().filter(|leak| leak.verdict == verdict);
                let (mut found, mut all) = (0, 0);
                for leak in of_verdict {
                    all += 1;
                    let is_live = index == 0;
                    let is_found =
                        if is_live { leak.is_found(it.round.idle) } else { leak.at_end[index] };
                    found += u32::from(is_found);
                }
                format!("{found} of {all}")
            });
        }
    }
    table
}

fn count<'a>(
    all: impl Iterator<Item = &'a JudgedExhibit>,
    matches: impl Fn(&Outcome) -> bool,
) -> String {
    all.filter(|judged| matches(&judged.outcome)).count().to_string()
}

fn verdicts(rounds: &[OfRound]) -> Vec<String> {
    let all = rounds.iter().flat_map(OfRound::leaks).map(|leak| leak.verdict.clone());
    let mut all: Vec<_> = all.collect();
    all.sort();
    all.dedup();
    all
}
