//! Width and colors of a table.

/// The style of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// Use ANSI colors.
    pub(crate) color: bool,
    /// Available columns; with `u16::MAX`, nothing is shortened or wrapped.
    pub(crate) width: u16,
    /// Show the columns of `--wide`.
    pub(crate) wide: bool,
}
