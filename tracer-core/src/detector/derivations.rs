//! Results that are kept for processes whose connections have not changed.

use super::questions::Answered;
use crate::{group_size::GroupSizes, judge::Claims, process_index::Derived};

/// The results derived from the connections of each process.
#[derive(Debug, Default)]
pub(super) struct Derivations {
    /// The sizes of the process's groups.
    pub(super) sizes: Derived<GroupSizes>,
    /// The connections of the process that rules claim.
    pub(super) claimed: Derived<Claims>,
    /// Present while the claims of the process lead to no finding.
    pub(super) unfounded: Derived<()>,
    /// The answers about the process's readers that remain valid until the next question about them
    /// is due.
    pub(super) answered: Derived<Answered>,
}
