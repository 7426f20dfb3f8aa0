//! The HTTP client connection of a `readLoop`, found through its variables.

use tracer_core::HttpStage;

use super::{
    follower::Follower,
    frame_variables::{FrameVariables, Variable},
    goroutine::Goroutine,
    layout,
    read_loop::ReadLoop,
};

/// The state of an HTTP client connection. Two readings of a connection that is not in use are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) goroutine: Goroutine,
    pub(super) stage: HttpStage,
    /// The index of the connection in the question.
    pub(super) index: usize,
    /// `*http.Transport`.
    pub(super) transport: u64,
    /// `*http.persistConn`.
    pub(super) address: u64,
    /// The `*bufio.Reader` of the connection, which the bodies of its responses read from.
    pub(super) reader: u64,
    /// Values that change with every read: `persistConn.readLimit`, `bufio.Reader.r` and `.w`.
    pub(super) progress: [u64; 3],
    /// The `*http.Request` of the response whose body has not been read.
    pub(super) request: Option<u64>,
    /// The request as text.
    pub(super) description: Option<String>,
}

impl Connection {
    /// The number of bytes that it takes in a list and in a map.
    pub(super) fn size(&self) -> usize {
        3 * size_of::<Self>() + self.description.as_ref().map_or(0, String::capacity)
    }
}

impl Follower<'_, '_> {
    /// Reads the memory that `connection` needs for these, with as few system calls as possible.
    pub(super) fn prefetch<'a>(
        &mut self,
        read_loops: impl Iterator<Item = &'a ReadLoop>,
        variables: &FrameVariables,
    ) {
        let mut addresses = Vec::new();
        for read_loop in read_loops {
            for variable in [Variable::Connection, Variable::Request] {
                let indexes = variables.of(variable, read_loop.pc).iter();
                addresses.extend(indexes.filter_map(|&index| read_loop.words.get(index)));
            }
        }
        self.prefetch_connections(addresses);
    }

    /// The connection of a `readLoop`; `None` if it is not one of the question, or if a check fails.
    pub(super) fn connection(
        &mut self,
        read_loop: &ReadLoop,
        variables: &FrameVariables,
    ) -> Option<Connection> {
        let indexes = variables.of(Variable::Connection, read_loop.pc);
        let address = unanimous(indexes.iter().filter_map(|&index| {
            let address = *read_loop.words.get(index)?;
            self.persistent_connection(address).map(|_| address)
        }))?;
        let (reader, inner) = self.persistent_connection(address)?;
        let index = self.wanted_fd(inner)?.index;
        let progress = [
            self.pages.word(address.checked_add(self.layout.connection.limit)?)?,
            self.pages.word(reader.checked_add(layout::BUFFER_READ)?)?,
            self.pages.word(reader.checked_add(layout::BUFFER_WRITTEN)?)?,
        ];
        let request = match read_loop.stage {
            HttpStage::AwaitingBody => {
                let indexes = variables.of(Variable::Request, read_loop.pc);
                unanimous(indexes.iter().filter_map(|&index| self.request(read_loop, index)))
            }
            // The variable may have a stale value from an earlier response.
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

/// The common value of all items; `None` if there is none or if they differ.
fn unanimous<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests;
