//! Rules for frames.

use tracer_inspect::frames::rules::Rules;

/// A user's rules.
pub fn rules(bytes: &[u8]) {
    let _ = Rules::parse(&String::from_utf8_lossy(bytes));
}
