//! Matches the findings of two reports that are about the same leak, and says how it changed, as
//! data.

mod difference;
mod finding;
mod gap;
mod selection;
mod side;

#[cfg(test)]
pub(crate) use difference::NotCompared;
pub(crate) use difference::{Below, Change, Difference, Row, Tally};
pub(crate) use gap::{Gap, ScriptUnknown, TooEarly};
pub(crate) use selection::Selection;
pub(crate) use side::{Note, Side};
