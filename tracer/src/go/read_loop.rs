//! The goroutine of an HTTP client connection, `net/http.(*persistConn).readLoop`, and what its
//! variables lead to.

use tracer_core::HttpStage;

use super::{
    areas::Areas,
    follower::Follower,
    goroutine::{Goroutine, Stack},
    layout,
    memory::Pages,
    program::{Function, Functions},
    request,
    slots::{Slots, Variable},
};

/// Bytes above a frame where its parameters may be kept: the caller's.
const PARAMETERS: u64 = 64;
/// Most words of a frame that are looked at. That of `readLoop` has some 100.
const WORDS_MAX: u64 = 512;

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
    /// One that does not wait for what we ask about. As of those below, its stack belongs to the
    /// connection, not to who uses it.
    BusyReadLoop,
    WriteLoop,
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
                    _ => return Role::BusyReadLoop,
                };
                let end = frame.end.saturating_add(PARAMETERS);
                let end = end
                    .min(stack.goroutine.stack.high)
                    .min(frame.start.saturating_add(8 * WORDS_MAX));
                let words: Vec<u64> = stack.words(frame.start, end).collect();
                let (goroutine, pc) = (stack.goroutine, frame.pc);
                return Role::ReadLoop(ReadLoop { goroutine, stage, pc, words });
            }
            Function::WriteLoop => return Role::WriteLoop,
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
    pub(super) address: u64,
    /// Its `*bufio.Reader`, which the bodies of its responses read from.
    pub(super) reader: u64,
    /// What changes when anything is read: bytes left, position and fill of the buffer.
    pub(super) progress: [u64; 3],
    /// `*http.Request` of the response that is waited for.
    pub(super) request: Option<u64>,
    /// The same in words.
    pub(super) description: Option<String>,
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
        self.prefetch_connections(addresses);
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
        let index = self.descriptor(inner)?.index;
        let progress = [
            self.pages.word(address.checked_add(self.layout.connection.limit)?)?,
            self.pages.word(reader.checked_add(layout::BUFFER_READ)?)?,
            self.pages.word(reader.checked_add(layout::BUFFER_WRITTEN)?)?,
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
            transport: self.pages.word(address.checked_add(self.layout.connection.transport)?)?,
            address,
            reader,
            progress,
            request,
            description,
        })
    }

    /// The `*http.Request` of the `requestAndChan` at a place among the variables, which is known
    /// by the channel in it, and the request in words.
    pub(super) fn request(&mut self, read_loop: &ReadLoop, place: usize) -> Option<(u64, String)> {
        let apart = usize::try_from(self.layout.request_channel / 8).ok()?;
        let first = *read_loop.words.get(place)?;
        let channel = *read_loop.words.get(place.checked_add(apart)?)?;
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
