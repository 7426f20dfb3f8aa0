//! A copy of the stack of a goroutine: its frames, and the words that are in use.

use super::goroutine::Goroutine;
use crate::process::memory::u64_at;

/// Maximum number of frames walked per stack.
const FRAMES_MAX: usize = 64;

/// A copy of the used part of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stack {
    pub(super) goroutine: Goroutine,
    /// The address of the first byte: usually the stack pointer.
    pub(super) start: u64,
    pub(super) bytes: Box<[u8]>,
}

/// One stack frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where it continues: the program counter, or a return address.
    pub(super) pc: u64,
    /// The lowest address of its variables.
    pub(super) start: u64,
    /// The address of the saved frame pointer, which follows the variables.
    pub(super) end: u64,
}

/// The variables of a frame, by their offsets in bytes from the saved frame pointer.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// Words that are live.
    pub(super) words: Vec<i64>,
    /// Variables whose address is taken, with their lengths in bytes.
    pub(super) objects: Vec<(i64, i64)>,
}

/// A variable whose address is taken.
#[derive(Clone, Copy, Debug)]
struct Object {
    start: u64,
    length: u64,
    is_used: bool,
}

impl Stack {
    /// The word at an address; `None` if it was not copied.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        u64_at(&self.bytes, usize::try_from(address.checked_sub(self.start)?).ok()?)
    }

    /// The words in `start..end`, up to the first that was not copied.
    pub(super) fn words(&self, start: u64, end: u64) -> impl Iterator<Item = u64> {
        (start..end).step_by(8).map_while(|address| self.word(address))
    }

    /// The words that the goroutine may still use. `map` adds the live variables of a frame, and
    /// those whose address is taken; the latter are in use if a word in use, or one of `roots`,
    /// points to them. From the first frame without a map outwards, all words count. If the goroutine
    /// is not blocked, all words of its stack count, because its position is unknown.
    ///
    /// Each word counts once, however many frames and maps include it, so there are no more than
    /// the stack has.
    pub(super) fn words_in_use(
        &self,
        roots: &[u64],
        mut map: impl FnMut(&Frame, &mut Variables) -> Option<()>,
    ) -> Vec<u64> {
        let mut used = vec![false; self.bytes.len() / 8];
        let mut variables = Variables::default();
        let mut objects: Vec<Object> = Vec::new();
        let mut rest = self.start;
        if self.goroutine.is_blocked() && self.start == self.goroutine.sp {
            for frame in self.frames() {
                if map(&frame, &mut variables).is_none() {
                    break;
                }
                for offset in variables.words.drain(..) {
                    let address = frame.end.wrapping_add_signed(offset);
                    if let Some(used) = self.index(address).and_then(|it| used.get_mut(it)) {
                        *used = true;
                    }
                }
                objects.extend(variables.objects.drain(..).map(|(offset, length)| Object {
                    start: frame.end.wrapping_add_signed(offset),
                    length: length.unsigned_abs(),
                    is_used: false,
                }));
                rest = frame.end.saturating_add(16);
            }
        }
        let rest = (rest..self.goroutine.stack.high).step_by(8);
        for index in rest.map_while(|address| self.index(address)) {
            let Some(used) = used.get_mut(index) else { break };
            *used = true;
        }
        self.use_objects(&mut objects, &mut used, roots);
        let (words, _) = self.bytes.as_chunks();
        let words = words.iter().zip(used).filter_map(|(word, used)| used.then_some(*word));
        words.map(u64::from_le_bytes).collect()
    }

    /// Adds the words of the variables to which words in use point.
    fn use_objects(&self, objects: &mut [Object], used: &mut [bool], roots: &[u64]) {
        if objects.is_empty() {
            return;
        }
        objects.sort_unstable_by_key(|object| object.start);
        let own = self.start..self.goroutine.stack.high;
        let words = (self.start..).step_by(8).zip(used.iter()).filter(|(_, used)| **used);
        let words = words.filter_map(|(address, _)| self.word(address));
        let pointers = words.chain(roots.iter().copied()).filter(|word| own.contains(word));
        let mut pointers: Vec<u64> = pointers.collect();
        while let Some(pointer) = pointers.pop() {
            // Variables of different frames do not overlap.
            let after = objects.partition_point(|object| object.start <= pointer);
            let object = after.checked_sub(1).and_then(|index| objects.get_mut(index));
            let Some(object) = object.filter(|it| pointer - it.start < it.length && !it.is_used)
            else {
                continue;
            };
            object.is_used = true;
            for address in (object.start..object.start.saturating_add(object.length)).step_by(8) {
                let Some(used) = self.index(address).and_then(|it| used.get_mut(it)) else {
                    break;
                };
                *used = true;
                pointers.extend(self.word(address).filter(|word| own.contains(word)));
            }
        }
    }

    /// The number of the word at an address.
    fn index(&self, address: u64) -> Option<usize> {
        let offset = address.checked_sub(self.start).filter(|offset| offset.is_multiple_of(8))?;
        usize::try_from(offset / 8).ok()
    }

    /// The frames, innermost first, by their frame pointers. The walk ends where a frame pointer
    /// does not point further up the stack.
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
    use crate::go::goroutine::StackBounds;

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
        // Two variables, the saved frame pointer and the return address; then one variable of the
        // caller, whose saved frame pointer is 0.
        let words = [10, 11, 0xc128, 2, 20, 0, 3];
        check(&words, 0xc110, &[(1, 0xc100, 0xc110), (2, 0xc120, 0xc128)]);
    }

    #[test]
    fn words_in_use_come_from_the_maps_that_exist() {
        let words = [10, 11, 0xc128, 2, 20, 0, 3];
        let mut stack = stack(&words, 0xc110);
        stack.goroutine.stack.high = 0xc138;
        let in_use = |stack: &Stack, known: usize| {
            let mut frames = 0;
            stack.words_in_use(&[], |frame, variables| {
                frames += 1;
                assert_eq!(frame.pc, frames);
                // A variable, a parameter, and an address outside of the stack.
                (frames <= known as u64).then(|| variables.words.extend([-8, 16, 0x100]))
            })
        };
        assert_eq!(in_use(&stack, 2), [11, 20]);
        assert_eq!(in_use(&stack, 1), [11, 20, 0, 3], "all words of frames without a map");
        assert_eq!(in_use(&stack, 0), words);
        stack.goroutine.status = crate::go::layout::STATUS_SYSCALL;
        assert_eq!(in_use(&stack, 2), [11, 20]);
        stack.goroutine.status = crate::go::layout::STATUS_RUNNABLE;
        assert_eq!(in_use(&stack, 0), words, "its position is unknown");
    }

    #[test]
    fn variables_whose_address_is_taken_are_in_use_if_something_points_to_them() {
        // A live variable, which may point to an object of two words, and another object.
        let words = |live: u64| [live, 20, 0xc120, 30, 0, 2];
        let in_use = |live: u64, roots: &[u64]| {
            let mut stack = stack(&words(live), 0xc120);
            stack.goroutine.stack.high = 0xc130;
            stack.words_in_use(roots, |_, variables| {
                variables.words.push(-32);
                variables.objects.extend([(-24, 16), (-8, 8)]);
                Some(())
            })
        };
        assert_eq!(in_use(7, &[]), [7]);
        assert_eq!(in_use(0xc110, &[]), [0xc110, 20, 0xc120]);
        assert_eq!(in_use(7, &[0xc118, 0xd000]), [7, 30]);
        assert_eq!(in_use(0xc108, &[0xc118]), [0xc108, 20, 0xc120, 30]);
    }

    #[test]
    fn invalid_frame_pointers_end_the_walk() {
        check(&[0xc100, 2, 3], 0xc100, &[(1, 0xc100, 0xc100)]);
        check(&[1, 2, 0xc100, 3], 0xc110, &[(1, 0xc100, 0xc110)]);
        for bp in [0, 7, 0xc0f8, 0xc101, 0xc108, 0xc110, u64::MAX, u64::MAX - 7] {
            check(&[1, 2], bp, &[]);
        }
    }

    #[test]
    fn the_number_of_frames_is_limited() {
        let words: Vec<u64> = (0..1000).map(|index| 0xc100 + 8 * (index + 2)).collect();
        assert_eq!(stack(&words, 0xc100).frames().len(), FRAMES_MAX);
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
        goroutine.status = crate::go::layout::STATUS_RUNNING;
        assert_eq!(goroutine.used_stack(1 << 20), Some((0xc000, 0x120)));
    }
}
