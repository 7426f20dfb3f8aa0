//! Recognizes objects through which a goroutine can read a response.
//!
//! Code that can read a response refers to the `http.Response`, to its body, or to the buffer of
//! the connection that the body reads from. Therefore a response is identified by its body, through
//! any wrappers. It is identified by its request only if the body leads nowhere: one request may
//! have been sent several times. A reference to a request alone is not a reference to its response.

use std::collections::HashMap;

use super::{
    http_connection::Connection,
    layout::{self, Layout},
    read_loop::ReadLoop,
};
use crate::process::{maps::Mappings, pages::Pages};

/// Number of addresses whose memory is read together.
pub(super) const READ_TOGETHER: usize = 1024;
/// Number of words of an object that are searched for a response or a body. The size of the object is
/// unknown; with more words, adjacent objects would count as parts of it.
pub(super) const WORDS: u64 = 6;
/// Maximum nesting of wrappers around a response body: `gzipReader` and `cancelTimerBody`.
const WRAPPERS_MAX: usize = 2;

/// Connections by the addresses that identify their responses.
#[derive(Debug)]
pub(super) struct ResponseIndex<'a> {
    mappings: &'a Mappings,
    pub(super) layout: &'a Layout,
    /// By the `*bufio.Reader` that the body reads from.
    readers: HashMap<u64, usize>,
    /// By the address of the request and of its URL, because a request may have been copied. It may
    /// have been sent on several connections.
    requests: HashMap<u64, Vec<usize>>,
    /// By addresses in the frame of `readLoop` that are a response or a body. A stale address does no
    /// harm: no goroutine refers to a freed object.
    addresses: HashMap<u64, Vec<usize>>,
}

/// Bytes of an entry of the maps.
const ENTRY: usize = 64;

/// The connection to whose response an address belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BelongsTo<'a> {
    /// One of these connections, by number.
    Connections(&'a [usize]),
    /// A connection that is not searched for, or the response has been read to its end.
    Other,
}

