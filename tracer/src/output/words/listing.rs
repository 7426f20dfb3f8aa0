//! Findings that a table counts but does not list, in words.

use std::time::Duration;

use tracer_core::{Confidence, RecentlyClosed};

use super::subject::named;
use crate::output::{
    listing::Row,
    quantity::{counted, duration_ms, grouped, plain},
};

/// The option that lists findings of this confidence.
pub(crate) const fn show_option(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Info => "--show info",
        Confidence::Possible | Confidence::Likely | Confidence::Certain => "--show possible",
    }
}

/// The first line if no listed finding may be a leak. `has_possible`: some findings that may be
/// leaks are not listed.
pub(crate) const fn nothing_listed(has_possible: bool, is_complete: bool) -> &'static str {
    match (has_possible, is_complete) {
        (true, true) => "No likely or certain leaks found.",
        (true, false) => "No likely or certain leaks found, but coverage is incomplete.",
        (false, true) => "No leaked connections found.",
        (false, false) => "No leaked connections found, but coverage is incomplete.",
    }
}

/// That some connections are too young to be judged. `idle_ms` is `--idle`.
pub(crate) fn recently_closed(recently_closed: &RecentlyClosed, idle_ms: u64) -> String {
    let RecentlyClosed { process, comm, count, total } = recently_closed;
    let part = if total > count { format!("{} of ", grouped(*count)) } else { String::new() };
    format!(
        "{} has {part}{} that the peer closed less than {} ago (--idle): too early to tell.",
        named(*process, &comm.0),
        counted(*total, "open connection", "open connections"),
        duration_ms(idle_ms),
    )
}

/// What to do about possible leaks that are not listed.
pub(crate) fn possible_leaks(count: usize) -> String {
    let findings = counted(count as u64, "finding is", "findings are");
    let option = show_option(Confidence::Possible);
    let them = if count == 1 { "it" } else { "them" };
    format!("{findings} possible: a healthy program can look the same; {option} lists {them}.")
}

/// That the evidence of some findings is not shown.
pub(crate) fn details_omitted(count: usize) -> String {
    let findings = counted(count as u64, "more finding", "more findings");
    format!("The evidence of {findings} is only in -o json.")
}

/// The number of rows of each confidence, and the numbers of those that matter most:
/// `1 certain, 142 possible; the certain one is #3`.
pub(crate) fn totals(rows: &[Row<'_>]) -> String {
    /// Ids listed.
    const IDS_MAX: usize = 10;
    let confidences =
        [Confidence::Certain, Confidence::Likely, Confidence::Possible, Confidence::Info];
    let count =
        |confidence| rows.iter().filter(|row| row.finding.confidence == confidence).count() as u64;
    let counts = confidences.map(|it| (it, count(it))).into_iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> =
        counts.map(|(it, count)| counted(count, it.name(), it.name())).collect();
    let counts = counts.join(", ");
    let is_leak = |row: &&Row<'_>| row.finding.confidence >= Confidence::Likely;
    let leaks: Vec<&Row<'_>> = rows.iter().filter(is_leak).collect();
    if leaks.is_empty() || leaks.len() == rows.len() {
        return counts;
    }
    let which = match (count(Confidence::Certain), count(Confidence::Likely)) {
        (1, 0) => "the certain one is",
        (0, 1) => "the likely one is",
        (_, 0) => "the certain ones are",
        (0, _) => "the likely ones are",
        _ => "the certain and likely ones are",
    };
    let ids: Vec<String> =
        leaks.iter().take(IDS_MAX).map(|row| format!("#{}", row.finding.id)).collect();
    let more = match leaks.len().saturating_sub(IDS_MAX) {
        0 => String::new(),
        more => format!(" +{}", counted(more as u64, "more", "more")),
    };
    format!("{counts}; {which} {}{more}", ids.join(", "))
}

/// The last line of a run that ends before its uprobes are removed.
pub(crate) fn uprobes_left(count: usize, duration: Duration) -> String {
    let uprobes = counted(count as u64, "uprobe is", "uprobes are");
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let duration = duration_ms(milliseconds);
    plain(&format!("{uprobes} off; the kernel removes them in the background (about {duration})"))
}

/// Retracted findings that are not listed; the lowest confidence among them was `lowest`. Findings
/// with at least the confidence `least` are listed.
pub(crate) fn folded_retracted(count: usize, lowest: Confidence, least: Confidence) -> String {
    let never = if least == Confidence::Likely { "likely or certain" } else { "possible or above" };
    let option = show_option(lowest);
    if count == 1 {
        return format!("1 retracted finding was never {never}; {option} lists it");
    }
    let findings = counted(count as u64, "retracted finding", "retracted findings");
    format!("{findings} were never {never}; {option} lists them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_uprobes_and_the_duration_are_named() {
        let left = |count| uprobes_left(count, Duration::from_millis(75_300));
        let end = "off; the kernel removes them in the background (about 1m 15s)";
        assert_eq!(left(573), format!("573 uprobes are {end}"));
        assert_eq!(left(1), format!("1 uprobe is {end}"));
    }
}
