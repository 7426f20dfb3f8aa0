//! A connection in synthetic memory, with the layout of each Go version.

use std::cell::Cell;

use super::*;
use crate::budget::Budget;
use crate::go::{follower::WantedFds, goroutine::StackBounds, layout::Layout};
use crate::process::{
    maps::Mappings,
    memory::{Memory, fake::FakeMemory},
    pages::Pages,
};

/// Read-only memory: the types of `*net.TCPConn` and of a wrapper of `net.Conn`.
const PROGRAM: u64 = 0x40_0000;
const TCP_ITAB: u64 = PROGRAM;
const WRAPPER_ITAB: u64 = PROGRAM + 0x100;

/// Heap.
const HEAP: u64 = 0xc0_0000_0000;
const CONNECTION: u64 = HEAP + 0x1000;
const BUFFER: u64 = HEAP + 0x2000;
const TCP_CONN: u64 = HEAP + 0x3000;
const NET_FD: u64 = HEAP + 0x4000;
const WRAPPER: u64 = HEAP + 0x5000;
const CHANNEL: u64 = HEAP + 0x6000;
const TRANSPORT_REQUEST: u64 = HEAP + 0x7000;
const REQUEST: u64 = HEAP + 0x8000;
const URL: u64 = HEAP + 0x9000;
const TEXT: u64 = HEAP + 0xa000;
const TRANSPORT: u64 = HEAP + 0xb000;

const POLL: u64 = 0x7f00_0000_0000;
const FD: u32 = 9;
const PC: u64 = PROGRAM + 0x800;

fn mappings() -> Mappings {
    Mappings::parse(
        "400000-401000 r--p 00000000 08:01 5 /program\n\
         c000000000-c000010000 rw-p 00000000 00:00 0\n",
    )
}

struct Example {
    memory: FakeMemory,
    layout: Layout,
    read_loop: ReadLoop,
}

impl Example {
    fn new(minor: u32) -> Self {
        let layout = Layout::of(minor);
        let mut memory = FakeMemory::default();
        for address in (PROGRAM..PROGRAM + 0x1000).chain(HEAP..HEAP + 0x10000).step_by(8) {
            memory.put(address, &[0]);
        }
        for (itab, size) in [(TCP_ITAB, 8), (WRAPPER_ITAB, 24)] {
            let (type_, target) = (itab + 0x40, itab + 0x80);
            memory.put(itab + layout::ITAB_TYPE, &[type_]);
            // `Kind_` is the last byte of the third word.
            memory.put(type_ + 16, &[u64::from(layout::KIND_POINTER) << 56]);
            memory.put(type_ + layout::TYPE_TARGET, &[target]);
            memory.put(target, &[size]);
        }
        memory.put(CONNECTION + layout.connection.transport, &[TRANSPORT]);
        memory.put(CONNECTION + layout.connection.conn, &[TCP_ITAB, TCP_CONN]);
        memory.put(CONNECTION + layout.connection.reader, &[BUFFER]);
        memory.put(BUFFER + layout::BUFFER_SOURCE, &[CONNECTION]);
        memory.put(TCP_CONN, &[NET_FD]);
        memory.put(NET_FD + layout.net_fd_number, &[FD.into()]);
        memory.put(NET_FD + layout.net_fd_poll, &[POLL]);
        // A mutex before the connection, and another object after the wrapper.
        memory.put(WRAPPER, &[0, TCP_ITAB, TCP_CONN, TCP_ITAB, TCP_CONN + 0x100]);

        memory.put(CHANNEL + layout::CHANNEL_ELEMENT_SIZE, &[layout::RESPONSE_AND_ERROR_SIZE]);
        memory.put(TRANSPORT_REQUEST, &[REQUEST]);
        memory.put(REQUEST, &[TEXT, 4, URL]);
        memory.put_bytes(TEXT, b"POSThttphost/path?query");
        memory.put(URL + layout::URL_SCHEME, &[TEXT + 4, 4]);
        memory.put(URL + layout::URL_HOST, &[TEXT + 8, 4]);
        memory.put(URL + layout::URL_PATH, &[TEXT + 12, 11]);

        let goroutine = Goroutine {
            address: HEAP + 0xc000,
            stack: StackBounds { low: HEAP, high: HEAP + 0x800 },
            sp: HEAP + 0x100,
            pc: PC,
            bp: HEAP + 0x140,
            status: layout::STATUS_WAITING,
            id: 5,
            function: 0,
            deferred: 0,
        };
        let request = if layout.request_is_indirect {
            vec![TRANSPORT_REQUEST, CHANNEL]
        } else {
            vec![REQUEST, REQUEST, CHANNEL]
        };
        let words = [vec![1, CONNECTION, 0], request, vec![2]].concat();
        let stage = HttpStage::AwaitingBody;
        Self { memory, layout, read_loop: ReadLoop { goroutine, stage, pc: PC, words } }
    }

