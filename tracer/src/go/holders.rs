//! Who may come back to a response: goroutines whose stack refers to it.
//!
//! A goroutine may have a response and be busy with something else for a long time, for example a
//! proxy that writes to a slow client. Then nobody is parked in a read and `readLoop` waits for
//! the body as in a leak, but it will be read one day. So every other goroutine's stack is searched
//! for addresses of the response, its body, or something that has one of these among its first
//! words.
//!
//! What a stack refers to from variables that are no longer used counts too. That errs to the side
//! of a response that is held, which says less. So does every limit that is hit here.

use std::collections::{HashMap, HashSet};

use super::{
    areas::Areas,
    goroutine::{Goroutine, Stack},
    layout,
    memory::Pages,
    read_loop::{Connection, ReadLoop},
};

/// Most different addresses that are looked at.
const ADDRESSES_MAX: usize = 250_000;
/// Addresses of which the memory is read with one call.
const READ_TOGETHER: usize = 1024;
/// Words of an object in which a response or a body is looked for. How long it is is not known, so
/// with more of them its neighbours would be taken for parts of it.
const WORDS: u64 = 6;

/// What the stacks of goroutines refer to.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Each may be there several times until goroutines are left out.
    addresses: Vec<u64>,
    /// How many there were when each was there once.
    different: usize,
    /// Not everything was looked at.
    pub(super) is_incomplete: bool,
}

impl References {
    /// Adds what the stack of a goroutine that is no connection's refers to.
    pub(super) fn add(&mut self, stack: &Stack, areas: &Areas) {
        let own = stack.goroutine.stack.low..stack.goroutine.stack.high;
        let words = stack.words(stack.start, stack.goroutine.stack.high);
        let is_wanted =
            |word: &u64| word.is_multiple_of(8) && !own.contains(word) && areas.is_heap(*word);
        self.addresses.extend(words.filter(is_wanted));
        if self.addresses.len() > self.different + ADDRESSES_MAX {
            self.sort();
        }
        if self.different > ADDRESSES_MAX {
            self.is_incomplete = true;
            self.addresses.clear();
            self.different = 0;
        }
    }

    fn sort(&mut self) {
        self.addresses.sort_unstable();
        self.addresses.dedup();
        self.different = self.addresses.len();
    }

    /// Leaves out what refers to goroutines and to stacks: what is on those is looked at anyway.
    pub(super) fn leave_out(&mut self, goroutines: &[Goroutine]) {
        self.sort();
        self.is_incomplete |= self.different > ADDRESSES_MAX;
        let stacks = goroutines.iter().map(|it| (it.stack.low, it.stack.high));
        let mut stacks: Vec<_> = stacks.collect();
        stacks.sort_unstable();
        let goroutines: HashSet<u64> = goroutines.iter().map(|it| it.address).collect();
        self.addresses.retain(|address| !goroutines.contains(address));
        self.addresses.retain(|address| {
            let after = stacks.partition_point(|(low, _)| low <= address);
            let before = after.checked_sub(1).and_then(|index| stacks.get(index));
            before.is_none_or(|(_, high)| address >= high)
        });
    }
}

/// Connections by what their responses are known by.
#[derive(Debug, Default)]
pub(super) struct Responses {
    /// By the buffer that the body reads from.
    readers: HashMap<u64, usize>,
    /// By the request, and by its URL: a request may have been copied. One may have been sent
    /// several times.
    requests: HashMap<u64, Vec<usize>>,
    /// By addresses that were in the variables of `readLoop` and turned out to be a response or a
    /// body. They may be those of objects that are long gone, then nobody else has them either.
    addresses: HashMap<u64, Vec<usize>>,
}

