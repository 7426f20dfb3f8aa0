//! Stacks: none is lost if the map is emptied in time, none is confused with another one, and those
//! that do not fit are counted.

use std::{
    arch::asm,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use socket2::{Domain, Socket, Type};
use tracer_core::{EventKind as Happened, StackId, Timestamp, decode};

use super::*;
use crate::collect::stacks::Stacks;

/// As `STACKS` has it.
const STACKS_MAX: u64 = 1 << 13;

/// An address at which nothing listens.
fn unused() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Calls `connect` once with each of these words on top of the stack, which makes each a different
/// stack.
fn connect_from(unused: SocketAddr, words: Range<u64>) {
    let address = socket2::SockAddr::from(unused);
    for word in words {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let mut result = libc::SYS_connect;
        // SAFETY: `connect` reads an address of this length, and what was pushed is removed.
        unsafe {
            asm!(
                // As many words as are recorded of the stack's top (`StackTop::WORDS`).
                ".rept 16",
                "push {word}",
                ".endr",
                "syscall",
                "add rsp, 16 * 8",
                word = in(reg) word,
                inout("rax") result,
                in("rdi") i64::from(socket.as_raw_fd()),
                in("rsi") address.as_ptr(),
                in("rdx") u64::from(address.len()),
                out("rcx") _,
                out("r11") _,
            );
        }
        assert_eq!(result, -i64::from(libc::ECONNREFUSED));
    }
}

impl Watch {
    /// The number of the stack of every `connect` since the last call, in order, as a run reads
    /// them.
    fn numbers(&mut self, stacks: &mut Stacks) -> Vec<Option<StackId>> {
        let now = Timestamp::default();
        let mut numbers = Vec::new();
        self.events.drain(usize::MAX, |bytes| {
            let event = decode::event(bytes, |key| stacks.number(key, now)).unwrap();
            if let Happened::Connected(actor) = event.kind {
                numbers.push(actor.unwrap().stack);
            }
        });
        self.kernel.take_stacks(&mut |key, record| stacks.add(key, record, now)).unwrap();
        numbers
    }
}

/// The word on top of the stack with this number.
fn word(stacks: &Stacks, number: StackId) -> u64 {
    stacks.get(number).unwrap().top.unwrap().words[0]
}

#[tokio::test]
async fn more_stacks_than_there_is_room_for_are_all_kept_if_they_are_read_meanwhile() {
    const CONNECTIONS: u64 = 4 * STACKS_MAX;
    let mut watch = Watch::start(&[process::id()], None);
    let mut stacks = Stacks::new();
    // On a busy host, the reader may get no CPU for a while: the map is never filled by half before
    // it has been read again.
    let read = Arc::new(AtomicU64::new(0));
    let reads = Arc::clone(&read);
    let connecting = thread::spawn(move || {
        let (address, part) = (unused(), STACKS_MAX / 4);
        for first in (0..CONNECTIONS).step_by(usize::try_from(part).unwrap()) {
            connect_from(address, first..first + part);
            let before = reads.load(Ordering::SeqCst);
            // Two more: the first one may have begun before the connections were made.
            while reads.load(Ordering::SeqCst) < before + 2 {
                thread::yield_now();
            }
        }
    });
    let mut numbers = Vec::new();
    while !connecting.is_finished() {
        numbers.extend(watch.numbers(&mut stacks));
        read.fetch_add(1, Ordering::SeqCst);
    }
    connecting.join().unwrap();
    numbers.extend(watch.numbers(&mut stacks));

    let losses = watch.kernel.losses().unwrap();
    assert_eq!((losses.stacks_lost, losses.ring_full, stacks.lost()), (0, 0, 0), "{losses:?}");
    let words = numbers.iter().map(|number| word(&stacks, number.unwrap()));
    assert!(words.eq(0..CONNECTIONS), "every connection has its own stack");
}

#[tokio::test]
async fn a_stack_that_comes_again_after_it_was_taken_is_the_same_one() {
    let mut watch = Watch::start(&[process::id()], None);
    let mut stacks = Stacks::new();
    let address = unused();
    let mut numbers = BTreeSet::new();
    for _ in 0..3 {
        connect_from(address, 0..10);
        numbers.extend(watch.numbers(&mut stacks));
    }
    assert_eq!(numbers.len(), 10, "{numbers:?}");
    assert_eq!(watch.kernel.losses().unwrap().stacks_lost, 0);
}

#[tokio::test]
async fn stacks_without_room_are_counted_and_later_ones_are_kept() {
    const TOO_MANY: u64 = 500;
    let mut watch = Watch::start(&[process::id()], None);
    let mut stacks = Stacks::new();
    connect_from(unused(), 0..STACKS_MAX + TOO_MANY);

    let numbers = watch.numbers(&mut stacks);
    let lost = numbers.iter().filter(|number| number.is_none()).count() as u64;
    assert_eq!(numbers.len() as u64, STACKS_MAX + TOO_MANY);
    assert_eq!((lost, watch.kernel.losses().unwrap().stacks_lost), (TOO_MANY, TOO_MANY));
    for (expected, number) in numbers.into_iter().enumerate() {
        if let Some(number) = number {
            assert_eq!(word(&stacks, number), expected as u64);
        }
    }

    connect_from(unused(), 0..STACKS_MAX);
    assert!(watch.numbers(&mut stacks).iter().all(Option::is_some));
    assert_eq!(watch.kernel.losses().unwrap().stacks_lost, TOO_MANY);
}
