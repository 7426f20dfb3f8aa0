//! Parts that several sections share.

use crate::output::escape;

/// The maximum number of findings with a row in each table and a section; further ones are counted.
pub(super) const FINDINGS_MAX: usize = 20;

/// Text that the host chose, escaped.
pub(super) fn visible(text: &str) -> String {
    escape::visible(text).into_owned()
}