impl Responses {
    /// Of connections that wait for somebody to read a body; each is known by its number.
    pub(super) fn of<'a>(
        waiting: impl Iterator<Item = (usize, &'a Connection, &'a ReadLoop)> + Clone,
        pages: &mut Pages,
        areas: &Areas,
    ) -> Self {
        let mut responses = Self::default();
        for (number, connection, _) in waiting.clone() {
            responses.readers.insert(connection.reader, number);
            if let Some(request) = connection.request {
                responses.requests.entry(request).or_default().push(number);
                if let Some(url) = pages.word(request + layout::REQUEST_URL) {
                    responses.requests.entry(url).or_default().push(number);
                }
            }
        }
        let mut addresses: HashMap<u64, Vec<usize>> = HashMap::new();
        let pointers: Vec<u64> = waiting.flat_map(|(.., it)| it.pointers(areas)).collect();
        for some in pointers.chunks(READ_TOGETHER) {
            pages.prefetch(some.iter().copied());
            for &address in some {
                if let Some(owners) = responses.owners(address, pages, areas) {
                    addresses.entry(address).or_insert_with(|| owners.to_vec());
                }
            }
        }
        responses.addresses = addresses;
        responses
    }

    /// Which connections' response or body may be at this address.
    fn owners(&self, address: u64, pages: &mut Pages, areas: &Areas) -> Option<&[usize]> {
        self.owner_of_body(address, pages, areas)
            .map(std::slice::from_ref)
            .or_else(|| self.owners_of_response(address, pages, areas))
    }

    /// `bodyEOFSignal` around `body`, whose source reads from the buffer of a connection: it is the
    /// buffer, or an `io.LimitedReader` on it, or a `chunkedReader`, which begins with it.
    fn owner_of_body(&self, address: u64, pages: &mut Pages, areas: &Areas) -> Option<&usize> {
        // Both are interfaces: the type is part of the program.
        let mut data_of_interface = |place: u64| {
            pages.word(place).filter(|&it| areas.is_constant(it))?;
            pages.word(place.checked_add(8)?).filter(|&it| areas.is_heap(it))
        };
        let inner = data_of_interface(address.checked_add(layout::BODY_INNER)?)?;
        let source = data_of_interface(inner.checked_add(layout::INNER_SOURCE)?)?;
        let readers = [Some(source), pages.word(source.saturating_add(8)), pages.word(source)];
        readers.into_iter().flatten().find_map(|reader| self.readers.get(&reader))
    }

    fn owners_of_response(
        &self,
        address: u64,
        pages: &mut Pages,
        areas: &Areas,
    ) -> Option<&[usize]> {
        let word = |pages: &mut Pages, offset| pages.word(address.checked_add(offset)?);
        let request = word(pages, layout::RESPONSE_REQUEST)?;
        // Anything may be followed by something with the address of a request.
        let is_response = (100..1000).contains(&word(pages, layout::RESPONSE_STATUS)?)
            && word(pages, layout::RESPONSE_MAJOR)? == 1
            && word(pages, layout::RESPONSE_MINOR)? <= 1;
        if !is_response || !areas.is_heap(request) {
            return None;
        }
        let by_url = |pages: &mut Pages| {
            let url = pages.word(request.checked_add(layout::REQUEST_URL)?)?;
            self.requests.get(&url)
        };
        self.requests.get(&request).or_else(|| by_url(pages)).map(Vec::as_slice)
    }

    /// The connections whose responses these addresses lead to.
    pub(super) fn held(
        &self,
        references: &References,
        pages: &mut Pages,
        areas: &Areas,
    ) -> HashSet<usize> {
        let mut held = HashSet::new();
        // They are in order, so what lies together is read together.
        for some in references.addresses.chunks(READ_TOGETHER) {
            pages.prefetch(some.iter().copied());
            let mut next = Vec::new();
            for &address in some {
                let words = (0..WORDS).map(|number| address.saturating_add(8 * number));
                next.extend(words.filter_map(|it| pages.word(it)).filter(|&it| areas.is_heap(it)));
            }
            pages.prefetch(next);
            for &address in some {
                self.add_held(address, pages, areas, &mut held);
            }
        }
        held
    }

    fn add_held(&self, address: u64, pages: &mut Pages, areas: &Areas, held: &mut HashSet<usize>) {
        if let Some(owners) = self.addresses.get(&address) {
            held.extend(owners);
            return;
        }
        held.extend(self.owners(address, pages, areas).unwrap_or_default());
        for number in 0..WORDS {
            let word = address.checked_add(8 * number).and_then(|place| pages.word(place));
            let Some(word) = word else { return };
            if let Some(owners) = self.addresses.get(&word) {
                held.extend(owners);
            } else if areas.is_heap(word) {
                held.extend(self.owners(word, pages, areas).unwrap_or_default());
            }
        }
    }
}
