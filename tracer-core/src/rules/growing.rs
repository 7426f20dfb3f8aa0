//! More and more connections to one destination, and the oldest stay.
//!
//! Alone it is only possible: traffic grows too. It makes every other verdict surer.

use alloc::format;
use alloc::string::String;

use super::Assessment;
use crate::{Confidence, Verdict, history::History};

/// Windows over which the count has to rise.
pub(crate) const WINDOWS: usize = 5;

/// The sentence to add to the evidence, if the group grows.
pub(crate) fn evidence(history: &History) -> Option<String> {
    let (first, last) = history.rise(WINDOWS)?;
    Some(format!(
        "the count rose in {WINDOWS} of {WINDOWS} windows, from {first} to {last}, and the oldest stay"
    ))
}

/// The verdict on a group that grows and has no other.
pub(crate) fn assess(evidence: String) -> Assessment {
    Assessment {
        verdict: Verdict::Growing,
        confidence: Confidence::Possible,
        evidence: alloc::vec![evidence],
    }
}
