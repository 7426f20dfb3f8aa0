//! `runtime.pollDesc` (`runtime/netpoll.go`): which goroutine is waiting for a file descriptor.

use std::collections::HashMap;

use tracer_core::{Asked, Reader};

use super::layout::{self, Layout};
use crate::process::{
    epoll::Registration,
    memory::{Memory, u64_at},
};

/// Number of bytes read of `runtime.pollDesc`.
const HEADER: usize = 40;
/// Number of `pollDesc`s that are read together.
const READ_TOGETHER: usize = 4_096;

/// How a pointer and a tag are packed into one word: the number of bits of the tag, and the number
/// of low bits of the pointer that are dropped. `runtime/tagptr_64bit.go` of Go 1.20 to 1.24, the
/// same with addresses of 49 bits, and of Go 1.25 and later. All are tried, and the fd and the tag
/// in the `pollDesc` must match.
const PACKINGS: [(u32, u32); 3] = [(19, 3), (18, 3), (24, 9)];

/// A verified `runtime.pollDesc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PollDescriptor {
    /// The address of the `pollDesc`.
    pub(super) address: u64,
    pub(super) fd: u32,
    pub(super) waiting: Waiting,
}

/// `pollDesc.rg`: the state of its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// `pdNil`: no goroutine is waiting, and no event is pending.
    NoGoroutine,
    /// `pdReady`: an event has arrived. No goroutine has consumed it, or one was woken and has not
    /// run yet.
    Ready,
    /// `pdWait`: a goroutine is about to park.
    Parking,
    /// The address of the goroutine that waits.
    Goroutine(u64),
}

impl Waiting {
    const fn decode(word: u64) -> Self {
        match word {
            0 => Self::NoGoroutine,
            1 => Self::Ready,
            2 => Self::Parking,
            address => Self::Goroutine(address),
        }
    }

    /// The reader that two readings of a `pollDesc` together imply. A `pollDesc` that is ready at
    /// both has no reader, unless `is_waking`: a goroutine that was woken for it may not have run
    /// yet.
    pub(super) const fn reader(self, later: Self, is_waking: bool) -> Reader {
        match (self, later) {
            (Self::NoGoroutine, Self::NoGoroutine) => Reader::None,
            (Self::Ready, Self::Ready) if !is_waking => Reader::None,
            (Self::Goroutine(_), Self::Goroutine(_)) => Reader::Goroutine,
            _ => Reader::Unknown,
        }
    }
}

/// Possible addresses of the `pollDesc` of an epoll registration (`epoll_event.data`), each with
/// the number of bits of its tag.
pub(super) fn candidates(
    data: u64,
    layout: &Layout,
) -> impl Iterator<Item = (u64, Option<u32>)> + use<> {
    let unpack =
        move |(tag_bits, align_bits): (u32, u32)| (data >> tag_bits << align_bits, Some(tag_bits));
    let untagged = (!layout.poll_is_tagged).then_some((data, None));
    let packings = if layout.poll_is_tagged { PACKINGS.as_slice() } else { &[] };
    untagged.into_iter().chain(packings.iter().copied().map(unpack))
}

/// The `pollDesc` of each connection; `None` if none could be verified: the fd is not registered,
/// or with an epoll instance that is not Go's.
pub(super) fn find(
    memory: &dyn Memory,
    layout: &Layout,
    registrations: &[Registration],
    asked: &[Asked],
) -> Vec<Option<PollDescriptor>> {
    let mut by_fd: HashMap<u32, Vec<&Registration>> = HashMap::new();
    for registration in registrations {
        by_fd.entry(registration.fd).or_default().push(registration);
    }
    let of_one = |(index, asked): (usize, &Asked)| {
        let of_fd = by_fd.get(&asked.fd).map(Vec::as_slice).unwrap_or_default();
        let inode = asked.inode;
        let is_same = move |it: &&&Registration| it.inode.is_none_or(|other| other == inode);
        of_fd.iter().filter(is_same).flat_map(move |registration| {
            let data = registration.data;
            candidates(data, layout).map(move |(address, tag)| (index, address, data, tag))
        })
    };
    let mut wanted = asked.iter().enumerate().flat_map(of_one);
    let mut found = vec![None; asked.len()];
    loop {
        let some: Vec<_> = wanted.by_ref().take(READ_TOGETHER).collect();
        if some.is_empty() {
            return found;
        }
        let ranges: Vec<_> = some.iter().map(|&(_, address, ..)| (address, HEADER)).collect();
        for ((index, address, data, tag_bits), bytes) in some.into_iter().zip(memory.read(&ranges))
        {
            let (Some(slot), Some(asked)) = (found.get_mut(index), asked.get(index)) else {
                continue;
            };
            let Some(bytes) = bytes else { continue };
            let tag = |bits: u32| (data ^ sequence(&bytes)) << (u64::BITS - bits) == 0;
            if slot.is_none() && tag_bits.is_none_or(tag) {
                *slot = read(address, &bytes, layout).filter(|it| it.fd == asked.fd);
            }
        }
    }
}

