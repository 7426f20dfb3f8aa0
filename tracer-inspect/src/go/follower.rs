//! From a connection of Go's HTTP client to its descriptor, through whatever is around it.

use std::collections::HashMap;

use super::layout::{self, Layout};
use crate::process::{maps::Mappings, pages::Pages};

/// How many connections may be wrapped in one another: TLS, and what dialers of the program add.
const WRAPPINGS_MAX: usize = 4;
/// Words of a wrapping in which the wrapped connection is looked for.
const WRAPPING_WORDS: u64 = 16;
/// Most things that may be the wrapped connection.
const WRAPPED_MAX: usize = 64;

/// The descriptors that count: which of them it is and where its `pollDesc` may be.
pub(super) type Wanted = HashMap<u32, (usize, Vec<u64>)>;

/// A descriptor that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) index: usize,
    /// Where its `pollDesc` is.
    pub(super) poll: u64,
}

/// Follows variables of the program in one go.
pub(super) struct Follower<'a, 'memory> {
    pub(super) pages: &'a mut Pages<'memory>,
    pub(super) mappings: &'a Mappings,
    pub(super) layout: &'a Layout,
    pub(super) wanted: &'a Wanted,
}

impl Follower<'_, '_> {
    /// Reads what `persistent_connection` and `descriptor` will need of things that may be a
    /// `*persistConn`, with as few calls as possible.
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

    /// The same of the data of a `net.Conn`.
    pub(super) fn prefetch_conns(&mut self, conns: Vec<u64>) {
        let mut layer = conns;
        // TLS has its connection in its first words, so the second word is data again.
        for _ in 0..2 {
            self.pages.prefetch(layer.iter().copied());
            let first = self.follow(&layer, 0);
            let second = self.follow(&layer, 8);
            self.pages.prefetch(first);
            layer = second;
        }
    }

    /// What the words at an offset of these point to.
    pub(super) fn follow(&mut self, addresses: &[u64], offset: u64) -> Vec<u64> {
        let words = addresses.iter().filter_map(|it| self.pages.word(it.checked_add(offset)?));
        let words: Vec<u64> = words.collect();
        words.into_iter().filter(|&word| self.mappings.is_heap(word)).collect()
    }

    /// The buffer and the `net.Conn` of a `*persistConn`, which is known by the buffer that reads
    /// from it.
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

    /// Which descriptor a `net.Conn` is about, through what wraps it. If different ones are found
    /// it is none.
    pub(super) fn descriptor(&mut self, conn: (u64, u64)) -> Option<Descriptor> {
        let (mut layer, mut words) = (vec![conn], Vec::new());
        for _ in 0..=WRAPPINGS_MAX {
            let found = self.one_net_fd(layer.iter().map(|it| it.1));
            if found != Ok(None) {
                return found.ok()?;
            }
            let mut next = Vec::new();
            for (type_, data) in layer {
                // No further than it is long: behind it are others' connections.
                let length = self.size(type_).unwrap_or(0) / 8;
                for offset in (0..length.min(WRAPPING_WORDS)).map(|number| 8 * number) {
                    words.extend(self.pages.word(data.saturating_add(offset)));
                    if offset + 8 < 8 * length {
                        next.extend(self.interface(data.saturating_add(offset)));
                    }
                }
            }
            next.truncate(WRAPPED_MAX);
            layer = next;
        }
        // Wrappings may also have a `*net.TCPConn` itself.
        words.truncate(WRAPPED_MAX);
        words.retain(|&word| self.mappings.is_heap(word));
        self.one_net_fd(words.into_iter()).ok()?
    }

    /// The descriptor that some of these are about; an error if they are about different ones.
    fn one_net_fd(&mut self, conns: impl Iterator<Item = u64>) -> Result<Option<Descriptor>, ()> {
        let mut found: Vec<_> = conns.filter_map(|conn| self.net_fd(conn)).collect();
        found.dedup();
        match *found {
            [] => Ok(None),
            [descriptor] => Ok(Some(descriptor)),
            _ => Err(()),
        }
    }

    /// The two words of an interface with an address in it: what tells its type, and the address.
    pub(super) fn interface(&mut self, place: u64) -> Option<(u64, u64)> {
        let (type_, data) = (self.pages.word(place)?, self.pages.word(place.checked_add(8)?)?);
        let is_sane = self.mappings.is_heap(data) && self.mappings.is_constant(type_);
        is_sane.then_some((type_, data))
    }

    /// How many bytes the data of an interface has, by its `itab`.
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

    /// Which descriptor a `*net.TCPConn` or its like is about: its `netFD` has the number and the
    /// very `pollDesc` that epoll named for this number.
    fn net_fd(&mut self, connection: u64) -> Option<Descriptor> {
        let net_fd = self.pages.word(connection)?;
        if !self.mappings.is_heap(net_fd) {
            return None;
        }
        let number = self.pages.word(net_fd.checked_add(self.layout.net_fd_number)?)?;
        let (index, polls) = self.wanted.get(&u32::try_from(number).ok()?)?;
        let poll = self.pages.word(net_fd.checked_add(self.layout.net_fd_poll)?)?;
        polls.contains(&poll).then_some(Descriptor { index: *index, poll })
    }
}
