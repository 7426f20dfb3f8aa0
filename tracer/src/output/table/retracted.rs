//! The retracted findings.

use tracer_core::{Confidence, Report};

use super::{
    detail::subject,
    text::{Paint, width, wrap},
};
use crate::output::{
    listing,
    quantity::{self, grouped},
    words,
};

/// Retracted findings listed.
const RETRACTED_MAX: usize = 10;

/// The findings that were ever listed, one line each, the latest first; then the number of those
/// that were not.
pub(super) fn lines(
    report: &Report,
    least: Confidence,
    width_max: usize,
    paint: Paint,
) -> Vec<String> {
    let retracted = report.findings.iter().filter_map(|it| Some((it, it.retracted_at?)));
    let retracted = retracted.filter(|(it, _)| listing::was_listed(it, least));
    let count = retracted.clone().count();
    let mut lines = Vec::new();
    for (finding, at) in retracted.take(RETRACTED_MAX) {
        let mut text = format!(
            "retracted {} ago: #{} {} x{} {}, active for {}",
            quantity::duration_ms(report.at.ms_since(at)),
            finding.id,
            finding.verdict,
            grouped(finding.count as u64),
            subject(finding, 1),
            quantity::duration_ms(finding.active_ms),
        );
        let reason = ": closed or used again";
        if width(&text) + reason.len() <= width_max {
            text.push_str(reason);
        }
        lines.extend(wrap("", &text, width_max));
    }
    if count > RETRACTED_MAX {
        lines.push(format!("and {} retracted earlier", grouped((count - RETRACTED_MAX) as u64)));
    }
    if let Some((count, lowest)) = listing::folded_retracted(report, least) {
        lines.extend(wrap("", &words::folded_retracted(count, lowest, least), width_max));
    }
    lines.iter().map(|line| paint.dim(line)).collect()
}
