use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use super::Claimed;
use crate::{Reader, duration::humane, moments::Moments};

/// Requests that are named; the rest is counted.
const REQUESTS_MAX: usize = 3;

/// `1 socket`, `23 sockets`.
pub(super) fn sockets(count: usize) -> String {
    format!("{count} socket{}", if count == 1 { "" } else { "s" })
}

/// `1 response`, `23 responses`.
pub(super) fn responses(count: usize) -> String {
    format!("{count} response{}", if count == 1 { "" } else { "s" })
}

/// `512 bytes`, `56 MB`: powers of a thousand, cut off.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        10_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

/// `4m`, or `4m to 51m` where they differ.
pub(super) fn range((least_ms, greatest_ms): (u64, u64)) -> String {
    let (least, greatest) = (humane(least_ms), humane(greatest_ms));
    if least == greatest { least } else { format!("{least} to {greatest}") }
}

/// What the moments say about whether they have been accumulating. `what` completes "they", and
/// `done` completes "they have".
pub(super) fn accumulation(claimed: &Claimed<'_, '_>, what: &str, done: &str) -> Option<String> {
    match (claimed.count(), claimed.moments.separate) {
        (1, _) => None,
        // What may be the cause of it all is no news where it is proved.
        (_, 1) if claimed.is_proven() => None,
        (_, 1) => Some(format!("they may all have {done} at one time, as by a restart")),
        _ => Some(rise(claimed, claimed.moments, what)),
    }
}

/// At how many separate times, and whether it goes on.
pub(super) fn rise(claimed: &Claimed<'_, '_>, moments: Moments, what: &str) -> String {
    let (separate, spread) = (moments.separate, humane(moments.spread_ms));
    let times = format!("they {what} at {separate} separate times over {spread}");
    let idle_ms = claimed.options.idle_ms;
    if moments.rising(idle_ms, claimed.now) {
        return format!("{times}: rising");
    }
    if moments.gathered(idle_ms) {
        let ceased = humane(claimed.now.ms_since(moments.last));
        return format!("{times}, and none for {ceased}");
    }
    times
}

/// What is known of who would notice: the proof, who has it in hand, and which requests they were.
pub(super) fn readers(claimed: &Claimed<'_, '_>) -> Vec<String> {
    let (count, proven, held) = (claimed.count(), claimed.proven(), claimed.held());
    let mut sentences = Vec::new();
    if proven > 0 {
        sentences.push(format!(
            "on {proven} of {count} Go's HTTP client waits for the response to be read or closed, \
             and no goroutine reads it or has it on its stack"
        ));
    }
    if held > 0 {
        sentences.push(format!(
            "on {held} of {count} a goroutine may have the response on its stack and come back to it"
        ));
    }
    let unsearched = claimed.unsearched();
    if unsearched > 0 {
        sentences.push(format!(
            "on {unsearched} of {count} Go's HTTP client waits for the response to be read or \
             closed, and nobody reads it; not all stacks could be looked through, so somebody may \
             still have the response"
        ));
    }
    let unnoticed = claimed.count_where(|member| member.reader() == Reader::None);
    if unnoticed > proven + held + unsearched {
        sentences.push(format!("nobody waits to read from {unnoticed} of {count}"));
    }
    let there = claimed.count_where(|member| member.reader().is_there());
    if there > 0 {
        sentences.push(format!("somebody waits to read from {there} of {count}"));
    }
    sentences.extend(requests(claimed));
    if claimed.is_held_up() && held == 0 {
        sentences.push(held_up(claimed));
    }
    sentences
}

/// What the process itself may be waiting for.
pub(super) fn held_up(claimed: &Claimed<'_, '_>) -> String {
    format!(
        "the process itself waits for {} peers to read: it may be passing data on",
        claimed.stalled
    )
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
