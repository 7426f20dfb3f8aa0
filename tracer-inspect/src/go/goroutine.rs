//! Goroutines and their stacks.

use super::layout::{self, Layout};
use crate::process::{
    maps::Mappings,
    memory::{Memory, half_at, word_at},
};

/// Bytes of `runtime.g` that are read.
const HEADER: usize = 320;
/// Most bytes of a stack that make sense: Go's own limit on 64 bits is 1 GB.
const STACK_MAX: u64 = 1 << 30;
/// Most calls of a stack that are followed.
const FRAMES_MAX: usize = 64;

/// What a goroutine is, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Goroutine {
    pub(super) address: u64,
    pub(super) stack: StackBounds,
    /// Where it was when it last stopped running.
    pub(super) sp: u64,
    pub(super) pc: u64,
    pub(super) bp: u64,
    /// Without the mark of the garbage collector.
    pub(super) status: u32,
    pub(super) id: u64,
    /// Where the function begins that it was started with.
    pub(super) function: u64,
    /// `*_defer`: what it will call when a function ends.
    pub(super) deferred: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StackBounds {
    pub(super) low: u64,
    pub(super) high: u64,
}

impl Goroutine {
    fn parse(address: u64, bytes: &[u8], layout: &Layout) -> Option<Self> {
        let word = |offset| word_at(bytes, usize::try_from(offset).ok()?);
        let status = half_at(bytes, usize::try_from(layout.goroutine_status).ok()?)?;
        Some(Self {
            address,
            stack: StackBounds {
                low: word(layout::GOROUTINE_STACK_LOW)?,
                high: word(layout::GOROUTINE_STACK_HIGH)?,
            },
            sp: word(layout::GOROUTINE_SP)?,
            pc: word(layout::GOROUTINE_PC)?,
            bp: word(layout.goroutine_bp)?,
            status: status & !layout::STATUS_SCAN,
            id: word(layout.goroutine_id)?,
            function: word(layout.goroutine_function)?,
            deferred: word(layout::GOROUTINE_DEFERRED)?,
        })
    }

    /// Those at these addresses.
    pub(super) fn read_all(
        memory: &dyn Memory,
        layout: &Layout,
        addresses: &[u64],
    ) -> Vec<Option<Self>> {
        let ranges: Vec<_> = addresses.iter().map(|&address| (address, HEADER)).collect();
        let read = memory.read(&ranges).into_iter().zip(addresses);
        read.map(|(bytes, &address)| Self::parse(address, &bytes?, layout)).collect()
    }

    /// The first `count` of a list of pointers to them.
    pub(super) fn read_list(
        memory: &dyn Memory,
        layout: &Layout,
        start: u64,
        count: u64,
    ) -> Vec<Option<Self>> {
        let length = usize::try_from(count.saturating_mul(8)).unwrap_or(0);
        let bytes = memory.read_one(start, length).unwrap_or_default();
        let addresses: Vec<_> = bytes.chunks_exact(8).filter_map(|it| word_at(it, 0)).collect();
        Self::read_all(memory, layout, &addresses)
    }

    /// It looks like one: its stack is memory, and its other parts make sense.
    pub(super) fn is_plausible(&self, mappings: &Mappings) -> bool {
        let StackBounds { low, high } = self.stack;
        let has_stack = low < high
            && high - low <= STACK_MAX
            && low.is_multiple_of(8)
            && high.is_multiple_of(8)
            && mappings.is_readable(low);
        mappings.is_heap(self.address)
            && self.status <= layout::STATUS_MAX
            && self.id < 1 << 48
            && (has_stack || (low == 0 && high == 0))
    }