impl<'a> ResponseIndex<'a> {
    /// The responses of connections that wait for a body to be read, each with its number. `None` if
    /// the budget is exceeded.
    pub(super) fn of<'b>(
        waiting: impl Iterator<Item = (usize, &'b Connection, &'b ReadLoop)> + Clone,
        pages: &mut Pages,
        mappings: &'a Mappings,
        layout: &'a Layout,
    ) -> Option<Self> {
        let budget = pages.budget();
        let (readers, requests, addresses) = Default::default();
        let mut responses = Self { mappings, layout, readers, requests, addresses };
        for (number, connection, _) in waiting.clone() {
            budget.spend_bytes(3 * ENTRY)?;
            responses.readers.insert(connection.reader, number);
            if let Some(request) = connection.request {
                responses.requests.entry(request).or_default().push(number);
                let url = request.checked_add(layout::REQUEST_URL);
                if let Some(url) = url.and_then(|it| pages.word(it)) {
                    responses.requests.entry(url).or_default().push(number);
                }
            }
        }
        let mut addresses: HashMap<u64, Vec<usize>> = HashMap::new();
        let mut pointers = waiting.flat_map(|(.., it)| it.pointers(mappings));
        loop {
            let mut some: Vec<u64> = pointers.by_ref().take(READ_TOGETHER).collect();
            if some.is_empty() {
                break;
            }
            pages.prefetch(some.iter().copied());
            some.retain(|address| !addresses.contains_key(address));
            for address in some {
                if let Some(BelongsTo::Connections(owners)) = responses.owner(address, pages) {
                    // A request that was sent on all connections has as many owners.
                    budget.spend_bytes(ENTRY + size_of_val(owners))?;
                    budget.step_bytes(size_of_val(owners))?;
                    addresses.insert(address, owners.to_vec());
                }
            }
        }
        responses.addresses = addresses;
        (!budget.is_exceeded()).then_some(responses)
    }

    /// Whether there are no responses.
    pub(super) fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// The connections whose response is identified by this address, without reading memory.
    pub(super) fn known(&self, address: u64) -> Option<&[usize]> {
        let addresses = || self.addresses.get(&address).map(Vec::as_slice);
        self.by_reader(address).or_else(addresses)
    }

    fn by_reader(&self, address: u64) -> Option<&[usize]> {
        self.readers.get(&address).map(std::slice::from_ref)
    }

    /// The owner of the object at an address, if it is a response, a body or a buffer.
    pub(super) fn owner(&self, address: u64, pages: &mut Pages) -> Option<BelongsTo<'_>> {
        let known = self.known(address).map(BelongsTo::Connections);
        known.or_else(|| self.body(address, pages)).or_else(|| self.response(address, pages))
    }

    /// The owner of a `bodyEOFSignal` with a `body` inside, or of a `body` alone
    /// (`net/http/transport.go`, `net/http/transfer.go`).
    fn body(&self, address: u64, pages: &mut Pages) -> Option<BelongsTo<'_>> {
        let first = self.interface(address.checked_add(layout::BODY_INNER)?, pages)?;
        let sources = |source: u64, pages: &mut Pages| {
            // The buffer itself, an `io.LimitedReader` on it, or a `chunkedReader`, whose first field
            // is the buffer.
            let inner = [pages.word(source.saturating_add(8)), pages.word(source)];
            [Some(source)].into_iter().chain(inner).flatten().collect::<Vec<_>>()
        };
        let inner = sources(first, pages).into_iter().find_map(|it| self.by_reader(it));
        if let Some(owners) = inner {
            return Some(BelongsTo::Connections(owners));
        }
        let source = self.interface(first.checked_add(layout::INNER_SOURCE)?, pages)?;
        let sources = sources(source, pages);
        let owners = sources.iter().find_map(|&it| self.by_reader(it));
        let has_ended = pages.word(address.checked_add(layout::BODY_SIGNAL)?)? == 0;
        match owners {
            Some(owners) if !has_ended => Some(BelongsTo::Connections(owners)),
            Some(_) => Some(BelongsTo::Other),
            None => {
                sources.into_iter().any(|it| self.is_buffer(it, pages)).then_some(BelongsTo::Other)
            }
        }
    }

    /// Whether this is the `*bufio.Reader` of a `persistConn`: each refers to the other.
    fn is_buffer(&self, address: u64, pages: &mut Pages) -> bool {
        let mut connection = || {
            let source = address.checked_add(layout::BUFFER_SOURCE)?;
            let connection = pages.word(source).filter(|&it| self.mappings.is_heap(it))?;
            pages.word(connection.checked_add(self.layout.connection.reader)?)
        };
        self.mappings.is_heap(address) && connection() == Some(address)
    }

    /// The data word of an interface at an address; `None` if it is not one that holds a heap address.
    pub(super) fn interface(&self, address: u64, pages: &mut Pages) -> Option<u64> {
        pages.word(address).filter(|&it| self.mappings.is_constant(it))?;
        pages.word(address.checked_add(8)?).filter(|&it| self.mappings.is_heap(it))
    }

    /// The owner of an `http.Response` (`net/http/response.go`).
    fn response(&self, address: u64, pages: &mut Pages) -> Option<BelongsTo<'_>> {
        let word = |pages: &mut Pages, offset| pages.word(address.checked_add(offset)?);
        // A pointer to a request at the offset of `Request` is not sufficient.
        let is_response = (100..1000).contains(&word(pages, layout::RESPONSE_STATUS)?)
            && word(pages, layout::RESPONSE_MAJOR)? == 1
            && word(pages, layout::RESPONSE_MINOR)? <= 1;
        if !is_response {
            return None;
        }
        let request =
            word(pages, layout::RESPONSE_REQUEST).filter(|&it| self.mappings.is_heap(it))?;
        let body = self.interface(address.checked_add(layout::RESPONSE_BODY)?, pages);
        let owner = body.and_then(|body| self.wrapped_body(body, pages, WRAPPERS_MAX));
        let by_url = |pages: &mut Pages| {
            let url = pages.word(request.checked_add(layout::REQUEST_URL)?)?;
            self.requests.get(&url)
        };
        owner.or_else(|| {
            let owners = self.requests.get(&request).or_else(|| by_url(pages))?;
            Some(BelongsTo::Connections(owners.as_slice()))
        })
    }

    /// The owner of a body, possibly inside up to `wrappers` wrappers.
    fn wrapped_body(
        &self,
        address: u64,
        pages: &mut Pages,
        wrappers: usize,
    ) -> Option<BelongsTo<'_>> {
        let known = self.known(address).map(BelongsTo::Connections);
        let owner = known.or_else(|| self.body(address, pages));
        if owner.is_some() || wrappers == 0 {
            return owner;
        }
        let mut other = None;
        for number in 0..WORDS {
            let word = pages.word(address.checked_add(8 * number)?)?;
            let owner =
                self.mappings.is_heap(word).then(|| self.wrapped_body(word, pages, wrappers - 1));
            match owner.flatten() {
                Some(owner @ BelongsTo::Connections(_)) => return Some(owner),
                Some(BelongsTo::Other) => other = Some(BelongsTo::Other),
                None => {}
            }
        }
        other
    }
}

#[cfg(test)]
pub(super) mod tests;
