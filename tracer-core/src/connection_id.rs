use core::fmt;

/// Identity of a socket for as long as the kernel runs: its cookie (`sock_gen_cookie`).
///
/// The address of a `struct sock` is reused; a cookie is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The prefix keeps a spreadsheet from reading 1e5 as a number.
        write!(formatter, "{:#x}", self.0)
    }
}