    /// It is parked, for a channel, a lock, a socket or a time.
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.status, layout::STATUS_WAITING | layout::STATUS_LEAKED)
    }

    /// It stays at a call until something comes back to it: a system call is one, too.
    const fn is_at_rest(&self) -> bool {
        self.is_waiting() || self.status == layout::STATUS_SYSCALL
    }

    /// It has begun and not ended.
    pub(super) const fn is_alive(&self) -> bool {
        !matches!(self.status, layout::STATUS_IDLE | layout::STATUS_DEAD | layout::STATUS_MAX)
    }

    /// What was copied of its stack before is all that it uses now: it did nothing meanwhile, or
    /// all of the stack was copied, which is where it was.
    pub(super) fn still_is(&self, now: &Self) -> bool {
        self == now || (self.status == layout::STATUS_RUNNING && self.stack == now.stack)
    }

    /// The same, as one of which all of the stack counts.
    pub(super) const fn as_running(self) -> Self {
        Self { status: layout::STATUS_RUNNING, ..self }
    }

    /// The part of its stack that is in use, as an address and a length, no more than `most`
    /// bytes of it. What runs has no end that is known, so all of its stack counts.
    pub(super) fn used_stack(&self, most: usize) -> Option<(u64, usize)> {
        let StackBounds { low, high } = self.stack;
        if low >= high || high - low > STACK_MAX {
            return None;
        }
        let from = match self.status {
            layout::STATUS_RUNNABLE
            | layout::STATUS_SYSCALL
            | layout::STATUS_WAITING
            | layout::STATUS_PREEMPTED
            | layout::STATUS_LEAKED => Some(self.sp),
            layout::STATUS_RUNNING | layout::STATUS_COPYING => Some(low),
            _ => None,
        }?;
        let is_sane = (low..high).contains(&from) && from.is_multiple_of(8);
        is_sane.then(|| (from, usize::try_from(high - from).unwrap_or(most).min(most)))
    }
}

/// A piece of a stack that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stack {
    pub(super) goroutine: Goroutine,
    /// The address of the first byte: where the stack pointer was.
    pub(super) start: u64,
    pub(super) bytes: Box<[u8]>,
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where it goes on.
    pub(super) pc: u64,
    /// Its variables are from here ...
    pub(super) start: u64,
    /// ... to its frame pointer, which is here.
    pub(super) end: u64,
}

