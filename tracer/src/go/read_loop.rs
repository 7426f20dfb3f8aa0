//! The goroutine of an HTTP client connection, `net/http.(*persistConn).readLoop`, and what its
//! variables lead to.

use std::collections::HashMap;

use tracer_core::HttpStage;

use super::{
    areas::Areas,
    goroutine::{Goroutine, Stack},
    layout::{self, Layout},
    memory::Pages,
    program::{Function, Functions},
    request,
    slots::{Slots, Variable},
};

/// Bytes above a frame where its parameters may be kept: the caller's.
const PARAMETERS: u64 = 64;
/// Most words of a frame that are looked at. That of `readLoop` has some 100.
const WORDS_MAX: u64 = 512;
/// How many connections may be wrapped in one another: TLS, and what dialers of the program add.
const WRAPPINGS_MAX: usize = 4;
/// Words of a wrapping in which the wrapped connection is looked for.
const WRAPPING_WORDS: u64 = 16;
/// Most things that may be the wrapped connection.
const WRAPPED_MAX: usize = 64;

/// A `readLoop` that waits.
#[derive(Clone, Debug)]
pub(super) struct ReadLoop {
    pub(super) goroutine: Goroutine,
    pub(super) stage: HttpStage,
    /// Where `readLoop` goes on.
    pub(super) pc: u64,
    /// What is in its variables, in the order of the stack. As long as `pc` is the same, so is what
    /// is where.
    pub(super) words: Vec<u64>,
}

