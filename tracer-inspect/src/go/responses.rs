//! What a leaked response is known by, wherever a goroutine has it.
//!
//! Who can read a response has it, its body, or what that reads from: the buffer of its connection.
//! So a response is known by its body, through whatever is around that, and only if that leads
//! nowhere by its request: one request may have been sent many times, and who has a request has no
//! response.

use std::collections::HashMap;

use super::{
    http_connection::Connection,
    layout::{self, Layout},
    read_loop::ReadLoop,
};
use crate::process::{maps::Mappings, pages::Pages};

/// Addresses of which the memory is read with one call.
pub(super) const READ_TOGETHER: usize = 1024;
/// Words of an object in which a response or a body is looked for. How long it is is not known, so
/// with more of them its neighbours would be taken for parts of it.
pub(super) const WORDS: u64 = 6;
/// How many objects may be around the body of a response: one that decompresses it, and one that
/// ends it in time.
const WRAPPINGS_MAX: usize = 2;

/// Connections by what their responses are known by.
#[derive(Debug)]
pub(super) struct Responses<'a> {
    mappings: &'a Mappings,
    pub(super) layout: &'a Layout,
    /// By the buffer that the body reads from.
    readers: HashMap<u64, usize>,
    /// By the request, and by its URL: a request may have been copied. One may have been sent
    /// several times.
    requests: HashMap<u64, Vec<usize>>,
    /// By addresses that were in the variables of `readLoop` and turned out to be a response or a
    /// body. They may be those of objects that are long gone, then nobody else has them either.
    addresses: HashMap<u64, Vec<usize>>,
}

/// What an address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead<'a> {
    /// The response of one of these connections.
    To(&'a [usize]),
    /// That of a connection that nobody asked about, or one that was read to its end.
    Elsewhere,
}