    fn follow(&self, read_loops: &[&ReadLoop]) -> Option<Connection> {
        self.follow_in(&self.memory, read_loops)
    }

    fn follow_in(&self, memory: &dyn Memory, read_loops: &[&ReadLoop]) -> Option<Connection> {
        let mappings = mappings();
        let mut pages = Pages::new(memory);
        let wanted = WantedFds::from([(FD, (3, vec![POLL]))]);
        let mut follower = Follower {
            pages: &mut pages,
            mappings: &mappings,
            layout: &self.layout,
            wanted: &wanted,
        };
        let all: Vec<ReadLoop> = read_loops.iter().copied().cloned().collect();
        let variables = FrameVariables::find(&all, &mut follower);
        follower.prefetch(all.iter(), &variables);
        follower.connection(all.first()?, &variables)
    }

    fn connection(&self) -> Option<Connection> {
        self.follow(&[&self.read_loop])
    }
}

#[test]
fn a_connection_is_matched_with_its_fd_and_request() {
    for minor in layout::OLDEST..=layout::NEWEST {
        let connection = Example::new(minor).connection().unwrap();
        assert_eq!((connection.index, connection.transport), (3, TRANSPORT), "{minor}");
        assert_eq!(connection.request, Some(REQUEST), "{minor}");
        assert_eq!(connection.description.as_deref(), Some("POST http://host/path"), "{minor}");
    }
}

#[test]
fn a_wrapper_is_searched_up_to_its_size() {
    let mut example = Example::new(23);
    example.memory.put(CONNECTION + example.layout.connection.conn, &[WRAPPER_ITAB, WRAPPER]);
    assert_eq!(example.connection().unwrap().index, 3);
    // A connection in the object after the wrapper does not belong to it.
    example.memory.put(WRAPPER, &[0, 0, 0, TCP_ITAB, TCP_CONN]);
    assert_eq!(example.connection(), None);
}

#[test]
fn a_failed_check_makes_the_connection_unknown() {
    let layout = Layout::of(23);
    for (place, word) in [
        (CONNECTION + layout.connection.alternative, 1),
        (CONNECTION + layout.connection.transport, 0),
        (CONNECTION + layout.connection.conn, HEAP),
        (CONNECTION + layout.connection.reader, 0),
        (BUFFER + layout::BUFFER_SOURCE, CONNECTION + 8),
        (TCP_CONN, 0),
        (NET_FD + layout.net_fd_number, 10),
        (NET_FD + layout.net_fd_poll, POLL + 8),
    ] {
        let mut example = Example::new(23);
        example.memory.put(place, &[word]);
        assert_eq!(example.connection(), None, "{place:#x}");
    }
}

