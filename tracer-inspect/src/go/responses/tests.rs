//! Responses in synthetic memory, with the layout of Go 1.23.

use tracer_core::HttpStage;

use super::*;
use crate::{
    budget::{Allowance, Budget},
    go::goroutine::{Goroutine, StackBounds},
    process::memory::fake::FakeMemory,
};

/// Read-only memory, for the types of interfaces.
const PROGRAM: u64 = 0x40_0000;
const HEAP_END: u64 = HEAP + 0x2_0000;

pub(in crate::go) const HEAP: u64 = 0xc0_0000_0000;
/// In an anonymous writable mapping, like all stacks.
pub(in crate::go) const STACK: u64 = HEAP + 0x1_8000;
/// Not mapped.
pub(in crate::go) const GAP: u64 = HEAP - 0x1000;

pub(in crate::go) fn mappings() -> Mappings {
    Mappings::parse(
        "400000-401000 r--p 00000000 08:01 5 /program\n\
         c000000000-c000020000 rw-p 00000000 00:00 0\n",
    )
}

/// The addresses of the objects of one request and response.
#[derive(Clone, Copy)]
pub(in crate::go) struct Exchange {
    pub(in crate::go) request: u64,
    pub(in crate::go) response: u64,
    /// `bodyEOFSignal`.
    pub(in crate::go) body: u64,
    /// `net/http.body` in it.
    inner: u64,
    /// `io.LimitedReader` in that.
    limited: u64,
    buffer: u64,
    connection: u64,
}

pub(in crate::go) struct Example {
    pub(in crate::go) memory: FakeMemory,
    pub(in crate::go) layout: Layout,
    waiting: Vec<(Connection, ReadLoop)>,
}

impl Example {
    pub(in crate::go) fn new() -> Self {
        let mut memory = FakeMemory::default();
        for address in (PROGRAM..PROGRAM + 0x1000).chain(HEAP..HEAP_END).step_by(8) {
            memory.put(address, &[0]);
        }
        Self { memory, layout: Layout::of(23), waiting: Vec::new() }
    }

    /// A response whose connection is not searched for. Several may share a request.
    fn other(&mut self, number: u64, request: u64) -> Exchange {
        let begin = HEAP + 0x1000 + 0x1000 * number;
        let [response, body, inner, limited, buffer, connection] =
            [0, 0x100, 0x200, 0x300, 0x400, 0x500].map(|offset| begin + offset);
        let request = HEAP + 0xa000 + 0x400 * request;
        let memory = &mut self.memory;
        memory.put(request + layout::REQUEST_URL, &[request + 0x200]);
        memory.put(response + layout::RESPONSE_STATUS, &[200]);
        memory.put(response + layout::RESPONSE_MAJOR, &[1, 1]);
        memory.put(response + layout::RESPONSE_BODY, &[PROGRAM, body]);
        memory.put(response + layout::RESPONSE_REQUEST, &[request]);
        memory.put(body + layout::BODY_INNER, &[PROGRAM, inner]);
        memory.put(body + layout::BODY_SIGNAL, &[begin + 0x600]);
        memory.put(inner + layout::INNER_SOURCE, &[PROGRAM, limited]);
        memory.put(limited, &[PROGRAM, buffer, 20]);
        memory.put(buffer + layout::BUFFER_SOURCE, &[connection]);
        memory.put(connection + self.layout.connection.reader, &[buffer]);
        Exchange { request, response, body, inner, limited, buffer, connection }
    }

    /// The same for a connection that is waiting for the body to be read.
    pub(in crate::go) fn exchange(&mut self, number: u64, request: u64) -> Exchange {
        let exchange = self.other(number, request);
        let goroutine = Goroutine {
            address: HEAP + 0x100 * number,
            stack: StackBounds { low: 0, high: 0 },
            sp: 0,
            pc: 1,
            bp: 0,
            status: layout::STATUS_WAITING,
            id: number,
            function: 0,
            deferred: 0,
        };
        let stage = HttpStage::AwaitingBody;
        let connection = Connection {
            goroutine,
            stage,
            index: 0,
            transport: 0,
            address: exchange.connection,
            reader: exchange.buffer,
            progress: [0; 3],
            request: Some(exchange.request),
            description: None,
        };
        let words = vec![exchange.response, exchange.connection];
        self.waiting.push((connection, ReadLoop { goroutine, stage, pc: 1, words }));
        exchange
    }

    pub(in crate::go) fn responses<'a>(&'a self, mappings: &'a Mappings) -> ResponseIndex<'a> {
        self.try_responses(mappings).unwrap()
    }

    fn try_responses<'a>(&'a self, mappings: &'a Mappings) -> Option<ResponseIndex<'a>> {
        let waiting =
            self.waiting.iter().enumerate().map(|(number, (it, words))| (number, it, words));
        ResponseIndex::of(waiting, &mut Pages::new(&self.memory), mappings, &self.layout)
    }

