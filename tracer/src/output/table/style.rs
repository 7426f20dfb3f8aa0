//! How a table is to look.

/// How to render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// Use ANSI colours.
    pub(crate) color: bool,
    /// Columns to fit into; `u16::MAX` shortens and wraps nothing.
    pub(crate) width: u16,
    /// Show the columns of `--wide`.
    pub(crate) wide: bool,
}
