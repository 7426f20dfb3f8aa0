//! **growing**: the number of connections to one destination keeps rising, and the oldest stay
//! open.
//!
//! Claim: the lowest number of connections of the group rose in each of five consecutive windows
//! ([`Options::window_ms`](crate::Options::window_ms)), the oldest connection was never replaced by
//! a younger one, and most of the group has no other verdict.
//!
//! - *possible*: always. Growth also raises most *possible* findings of other rules to *likely*.
//!
//! Lookalikes: growing traffic.

use super::{Assessment, Reasons, RuleId, RuleKey, ScanSubset};
use crate::{Confidence, Evidence, Verdict, history::History};

/// The key of this rule.
pub(crate) const KEY: RuleKey =
    RuleKey { id: RuleId::Growing, subset: ScanSubset::All, is_capped: false };

/// The number of windows over which the count must rise.
const WINDOWS: usize = 5;

/// The evidence; `None` if the group does not grow.
pub(crate) fn evidence(history: &History) -> Option<Evidence> {
    let (from, to) = history.rise(WINDOWS)?;
    Some(Evidence::CountRose { windows: WINDOWS, from, to })
}

/// The assessment of a group that grows and has no other verdict.
pub(crate) fn assess(evidence: Evidence) -> Assessment {
    Assessment {
        verdict: Verdict::Growing,
        confidence: Confidence::Possible,
        growth_raises_confidence: false,
        reasons: Reasons::new(evidence),
    }
}
