//! Results that are kept for processes whose connections have not changed.

use super::questions::Answered;
use crate::{group_size::GroupSizes, judge::Claims, process_index::Derived};

/// The results derived from the connections of each process.
#[derive(Debug, Default)]
pub(super) struct Derivations {
    /// The sizes of its groups.
    pub(super) sizes: Derived<GroupSizes>,
    /// The connections that rules claim.
    pub(super) claimed: Derived<Claims>,
    /// The fact that no finding follows from those claims.
    pub(super) unfounded: Derived<()>,
    /// The facts that hold while no question about its readers is due.
    pub(super) answered: Derived<Answered>,
}