impl ReadLoop {
    /// What in its variables may be an address of the heap, each once.
    pub(super) fn pointers(&self, areas: &Areas) -> Vec<u64> {
        let mut all: Vec<u64> =
            self.words.iter().copied().filter(|&it| areas.is_heap(it)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// What a goroutine does, as far as it matters.
pub(super) enum Role {
    ReadLoop(ReadLoop),
    /// Of HTTP client connections too, but it does not wait for what we ask about: its stack
    /// belongs to the connection, not to who uses it.
    OfConnection,
    Other,
}

/// Tells what a goroutine does from a copy of its stack.
pub(super) fn role(stack: &Stack, functions: &mut Functions, pages: &mut Pages, bias: u64) -> Role {
    let frames = stack.frames();
    let mut called = None;
    for frame in &frames {
        let function = functions.caller(pages, bias, frame.pc);
        match function {
            Function::ReadLoop => {
                let stage = match called {
                    Some(Function::Select) => HttpStage::AwaitingBody,
                    Some(Function::Peek) => HttpStage::Idle,
                    _ => return Role::OfConnection,
                };
                let end = frame.end.saturating_add(PARAMETERS);
                let end = end.min(stack.goroutine.stack.high).min(frame.start + 8 * WORDS_MAX);
                let words: Vec<u64> = stack.words(frame.start, end).collect();
                let (goroutine, pc) = (stack.goroutine, frame.pc);
                return Role::ReadLoop(ReadLoop { goroutine, stage, pc, words });
            }
            Function::WriteLoop => return Role::OfConnection,
            _ => called = Some(function),
        }
    }
    Role::Other
}

/// An HTTP client connection, as its `readLoop`'s variables lead to it. Two looks at one that
/// nobody uses give the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) goroutine: Goroutine,
    pub(super) stage: HttpStage,
    /// Which of the descriptors that were asked about.
    pub(super) index: usize,
    /// `*http.Transport`.
    pub(super) transport: u64,
    /// `*http.persistConn`.
    address: u64,
    /// Its `*bufio.Reader`, which the bodies of its responses read from.
    pub(super) reader: u64,
    /// What changes when anything is read: bytes left, position and fill of the buffer.
    progress: [u64; 3],
    /// `*http.Request` of the response that is waited for.
    pub(super) request: Option<u64>,
    /// The same in words.
    pub(super) description: Option<String>,
}

/// The descriptors that were asked about: which it is and where its `pollDesc` is.
pub(super) type Wanted = HashMap<u32, (usize, u64)>;

/// Follows variables of the program in one go.
pub(super) struct Follower<'a, 'memory> {
    pub(super) pages: &'a mut Pages<'memory>,
    pub(super) areas: &'a Areas,
    pub(super) layout: &'a Layout,
    pub(super) wanted: &'a Wanted,
}

impl Follower<'_, '_> {
    /// Reads what will be followed of these, step by step, each for all of them together.
    pub(super) fn prefetch<'a>(
        &mut self,
        read_loops: impl Iterator<Item = &'a ReadLoop>,
        slots: &Slots,
    ) {
        let mut addresses = Vec::new();
        for read_loop in read_loops {
            for variable in [Variable::Connection, Variable::Request] {
                let places = slots.of(variable, read_loop.pc).iter();
                addresses.extend(places.filter_map(|&place| read_loop.words.get(place)));
            }
        }
        addresses.retain(|&address| self.areas.is_heap(address));
        self.pages.prefetch(addresses.iter().copied());
        let next = |pages: &mut Pages, offset: u64| -> Vec<u64> {
            let words = addresses.iter().filter_map(|it| pages.word(it.saturating_add(offset)));
            words.filter(|&word| self.areas.is_heap(word)).collect()
        };
        let mut all = next(self.pages, layout::CONNECTION_READER);
        all.extend(next(self.pages, layout::CONNECTION_CONN + 8));
        all.extend(next(self.pages, 0));
        self.pages.prefetch(all);
    }

    /// The connection of a `readLoop`; `None` if it has none of a descriptor that was asked
    /// about, or if anything about it does not hold.
    pub(super) fn connection(&mut self, read_loop: &ReadLoop, slots: &Slots) -> Option<Connection> {
        let places = slots.of(Variable::Connection, read_loop.pc);
        let address = one(places.iter().filter_map(|&place| {
            let address = *read_loop.words.get(place)?;
            self.persistent_connection(address).map(|_| address)
        }))?;
        let (reader, inner) = self.persistent_connection(address)?;
        let index = self.descriptor(inner)?;
        let progress = [
            self.pages.word(address + self.layout.connection_limit)?,
            self.pages.word(reader + layout::BUFFER_READ)?,
            self.pages.word(reader + layout::BUFFER_WRITTEN)?,
        ];
        let request = match read_loop.stage {
            HttpStage::AwaitingBody => {
                let places = slots.of(Variable::Request, read_loop.pc);
                one(places.iter().filter_map(|&place| self.request(read_loop, place)))
            }
            // What is left there is of a response that came before.
            HttpStage::Idle => None,
        };
        let (request, description) = request.unzip();
        Some(Connection {
            goroutine: read_loop.goroutine,
            stage: read_loop.stage,
            index,
            transport: self.pages.word(address + layout::CONNECTION_TRANSPORT)?,
            address,
            reader,
            progress,
            request,
            description,
        })
    }

    /// The buffer and the `net.Conn` of a `*persistConn`, which is known by the buffer that reads
    /// from it.
    pub(super) fn persistent_connection(&mut self, address: u64) -> Option<(u64, (u64, u64))> {
        let word = |pages: &mut Pages, offset| pages.word(address.checked_add(offset)?);
        let reader = word(self.pages, layout::CONNECTION_READER)?;
        if !self.areas.is_heap(reader)
            || self.pages.word(reader.checked_add(layout::BUFFER_SOURCE)?)? != address
            || word(self.pages, layout::CONNECTION_ALTERNATIVE)? != 0
        {
            return None;
        }
        let transport = word(self.pages, layout::CONNECTION_TRANSPORT)?;
        let inner = self.interface(address.checked_add(layout::CONNECTION_CONN)?)?;
        self.areas.is_readable(transport).then_some((reader, inner))
    }

    /// Which descriptor a `net.Conn` is about, through what wraps it. If different ones are found
    /// it is none.
    fn descriptor(&mut self, (type_, data): (u64, u64)) -> Option<usize> {
        let mut layer = vec![(type_, data)];
        for _ in 0..=WRAPPINGS_MAX {
            let mut found: Vec<_> = layer.iter().filter_map(|it| self.net_fd(it.1)).collect();
            found.dedup();
            match *found {
                [] => {}
                [index] => return Some(index),
                _ => return None,
            }
            let mut next = Vec::new();
            for (type_, data) in layer {
                // No further than it is long: behind it are others' connections.
                let words = self.size(type_).unwrap_or(0) / 8;
                for offset in (1..words.min(WRAPPING_WORDS)).map(|number| 8 * number) {
                    next.extend(self.interface(data.saturating_add(offset - 8)));
                }
            }
            next.truncate(WRAPPED_MAX);
            layer = next;
        }
        None
    }

    /// The two words of an interface with an address in it: what tells its type, and the address.
    fn interface(&mut self, place: u64) -> Option<(u64, u64)> {
        let (type_, data) = (self.pages.word(place)?, self.pages.word(place.checked_add(8)?)?);
        let is_sane = self.areas.is_heap(data) && self.areas.is_constant(type_);
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
    fn net_fd(&mut self, connection: u64) -> Option<usize> {
        let net_fd = self.pages.word(connection)?;
        if !self.areas.is_heap(net_fd) {
            return None;
        }
        let number = self.pages.word(net_fd.checked_add(layout::NET_FD_NUMBER)?)?;
        let &(index, poll) = self.wanted.get(&u32::try_from(number).ok()?)?;
        let own = self.pages.word(net_fd.checked_add(self.layout.net_fd_poll)?)?;
        (own == poll).then_some(index)
    }

    /// The `*http.Request` of the `requestAndChan` at a place among the variables, which is known
    /// by the channel in it, and the request in words.
    pub(super) fn request(&mut self, read_loop: &ReadLoop, place: usize) -> Option<(u64, String)> {
        let apart = usize::try_from(self.layout.request_channel / 8).ok()?;
        let first = *read_loop.words.get(place)?;
        let channel = *read_loop.words.get(place + apart)?;
        let is_here = self.areas.is_heap(first) && self.areas.is_heap(channel);
        if !is_here || !self.is_response_channel(channel)? {
            return None;
        }
        let request = if self.layout.request_is_indirect { self.pages.word(first)? } else { first };
        Some((request, request::describe(self.pages, request)?))
    }

    /// An `hchan` without a buffer for values of the size of `responseAndError`.
    fn is_response_channel(&mut self, channel: u64) -> Option<bool> {
        let capacity = self.pages.word(channel.checked_add(layout::CHANNEL_CAPACITY)?)?;
        let size = self.pages.word(channel.checked_add(layout::CHANNEL_ELEMENT_SIZE)?)?;
        Some(capacity == 0 && size & 0xffff == layout::RESPONSE_AND_ERROR_SIZE)
    }
}

/// What all say, if they say the same.
fn one<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests;
