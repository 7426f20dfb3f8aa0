//! A connection that is as it was.

/// What it means if a snapshot shows the same of a connection as the snapshot before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repetition {
    /// More is known because time has passed.
    SaysMore,
    /// Nothing has become unread.
    NothingUnread,
    /// Data is still unread.
    StillUnread,
}
