//! Follows pointers from a connection of Go's HTTP client to its file descriptor, through TLS and
//! other wrappers of `net.Conn`.

use std::collections::HashMap;

use super::layout::{self, Layout};
use crate::process::{maps::Mappings, pages::Pages};

/// Maximum nesting of wrappers around a `net.Conn`: TLS, and those of the program's own dialers.
const WRAPPERS_MAX: usize = 4;
/// Number of words of a wrapper that are searched for the wrapped connection.
const WRAPPER_WORDS: u64 = 16;
/// Maximum number of candidates for the wrapped connection.
const WRAPPED_MAX: usize = 64;

/// The fds that are searched for: the index of each, and the possible addresses of its `pollDesc`,
/// sorted.
pub(super) type WantedFds = HashMap<u32, (usize, Vec<u64>)>;

/// One of the [`WantedFds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WantedFd {
    pub(super) index: usize,
    /// The address of its `pollDesc`.
    pub(super) poll: u64,
}

/// Follows pointers in memory that is read at most once.
pub(super) struct Follower<'a, 'memory> {
    pub(super) pages: &'a mut Pages<'memory>,
    pub(super) mappings: &'a Mappings,
    pub(super) layout: &'a Layout,
    pub(super) wanted: &'a WantedFds,
}

impl Follower<'_, '_> {
    /// Reads the memory that `persistent_connection` and `wanted_fd` need for addresses that may be
    /// a `*persistConn`, with as few system calls as possible.
    pub(super) fn prefetch_connections(&mut self, mut addresses: Vec<u64>) {
        addresses.retain(|&address| self.mappings.is_heap(address));
        let connection = self.layout.connection;
        let most = connection.limit.saturating_add(8);
        self.pages.prefetch(addresses.iter().flat_map(|it| [*it, it.saturating_add(most)]));
        let readers = self.follow(&addresses, connection.reader);
        let conns = self.follow(&addresses, connection.conn.saturating_add(8));
        self.pages.prefetch(readers);
        self.prefetch_conns(conns);
    }

    /// Like [`prefetch_connections`](Self::prefetch_connections), for the data words of `net.Conn`
    /// interfaces.
    pub(super) fn prefetch_conns(&mut self, conns: Vec<u64>) {
        let mut layer = conns;
        // The first field of `tls.Conn` is a `net.Conn`, so the second word is a data word again.
        for _ in 0..2 {
            self.pages.prefetch(layer.iter().copied());
            let first = self.follow(&layer, 0);
            let second = self.follow(&layer, 8);
            self.pages.prefetch(first);
            layer = second;
        }
    }

    /// The heap addresses in the words at an offset of these addresses.
    pub(super) fn follow(&mut self, addresses: &[u64], offset: u64) -> Vec<u64> {
        let words = addresses.iter().filter_map(|it| self.pages.word(it.checked_add(offset)?));
        let words: Vec<u64> = words.collect();
        words.into_iter().filter(|&word| self.mappings.is_heap(word)).collect()
    }

    /// The `*bufio.Reader` and the `net.Conn` of a `*persistConn`. The buffer reads from the
    /// `persistConn`, by which it is recognized. `None` if the address is something else, or if the
    /// connection uses HTTP/2.
    pub(super) fn persistent_connection(&mut self, address: u64) -> Option<(u64, (u64, u64))> {
        let word = |pages: &mut Pages, offset| pages.word(address.checked_add(offset)?);
        let reader = word(self.pages, self.layout.connection.reader)?;
        if !self.mappings.is_heap(reader)
            || self.pages.word(reader.checked_add(layout::BUFFER_SOURCE)?)? != address
            || word(self.pages, self.layout.connection.alternative)? != 0
        {
            return None;
        }
        let transport = word(self.pages, self.layout.connection.transport)?;
        let inner = self.interface(address.checked_add(self.layout.connection.conn)?)?;
        self.mappings.is_readable(transport).then_some((reader, inner))
    }

    /// The fd of a `net.Conn`, through its wrappers; `None` if there is none or several.
    pub(super) fn wanted_fd(&mut self, conn: (u64, u64)) -> Option<WantedFd> {
        let (mut layer, mut words) = (vec![conn], Vec::new());
        for _ in 0..=WRAPPERS_MAX {
            let found = self.one_net_fd(layer.iter().map(|it| it.1));
            if found != Ok(None) {
                return found.ok()?;
            }
            let mut next = Vec::new();
            for (type_, data) in layer {
                // The search stays within its size: other objects with other connections follow.
                let length = self.size(type_).unwrap_or(0) / 8;
                for offset in (0..length.min(WRAPPER_WORDS)).map(|number| 8 * number) {
                    words.extend(self.pages.word(data.saturating_add(offset)));
                    if offset + 8 < 8 * length {
                        next.extend(self.interface(data.saturating_add(offset)));
                    }
                }
            }
            next.truncate(WRAPPED_MAX);
            layer = next;
        }
        // A wrapper may also have a field of type `*net.TCPConn`.
        words.truncate(WRAPPED_MAX);
        words.retain(|&word| self.mappings.is_heap(word));
        self.one_net_fd(words.into_iter()).ok()?
    }

    /// The fd of the connections among these addresses; an error if they differ.
    fn one_net_fd(&mut self, conns: impl Iterator<Item = u64>) -> Result<Option<WantedFd>, ()> {
        let mut found: Vec<_> = conns.filter_map(|conn| self.net_fd(conn)).collect();
        found.dedup();
        match *found {
            [] => Ok(None),
            [fd] => Ok(Some(fd)),
            _ => Err(()),
        }
    }

    /// The two words of an interface that holds a heap address: the `itab` or type, and the
    /// address.
    pub(super) fn interface(&mut self, address: u64) -> Option<(u64, u64)> {
        let (type_, data) = (self.pages.word(address)?, self.pages.word(address.checked_add(8)?)?);
        let is_sane = self.mappings.is_heap(data) && self.mappings.is_constant(type_);
        is_sane.then_some((type_, data))
    }

    /// The size in bytes of the data of an interface, by its `itab`.
    fn size(&mut self, itab: u64) -> Option<u64> {
        let type_ = self.pages.word(itab.checked_add(layout::ITAB_TYPE)?)?;
        let kind = self.pages.bytes(type_.checked_add(layout::TYPE_KIND)?, 1)?;
        let type_ = match kind.first()? & layout::KIND_MASK {
            layout::KIND_POINTER => self.pages.word(type_.checked_add(layout::TYPE_TARGET)?)?,
            layout::KIND_STRUCT => type_,
            _ => return None,
        };
        self.pages.word(type_)
    }

    /// The fd of a `*net.TCPConn` or a similar type. Its `net.netFD` must contain the fd and the
    /// `pollDesc` of that fd by epoll.
    fn net_fd(&mut self, connection: u64) -> Option<WantedFd> {
        let net_fd = self.pages.word(connection)?;
        if !self.mappings.is_heap(net_fd) {
            return None;
        }
        let number = self.pages.word(net_fd.checked_add(self.layout.net_fd_number)?)?;
        let (index, polls) = self.wanted.get(&u32::try_from(number).ok()?)?;
        let poll = self.pages.word(net_fd.checked_add(self.layout.net_fd_poll)?)?;
        polls.binary_search(&poll).ok()?;
        Some(WantedFd { index: *index, poll })
    }
}
