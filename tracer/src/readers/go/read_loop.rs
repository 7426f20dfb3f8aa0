//! The goroutine of an HTTP client connection, `net/http.(*persistConn).readLoop`, and what its
//! variables lead to.

use std::collections::HashMap;

use tracer_core::HttpStage;

use super::{
    areas::Areas,
    goroutine::{Goroutine, Stack},
    layout::{self, Layout},
    memory::Pages,
    program::{Function, Parts},
    request,
};

/// Bytes above a frame where its parameters may be kept: the caller's.
const PARAMETERS: u64 = 64;
/// Most words of a frame that are looked at. That of `readLoop` has some 100.
const WORDS_MAX: u64 = 512;
/// How many connections may be wrapped in one another: TLS, and what dialers of the program add.
const WRAPPINGS_MAX: usize = 4;
/// Words of a wrapping in which the wrapped connection is looked for.
const WRAPPING_WORDS: u64 = 6;

/// A `readLoop` that waits.
#[derive(Clone, Debug)]
pub(super) struct ReadLoop {
    pub(super) goroutine: Goroutine,
    pub(super) stage: HttpStage,
    /// What is in its variables, in the order of the stack.
    words: Vec<u64>,
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
pub(super) fn role(stack: &Stack, parts: &mut Parts, pages: &mut Pages, bias: u64) -> Role {
    let frames = stack.frames();
    let mut called = None;
    for frame in &frames {
        let function = parts.caller(pages, bias, frame.pc);
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
                return Role::ReadLoop(ReadLoop { goroutine: stack.goroutine, stage, words });
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
    /// The connection of a `readLoop`; `None` if it has none of a descriptor that was asked
    /// about, or more than one, or if anything about it does not hold.
    pub(super) fn connection(&mut self, read_loop: &ReadLoop) -> Option<Connection> {
        let mut found = None;
        for word in read_loop.pointers(self.areas) {
            let Some((reader, inner)) = self.persistent_connection(word) else { continue };
            let Some(index) = self.descriptor(inner) else { continue };
            if found.replace((word, reader, index)).is_some() {
                return None;
            }
        }
        let (address, reader, index) = found?;
        let progress = [
            self.pages.word(address + self.layout.connection_limit)?,
            self.pages.word(reader + layout::BUFFER_READ)?,
            self.pages.word(reader + layout::BUFFER_WRITTEN)?,
        ];
        let request = match read_loop.stage {
            HttpStage::AwaitingBody => self.request(read_loop),
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
    fn persistent_connection(&mut self, address: u64) -> Option<(u64, u64)> {
        let word = |pages: &mut Pages, offset| pages.word(address.checked_add(offset)?);
        let reader = word(self.pages, layout::CONNECTION_READER)?;
        if !self.areas.is_heap(reader)
            || self.pages.word(reader.checked_add(layout::BUFFER_SOURCE)?)? != address
            || word(self.pages, layout::CONNECTION_ALTERNATIVE)? != 0
        {
            return None;
        }
        let transport = word(self.pages, layout::CONNECTION_TRANSPORT)?;
        let inner = word(self.pages, layout::CONNECTION_CONN + 8)?;
        self.areas.is_readable(transport).then_some((reader, inner))
    }

    /// Which descriptor a `net.Conn` is about, through what wraps it. If different ones are found
    /// it is none.
    fn descriptor(&mut self, connection: u64) -> Option<usize> {
        let mut layer = vec![connection];
        for _ in 0..=WRAPPINGS_MAX {
            let mut found = layer.iter().filter_map(|&it| self.net_fd(it)).collect::<Vec<_>>();
            found.dedup();
            match *found {
                [] => {}
                [index] => return Some(index),
                _ => return None,
            }
            let mut next = Vec::new();
            for address in layer {
                // An interface: a word about its type, then the address of its data.
                for offset in (0..WRAPPING_WORDS).map(|number| 8 * number) {
                    let type_ = self.pages.word(address.saturating_add(offset)).unwrap_or(0);
                    let data = self.pages.word(address.saturating_add(offset + 8)).unwrap_or(0);
                    if self.areas.is_heap(data) && self.areas.is_constant(type_) {
                        next.push(data);
                    }
                }
            }
            next.truncate(64);
            layer = next;
        }
        None
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

    /// The `*http.Request` of the `requestAndChan` among the variables, which is known by the
    /// channel in it, and the request in words. If different ones are found it is none.
    fn request(&mut self, read_loop: &ReadLoop) -> Option<(u64, String)> {
        let apart = usize::try_from(self.layout.request_channel / 8).ok()? + 1;
        let mut found: Option<(u64, String)> = None;
        for structure in read_loop.words.windows(apart) {
            let (Some(&first), Some(&channel)) = (structure.first(), structure.last()) else {
                continue;
            };
            let is_here = self.areas.is_heap(first) && self.areas.is_heap(channel);
            if !is_here || !self.is_response_channel(channel).unwrap_or(false) {
                continue;
            }
            let indirect = self.layout.request_is_indirect;
            let request = if indirect { self.pages.word(first) } else { Some(first) };
            let Some(request) = request else { continue };
            let Some(description) = request::describe(self.pages, request) else { continue };
            if found.replace((request, description)).is_some_and(|before| before.0 != request) {
                return None;
            }
        }
        found
    }

    /// An `hchan` without a buffer for values of the size of `responseAndError`.
    fn is_response_channel(&mut self, channel: u64) -> Option<bool> {
        let capacity = self.pages.word(channel.checked_add(layout::CHANNEL_CAPACITY)?)?;
        let size = self.pages.word(channel.checked_add(layout::CHANNEL_ELEMENT_SIZE)?)?;
        Some(capacity == 0 && size & 0xffff == layout::RESPONSE_AND_ERROR_SIZE)
    }
}
