//! How much of a long test is run.

/// The part that is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The part that takes a few minutes; part of `cargo xtask test --all`.
    Reduced,
    /// Everything; part of `cargo xtask test --nightly`.
    Whole,
}
