use alloc::{format, string::String};

use super::Claimed;
use crate::duration::humane;

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
pub(super) fn accumulation(claimed: &Claimed<'_>, what: &str, done: &str) -> Option<String> {
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
        (_, 1) => Some(format!("they may all have {done} at one time, as by a restart")),
        _ => Some(format!("they {what} at {separate} separate times over {spread}")),
    }
}
