//! The effect of a snapshot that shows nothing new about a connection.

/// What changes if a snapshot shows the same facts about a connection as the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repetition {
    /// The facts must be merged again: more is known because time has passed.
    SaysMore,
    /// No data is unread, so the time since which nothing was read advances.
    NothingUnread,
    /// Data is still unread, so nothing changes.
    StillUnread,
}