/// Reads the same `pollDesc`s again.
pub(super) fn read_again(
    memory: &dyn Memory,
    layout: &Layout,
    before: &[Option<PollDescriptor>],
) -> Vec<Option<PollDescriptor>> {
    let mut now = Vec::with_capacity(before.len());
    for some in before.chunks(READ_TOGETHER) {
        let ranges: Vec<_> = some.iter().flatten().map(|it| (it.address, HEADER)).collect();
        let mut results = memory.read(&ranges).into_iter();
        let mut next = |before: &Option<PollDescriptor>| {
            let before = before.as_ref()?;
            let bytes = results.next().flatten()?;
            read(before.address, &bytes, layout).filter(|it| it.fd == before.fd)
        };
        now.extend(some.iter().map(&mut next));
    }
    now
}

/// `pollDesc.fdseq`, which changes when the `pollDesc` is reused.
fn sequence(bytes: &[u8]) -> u64 {
    word(bytes, layout::POLL_DESCRIPTOR_SEQUENCE).unwrap_or(0)
}

fn word(bytes: &[u8], offset: u64) -> Option<u64> {
    u64_at(bytes, usize::try_from(offset).ok()?)
}

fn read(address: u64, bytes: &[u8], layout: &Layout) -> Option<PollDescriptor> {
    let fd = u32::try_from(word(bytes, layout::POLL_DESCRIPTOR_FD)?).ok()?;
    let waiting = Waiting::decode(word(bytes, layout.poll_reader)?);
    Some(PollDescriptor { address, fd, waiting })
}

#[cfg(test)]
mod tests {
    use tracer_core::ConnectionId;

    use super::*;
    use crate::process::memory::fake::FakeMemory;

    const POLL: u64 = 0x7f12_3456_7000;

    /// The `pollDesc` found for fd 9, whose `fdseq` is 3.
    fn find_one(minor: u32, data: u64, inode: Option<u64>) -> Option<PollDescriptor> {
        let layout = Layout::of(minor);
        let mut memory = FakeMemory::default();
        let sequence = if layout.poll_is_tagged { 3 } else { 0 };
        memory.put(POLL, &[0, 9, sequence, 0, 0]);
        memory.put(POLL + layout.poll_reader, &[0xc000_1234]);
        let registration = Registration { epoll_fd: 4, fd: 9, events: 1, data, inode };
        let asked = Asked { id: ConnectionId(1), fd: 9, inode: 77 };
        find(&memory, &layout, &[registration], &[asked]).pop().unwrap()
    }

    #[test]
    fn pointers_are_unpacked_as_each_version_packs_them() {
        let found =
            Some(PollDescriptor { address: POLL, fd: 9, waiting: Waiting::Goroutine(0xc000_1234) });
        assert_eq!(find_one(19, POLL, Some(77)), found);
        assert_eq!(find_one(21, POLL << 16 | 3, Some(77)), found);
        assert_eq!(find_one(27, POLL << 15 | 3, None), found);
        assert_eq!(find_one(99, POLL << 15 | 3, None), found);
    }

    #[test]
    fn a_mismatch_finds_nothing() {
        assert_eq!(find_one(21, POLL << 16 | 4, Some(77)), None, "the tag of an earlier use");
        assert_eq!(find_one(21, POLL << 16 | 3, Some(78)), None, "another socket");
        assert_eq!(find_one(21, (POLL + 8) << 16 | 3, Some(77)), None, "not mapped");
        assert_eq!(find_one(21, POLL, Some(77)), None, "not packed");
        assert_eq!(find_one(19, 9, Some(77)), None, "not Go's epoll instance");
    }

    #[test]
    fn two_readings_must_agree() {
        use Waiting::{Goroutine, NoGoroutine, Parking, Ready};
        for (before, after, is_waking, reader) in [
            (NoGoroutine, NoGoroutine, false, Reader::None),
            (NoGoroutine, Goroutine(8), false, Reader::Unknown),
            (Goroutine(8), Goroutine(16), false, Reader::Goroutine),
            (Ready, Ready, false, Reader::None),
            (Ready, Ready, true, Reader::Unknown),
            (Ready, NoGoroutine, false, Reader::Unknown),
            (Parking, Parking, false, Reader::Unknown),
        ] {
            assert_eq!(before.reader(after, is_waking), reader, "{before:?} {after:?}");
        }
    }
}
