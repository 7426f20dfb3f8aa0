//! Matches the findings of two reports that are about the same leak, and says how it changed, as
//! data.

mod difference;
mod side;

pub(crate) use difference::{Change, Difference, Row, Tally};
pub(crate) use side::{Note, Side};
