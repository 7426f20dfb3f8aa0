use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use super::Claimed;
use crate::{Reader, duration::humane};

/// Requests that are named; the rest is counted.
const REQUESTS_MAX: usize = 3;

/// `1 socket`, `23 sockets`.
pub(super) fn sockets(count: usize) -> String {
    format!("{count} socket{}", if count == 1 { "" } else { "s" })
}

/// `4m`, or `4m to 51m` where they differ.
pub(super) fn range((least_ms, greatest_ms): (u64, u64)) -> String {
    let (least, greatest) = (humane(least_ms), humane(greatest_ms));
    if least == greatest { least } else { format!("{least} to {greatest}") }
}

/// What the moments say about whether they have been accumulating. `what` completes "they", and
/// `done` completes "they have".
pub(super) fn accumulation(claimed: &Claimed<'_, '_>, what: &str, done: &str) -> Option<String> {
    let (separate, spread) = (claimed.moments.separate, humane(claimed.moments.spread_ms));
    if claimed.rising() {
        return Some(format!("they {what} at {separate} separate times over {spread}: rising"));
    }
    if claimed.gathered() {
        let ceased = humane(claimed.now.ms_since(claimed.moments.last));
        return Some(format!(
            "they {what} at {separate} separate times over {spread}, and none for {ceased}"
        ));
    }
    match (claimed.count(), separate) {
        (1, _) => None,
        // What may be the cause of it all is no news where it is proved.
        (_, 1) if claimed.is_proven() => None,
        (_, 1) => Some(format!("they may all have {done} at one time, as by a restart")),
        _ => Some(format!("they {what} at {separate} separate times over {spread}")),
    }
}

/// What is known of who would notice: the proof, who has it in hand, and which requests they were.
pub(super) fn readers(claimed: &Claimed<'_, '_>) -> Vec<String> {
    let (count, proven, held) = (claimed.count(), claimed.proven(), claimed.held());
    let mut sentences = Vec::new();
    if proven > 0 {
        sentences.push(format!(
            "on {proven} of {count} Go's HTTP client waits for the response to be read or closed, \
             and no goroutine reads it or has it in hand"
        ));
    }
    if held > 0 {
        sentences.push(format!(
            "on {held} of {count} a goroutine has the response in hand and may come back to it"
        ));
    }
    let unnoticed = claimed.count_where(|member| member.reader() == Reader::None);
    if unnoticed > proven + held {
        sentences.push(format!("nobody waits to read from {unnoticed} of {count}"));
    }
    let there = claimed.count_where(|member| member.reader().is_there());
    if there > 0 {
        sentences.push(format!("somebody waits to read from {there} of {count}"));
    }
    sentences.extend(requests(claimed));
    if claimed.is_held_up() && held == 0 {
        sentences.push(format!(
            "the process itself waits for {} peers to read: it may be passing data on",
            claimed.stalled
        ));
    }
    sentences
}

/// The requests whose responses these are, the most frequent first.
fn requests(claimed: &Claimed<'_, '_>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for member in claimed.members.iter().filter(|member| member.awaits_body()) {
        if let Some(request) = member.http().and_then(|http| http.request.as_deref()) {
            *counts.entry(request).or_default() += 1;
        }
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let named: Vec<String> = counts
        .iter()
        .take(REQUESTS_MAX)
        .map(|(request, count)| format!("{request} ({count})"))
        .collect();
    let others = counts.len().saturating_sub(REQUESTS_MAX);
    let more = if others > 0 { format!(", and {others} others") } else { String::new() };
    (!named.is_empty()).then(|| format!("responses to {}{more}", named.join(", ")))
}
