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
    /// Kept if no finding follows from those claims.
    pub(super) unfounded: Derived<()>,
    /// What holds until a question about the process's readers is due.
    pub(super) answered: Derived<Answered>,
}
