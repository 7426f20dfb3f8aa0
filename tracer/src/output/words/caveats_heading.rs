//! The heading of the caveats.

use tracer_core::Confidence;

/// The heading of the caveats, if they have a section of their own: `Why only likely`.
pub(crate) const fn caveats_heading(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Possible => "Why only possible",
        Confidence::Likely => "Why only likely",
        Confidence::Certain | Confidence::Info => "Caveats",
    }
}