impl<'a> Responses<'a> {
    /// Of connections that wait for somebody to read a body; each is known by its number.
    pub(super) fn of<'b>(
        waiting: impl Iterator<Item = (usize, &'b Connection, &'b ReadLoop)> + Clone,
        pages: &mut Pages,
        mappings: &'a Mappings,
        layout: &'a Layout,
    ) -> Self {
        let (readers, requests, addresses) = Default::default();
        let mut responses = Self { mappings, layout, readers, requests, addresses };
        for (number, connection, _) in waiting.clone() {
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
        let pointers: Vec<u64> = waiting.flat_map(|(.., it)| it.pointers(mappings)).collect();
        for some in pointers.chunks(READ_TOGETHER) {
            pages.prefetch(some.iter().copied());
            for &address in some {
                if let Some(Lead::To(owners)) = responses.at(address, pages) {
                    addresses.entry(address).or_insert_with(|| owners.to_vec());
                }
            }
        }
        responses.addresses = addresses;
        responses
    }

    /// There are none.
    pub(super) fn are_none(&self) -> bool {
        self.readers.is_empty()
    }

    /// The connections whose response this address is known to lead to, without a look at it.
    pub(super) fn known(&self, address: u64) -> Option<&[usize]> {
        let addresses = || self.addresses.get(&address).map(Vec::as_slice);
        self.by_reader(address).or_else(addresses)
    }

    fn by_reader(&self, address: u64) -> Option<&[usize]> {
        self.readers.get(&address).map(std::slice::from_ref)
    }

    /// Where this leads if it is a response, a body or what that reads from.
    pub(super) fn at(&self, address: u64, pages: &mut Pages) -> Option<Lead<'_>> {
        let known = self.known(address).map(Lead::To);
        known.or_else(|| self.body(address, pages)).or_else(|| self.response(address, pages))
    }

    /// `bodyEOFSignal` around `body`, or the latter alone.
    fn body(&self, address: u64, pages: &mut Pages) -> Option<Lead<'_>> {
        let first = self.interface(address.checked_add(layout::BODY_INNER)?, pages)?;
        let sources = |source: u64, pages: &mut Pages| {
            // The buffer, or an `io.LimitedReader` on it, or a `chunkedReader`, which begins with
            // it.
            let around = [pages.word(source.saturating_add(8)), pages.word(source)];
            [Some(source)].into_iter().chain(around).flatten().collect::<Vec<_>>()
        };
        let inner = sources(first, pages).into_iter().find_map(|it| self.by_reader(it));
        if let Some(owners) = inner {
            return Some(Lead::To(owners));
        }
        let source = self.interface(first.checked_add(layout::INNER_SOURCE)?, pages)?;
        let sources = sources(source, pages);
        let owners = sources.iter().find_map(|&it| self.by_reader(it));
        let is_done = pages.word(address.checked_add(layout::BODY_SIGNAL)?)? == 0;
        match owners {
            Some(owners) if !is_done => Some(Lead::To(owners)),
            Some(_) => Some(Lead::Elsewhere),
            None => {
                sources.into_iter().any(|it| self.is_buffer(it, pages)).then_some(Lead::Elsewhere)
            }
        }
    }

    /// The buffer of a connection, which reads from what has it.
    fn is_buffer(&self, address: u64, pages: &mut Pages) -> bool {
        let mut connection = || {
            let source = address.checked_add(layout::BUFFER_SOURCE)?;
            let connection = pages.word(source).filter(|&it| self.mappings.is_heap(it))?;
            pages.word(connection.checked_add(self.layout.connection.reader)?)
        };
        self.mappings.is_heap(address) && connection() == Some(address)
    }

    /// The data of an interface, whose type is part of the program.
    pub(super) fn interface(&self, place: u64, pages: &mut Pages) -> Option<u64> {
        pages.word(place).filter(|&it| self.mappings.is_constant(it))?;
        pages.word(place.checked_add(8)?).filter(|&it| self.mappings.is_heap(it))
    }

    fn response(&self, address: u64, pages: &mut Pages) -> Option<Lead<'_>> {
        let word = |pages: &mut Pages, offset| pages.word(address.checked_add(offset)?);
        // Anything may be followed by something with the address of a request.
        let is_response = (100..1000).contains(&word(pages, layout::RESPONSE_STATUS)?)
            && word(pages, layout::RESPONSE_MAJOR)? == 1
            && word(pages, layout::RESPONSE_MINOR)? <= 1;
        if !is_response {
            return None;
        }
        let request =
            word(pages, layout::RESPONSE_REQUEST).filter(|&it| self.mappings.is_heap(it))?;
        let body = self.interface(address.checked_add(layout::RESPONSE_BODY)?, pages);
        let lead = body.and_then(|body| self.behind(body, pages, WRAPPINGS_MAX));
        let by_url = |pages: &mut Pages| {
            let url = pages.word(request.checked_add(layout::REQUEST_URL)?)?;
            self.requests.get(&url)
        };
        lead.or_else(|| {
            let owners = self.requests.get(&request).or_else(|| by_url(pages))?;
            Some(Lead::To(owners.as_slice()))
        })
    }

    /// Where what is around a body leads.
    fn behind(&self, address: u64, pages: &mut Pages, wrappings: usize) -> Option<Lead<'_>> {
        let known = self.known(address).map(Lead::To);
        let lead = known.or_else(|| self.body(address, pages));
        if lead.is_some() || wrappings == 0 {
            return lead;
        }
        let mut elsewhere = None;
        for number in 0..WORDS {
            let word = pages.word(address.checked_add(8 * number)?)?;
            let lead = self.mappings.is_heap(word).then(|| self.behind(word, pages, wrappings - 1));
            match lead.flatten() {
                Some(lead @ Lead::To(_)) => return Some(lead),
                Some(Lead::Elsewhere) => elsewhere = Some(Lead::Elsewhere),
                None => {}
            }
        }
        elsewhere
    }
}

#[cfg(test)]
pub(super) mod tests;
