//! What is kept of processes whose connections have not changed.

use super::{clean_ups::GroupSizes, questions::Answered};
use crate::{judge::Claims, process_index::Derived};

/// What was derived from the connections of each process.
#[derive(Debug, Default)]
pub(super) struct Derivations {
    /// The sizes of its groups.
    pub(super) sizes: Derived<GroupSizes>,
    /// What the rules claim of it.
    pub(super) claimed: Derived<Claims>,
    /// That nothing follows from those claims.
    pub(super) unfounded: Derived<()>,
    /// What is known while nothing has to be asked about its readers.
    pub(super) answered: Derived<Answered>,
}
