//! What the variables of a `readLoop` lead to: its connection.

use tracer_core::HttpStage;

use super::{
    follower::Follower,
    frame_variables::{FrameVariables, Variable},
    goroutine::Goroutine,
    layout,
    read_loop::ReadLoop,
};

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
        variables: &FrameVariables,
    ) {
        let mut addresses = Vec::new();
        for read_loop in read_loops {
            for variable in [Variable::Connection, Variable::Request] {
                let places = variables.of(variable, read_loop.pc).iter();
                addresses.extend(places.filter_map(|&place| read_loop.words.get(place)));
            }
        }
        self.prefetch_connections(addresses);
    }

    /// The connection of a `readLoop`; `None` if it has none of a descriptor that was asked
    /// about, or if anything about it does not hold.
    pub(super) fn connection(
        &mut self,
        read_loop: &ReadLoop,
        variables: &FrameVariables,
    ) -> Option<Connection> {
        let places = variables.of(Variable::Connection, read_loop.pc);
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
                let places = variables.of(Variable::Request, read_loop.pc);
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
}

/// What all say, if they say the same.
fn one<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests;