    /// Checks the owner of an address.
    #[track_caller]
    fn check(&self, address: u64, expected: Option<&[usize]>) {
        let mappings = mappings();
        let responses = self.responses(&mappings);
        let owner = responses.owner(address, &mut Pages::new(&self.memory));
        let owners = match owner {
            Some(BelongsTo::Connections(owners)) => Some(owners),
            Some(BelongsTo::Other) => Some([].as_slice()),
            None => None,
        };
        assert_eq!(owners, expected, "{address:#x}");
    }
}

#[test]
fn a_response_is_identified_by_every_object_that_can_read_it() {
    let mut example = Example::new();
    let exchange = example.exchange(0, 0);
    let Exchange { response, body, inner, limited, buffer, .. } = exchange;
    for address in [response, body, inner, buffer] {
        example.check(address, Some(&[0]));
    }
    for address in [exchange.request, exchange.request + 0x200, exchange.connection, HEAP, GAP] {
        example.check(address, None);
    }
    // A body without a length, and a chunked one.
    for source in [buffer, limited] {
        example.memory.put(limited, &[buffer, 0, 0]);
        example.memory.put(inner + layout::INNER_SOURCE, &[PROGRAM, source]);
        example.check(body, Some(&[0]));
        example.check(response, Some(&[0]));
    }
}

#[test]
fn responses_to_one_request_are_distinguished_by_their_bodies() {
    let mut example = Example::new();
    let [one, two] = [0, 1].map(|number| example.exchange(number, 0));
    example.check(one.response, Some(&[0]));
    example.check(two.response, Some(&[1]));
    // A response whose body leads nowhere may belong to either connection.
    example.memory.put(two.response + layout::RESPONSE_BODY, &[PROGRAM, HEAP + 0xf000]);
    example.check(two.response, Some(&[0, 1]));
}

/// Each response may belong to each connection, so the index grows with the square of their number.
#[test]
fn one_request_on_many_connections_can_exceed_the_budget() {
    let mut example = Example::new();
    for number in 0..9 {
        let response = example.exchange(number, 0).response;
        // The body leads nowhere.
        example.memory.put(response + layout::RESPONSE_BODY, &[PROGRAM, HEAP + 0xf000]);
    }
    for (bytes_max, fits) in [(2_000, false), (4_000, true)] {
        example.memory.1 = Budget::new(Allowance { bytes_max, ..Allowance::default() });
        assert_eq!(example.try_responses(&mappings()).is_some(), fits, "{bytes_max}");
        assert_eq!(example.memory.1.is_exceeded(), !fits, "{bytes_max}");
    }
}

#[test]
fn a_response_of_another_connection_is_not_one_of_the_same_request() {
    let mut example = Example::new();
    let other = example.other(5, 0);
    example.exchange(0, 0);
    example.check(other.response, Some(&[]));
    example.check(other.body, Some(&[]));
}

#[test]
fn a_response_that_was_read_to_its_end_is_not_the_next_one() {
    let mut example = Example::new();
    let exchange = example.exchange(0, 0);
    let kept = example.other(5, 0);
    example.memory.put(kept.limited, &[PROGRAM, exchange.buffer]);
    example.check(kept.response, Some(&[0]));
    example.memory.put(kept.body + layout::BODY_SIGNAL, &[0]);
    example.check(kept.response, Some(&[]));
    example.check(exchange.response, Some(&[0]));
}

#[test]
fn wrappers_of_a_body_are_followed() {
    let mut example = Example::new();
    let [one, two] = [0, 1].map(|number| example.exchange(number, 0));
    // A decompressing reader, and one with a deadline around it.
    let (decompressing, limiting, more) = (HEAP + 0xe000, HEAP + 0xe100, HEAP + 0xe200);
    example.memory.put(decompressing, &[one.body]);
    example.memory.put(limiting, &[PROGRAM, HEAP + 0xf000, PROGRAM, decompressing]);
    example.memory.put(more, &[0, limiting]);
    for wrapper in [decompressing, limiting] {
        example.memory.put(one.response + layout::RESPONSE_BODY, &[PROGRAM, wrapper]);
        example.check(one.response, Some(&[0]));
    }
    example.memory.put(one.response + layout::RESPONSE_BODY, &[PROGRAM, more]);
    example.check(one.response, Some(&[0, 1]));
    example.check(two.response, Some(&[1]));
}

#[test]
fn unreadable_memory_is_no_response_and_no_panic() {
    let mut example = Example::new();
    let Exchange { response, body, inner, buffer, .. } = example.exchange(0, 0);
    for page in (HEAP..HEAP_END).step_by(0x1000) {
        example.memory.0.retain(|address, _| address & !0xfff != page);
        for address in [response, body, inner, buffer, u64::MAX, u64::MAX - 7] {
            let mappings = mappings();
            let responses = example.responses(&mappings);
            responses.owner(address, &mut Pages::new(&example.memory));
        }
    }
}
