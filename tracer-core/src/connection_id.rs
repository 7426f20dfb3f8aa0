//! The identity of a socket.

use core::fmt;

/// Identity of a socket until the next boot: its cookie (`sock_gen_cookie`).
///
/// The kernel reuses the address of a `struct sock`, but not a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The prefix keeps spreadsheets from reading `1e5` as a number.
        write!(formatter, "{:#x}", self.0)
    }
}