#[test]
fn a_connection_without_a_request_is_found() {
    for (place, word) in [
        (CHANNEL + layout::CHANNEL_CAPACITY, 1),
        (CHANNEL + layout::CHANNEL_ELEMENT_SIZE, 8),
        (TRANSPORT_REQUEST, 0),
        (REQUEST + layout::REQUEST_URL, 1),
        (URL + layout::URL_HOST + 8, 1 << 60),
        (TEXT, u64::MAX),
    ] {
        let mut example = Example::new(23);
        example.memory.put(place, &[word]);
        assert_eq!(example.connection().unwrap().description, None, "{place:#x}");
    }
}

#[test]
fn unreadable_memory_is_no_connection_and_no_panic() {
    for page in (HEAP..HEAP + 0xc000).step_by(0x1000) {
        let mut example = Example::new(23);
        example.memory.0.retain(|address, _| address & !0xfff != page);
        let is_needed = [CONNECTION, BUFFER, TCP_CONN, NET_FD].contains(&page);
        assert_eq!(example.connection().is_none(), is_needed, "{page:#x}");
    }
}

#[test]
fn stale_values_are_distinguished_by_their_position() {
    let mut example = Example::new(23);
    // Another connection, whose fd is not searched for.
    let other = HEAP + 0xd000;
    example.memory.put(other + example.layout.connection.transport, &[TRANSPORT]);
    example.memory.put(other + example.layout.connection.conn, &[TCP_ITAB, TCP_CONN + 0x200]);
    example.memory.put(other + example.layout.connection.reader, &[HEAP + 0xe000]);
    example.memory.put(HEAP + 0xe000 + layout::BUFFER_SOURCE, &[other]);

    let mut stale = example.read_loop.clone();
    stale.words[2] = other;
    assert_eq!(example.follow(&[&stale]), None, "one frame is ambiguous");
    assert_eq!(example.follow(&[&stale, &example.read_loop]).unwrap().index, 3);

    // The goroutine of the other connection has a stale pointer to this one at another position.
    stale.words[1] = other;
    stale.words[2] = CONNECTION;
    assert_eq!(example.follow(&[&stale, &example.read_loop]), None);
}

/// Memory in which some words are different at each read.
struct Changing<'a> {
    memory: &'a FakeMemory,
    noise: Cell<u64>,
}

impl Changing<'_> {
    /// Pseudo-random numbers (Knuth's linear congruential generator).
    fn below(&self, limit: u64) -> u64 {
        let noise = self.noise.get().wrapping_mul(6_364_136_223_846_793_005);
        self.noise.set(noise.wrapping_add(1_442_695_040_888_963_407));
        (self.noise.get() >> 33) % limit
    }

    fn word(&self) -> u64 {
        match self.below(4) {
            0 => HEAP + 8 * self.below(0x2000),
            1 => PROGRAM + 8 * self.below(0x200),
            2 => self.below(1 << 20),
            _ => u64::MAX - self.below(16),
        }
    }
}

impl Memory for Changing<'_> {
    fn budget(&self) -> &Budget {
        self.memory.budget()
    }

    fn read(&self, ranges: &[(u64, usize)]) -> Vec<Option<Box<[u8]>>> {
        let mut read = self.memory.read(ranges);
        for bytes in read.iter_mut().flatten() {
            for word in bytes.chunks_exact_mut(8) {
                if self.below(200) == 0 {
                    word.copy_from_slice(&self.word().to_le_bytes());
                }
            }
        }
        read
    }
}

#[test]
fn memory_that_changes_at_each_read_gives_no_other_connection_and_no_panic() {
    for minor in layout::OLDEST..=layout::NEWEST {
        let example = Example::new(minor);
        let mut found = 0;
        for noise in 0..500 {
            let memory = Changing { memory: &example.memory, noise: Cell::new(noise) };
            if let Some(connection) = example.follow_in(&memory, &[&example.read_loop]) {
                found += 1;
                assert_eq!(connection.index, 3, "the only file descriptor that is wanted");
                let length = connection.description.map_or(0, |it| it.len());
                assert!(length < 4_096, "{length}");
            }
            assert!(!memory.budget().is_exceeded());
        }
        assert!((1..500).contains(&found), "{found}");
    }
}