impl Stack {
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        word_at(&self.bytes, usize::try_from(address.checked_sub(self.start)?).ok()?)
    }

    /// The words with addresses from `start` to below `end`, as far as they were copied.
    pub(super) fn words(&self, start: u64, end: u64) -> impl Iterator<Item = u64> {
        (start..end).step_by(8).map_while(|address| self.word(address))
    }

    /// The words that the goroutine may still use. `map` says where these are in a frame, counted
    /// from its frame pointer; from the first one on of which it does not know, they are all. So
    /// they are of what is not at rest: it may be anywhere.
    pub(super) fn words_in_use(&self, mut map: impl FnMut(&Frame) -> Option<Vec<i64>>) -> Vec<u64> {
        let mut words = Vec::new();
        let mut rest = self.start;
        if self.goroutine.is_at_rest() && self.start == self.goroutine.sp {
            for frame in self.frames() {
                let Some(places) = map(&frame) else { break };
                let addresses = places.into_iter().map(|it| frame.end.wrapping_add_signed(it));
                words.extend(addresses.filter_map(|it| self.word(it)));
                rest = frame.end.saturating_add(16);
            }
        }
        words.extend(self.words(rest, self.goroutine.stack.high));
        words
    }

    /// The calls, the innermost first, by their frame pointers, as far as these make sense: each
    /// is above the one before, so there is an end.
    pub(super) fn frames(&self) -> Vec<Frame> {
        let mut frame =
            Frame { pc: self.goroutine.pc, start: self.goroutine.sp, end: self.goroutine.bp };
        let mut frames = Vec::new();
        while frames.len() < FRAMES_MAX
            && frame.start <= frame.end
            && frame.end.is_multiple_of(8)
            && let Some(end) = self.word(frame.end)
            && let Some(pc) = self.word(frame.end.saturating_add(8))
        {
            frames.push(frame);
            frame = Frame { pc, start: frame.end.saturating_add(16), end };
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::memory::fake::FakeMemory;

    fn stack(words: &[u64], bp: u64) -> Stack {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let stack = StackBounds { low: 0xc000, high: 0xc100 + bytes.len() as u64 };
        let goroutine = Goroutine {
            address: 8,
            stack,
            sp: 0xc100,
            pc: 1,
            bp,
            status: 4,
            id: 1,
            function: 0,
            deferred: 0,
        };
        Stack { goroutine, start: 0xc100, bytes: bytes.into() }
    }

    #[track_caller]
    fn check(words: &[u64], bp: u64, expected: &[(u64, u64, u64)]) {
        let frames = stack(words, bp).frames();
        let frames: Vec<_> = frames.iter().map(|it| (it.pc, it.start, it.end)).collect();
        assert_eq!(frames, expected);
    }

    #[test]
    fn frame_pointers_are_followed() {
        // Two variables, then the frame pointer of the caller and where it goes on; one variable
        // of the caller, and its caller has none.
        let words = [10, 11, 0xc128, 2, 20, 0, 3];
        check(&words, 0xc110, &[(1, 0xc100, 0xc110), (2, 0xc120, 0xc128)]);
    }

    #[test]
    fn words_in_use_are_those_of_the_map_as_far_as_there_is_one() {
        let words = [10, 11, 0xc128, 2, 20, 0, 3];
        let mut stack = stack(&words, 0xc110);
        stack.goroutine.stack.high = 0xc138;
        let in_use = |stack: &Stack, known: usize| {
            let mut calls = 0;
            stack.words_in_use(|frame| {
                calls += 1;
                assert_eq!(frame.pc, calls);
                // A variable, a parameter and what is no part of the stack.
                (calls <= known as u64).then(|| vec![-8, 16, 0x100])
            })
        };
        assert_eq!(in_use(&stack, 2), [11, 20, 20]);
        assert_eq!(in_use(&stack, 1), [11, 20, 20, 0, 3], "the rest of which nothing is known");
        assert_eq!(in_use(&stack, 0), words);
        stack.goroutine.status = layout::STATUS_SYSCALL;
        assert_eq!(in_use(&stack, 2), [11, 20, 20]);
        stack.goroutine.status = layout::STATUS_RUNNABLE;
        assert_eq!(in_use(&stack, 0), words, "it may be anywhere");
    }

    #[test]
    fn frame_pointers_that_lead_nowhere_end() {
        check(&[0xc100, 2, 3], 0xc100, &[(1, 0xc100, 0xc100)]);
        check(&[1, 2, 0xc100, 3], 0xc110, &[(1, 0xc100, 0xc110)]);
        for bp in [0, 7, 0xc0f8, 0xc101, 0xc108, 0xc110, u64::MAX, u64::MAX - 7] {
            check(&[1, 2], bp, &[]);
        }
    }

    #[test]
    fn there_are_no_more_frames_than_make_sense() {
        let words: Vec<u64> = (0..1000).map(|index| 0xc100 + 8 * (index + 2)).collect();
        assert_eq!(stack(&words, 0xc100).frames().len(), FRAMES_MAX);
    }

    #[test]
    fn a_goroutine_is_read_by_the_layout_of_its_version() {
        for minor in layout::OLDEST..=layout::NEWEST + 1 {
            let layout = Layout::of(minor);
            let mut bytes = vec![0; HEADER];
            let mut put = |offset: u64, value: u64| {
                let offset = usize::try_from(offset).unwrap();
                bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
            };
            put(0, 0xc000);
            put(8, 0xd000);
            put(layout.goroutine_bp, 0xcff0);
            put(layout.goroutine_status, u64::from(layout::STATUS_SCAN | layout::STATUS_WAITING));
            put(layout.goroutine_id, 17);
            put(layout.goroutine_function, 0x4000);
            let mut memory = FakeMemory::default();
            memory.put_bytes(0x1000, &bytes);
            memory.put(0x2000, &[0x1000, 0x3000]);
            let read = Goroutine::read_list(&memory, &layout, 0x2000, 2);
            let goroutine = read[0].unwrap();
            assert_eq!((goroutine.id, goroutine.bp, goroutine.is_waiting()), (17, 0xcff0, true));
            assert_eq!(goroutine.function, 0x4000);
            assert_eq!(read[1], None);
        }
    }

    #[test]
    fn the_used_part_of_a_stack_is_within_its_bounds() {
        let mut goroutine = stack(&[0; 4], 0).goroutine;
        assert_eq!(goroutine.used_stack(1 << 20), Some((0xc100, 32)));
        assert_eq!(goroutine.used_stack(16), Some((0xc100, 16)));
        for sp in [0, 0xbff8, 0xc101, 0xc120, u64::MAX] {
            goroutine.sp = sp;
            assert_eq!(goroutine.used_stack(1 << 20), None, "{sp:#x}");
        }
        goroutine.status = layout::STATUS_RUNNING;
        assert_eq!(goroutine.used_stack(1 << 20), Some((0xc000, 0x120)));
    }
}
