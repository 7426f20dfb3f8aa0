//! What several sections share.

use crate::output::escape;

/// Findings that have a row in each table and a section; the others are counted.
pub(super) const FINDINGS_MAX: usize = 20;

/// What the host chose, made visible.
pub(super) fn visible(text: &str) -> String {
    escape::visible(text).into_owned()
}
