//! Width and colors of a table.

/// How to render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// Use ANSI colors.
    pub(crate) color: bool,
    /// Columns to fit into; `u16::MAX` shortens and wraps nothing.
    pub(crate) width: u16,
    /// Show the columns of `--wide`.
    pub(crate) wide: bool,
}
