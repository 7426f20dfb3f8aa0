//! Which findings of two reports are about the same leak, and what became of it, as data.

mod difference;
mod side;

pub(crate) use difference::{Change, Difference, Row, Tally};
pub(crate) use side::{Note, Side};
