//! Goroutines (`runtime.g` in `runtime/runtime2.go`) and their stacks.

use super::layout::{self, Layout};
use crate::process::{
    maps::Mappings,
    memory::{Memory, u32_at, u64_at},
};

/// Number of bytes read of `runtime.g`.
const HEADER: usize = 320;
/// Number of goroutines of which that is read together.
const READ_TOGETHER: usize = 4_096;
/// Maximum plausible size of a stack: Go's own limit on 64-bit machines is 1 GB
/// (`runtime.maxstacksize`).
const STACK_MAX: u64 = 1 << 30;

/// The state of a goroutine when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Goroutine {
    pub(super) address: u64,
    pub(super) stack: StackBounds,
    /// `g.sched`: the registers when it last stopped running.
    pub(super) sp: u64,
    pub(super) pc: u64,
    pub(super) bp: u64,
    /// `g.atomicstatus` without `_Gscan`.
    pub(super) status: u32,
    /// `g.goid`.
    pub(super) id: u64,
    /// `g.startpc`: the start of the function that the `go` statement called.
    pub(super) function: u64,
    /// `g._defer`: the list of deferred calls.
    pub(super) deferred: u64,
}

/// `g.stack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StackBounds {
    pub(super) low: u64,
    pub(super) high: u64,
}

impl Goroutine {
    fn parse(address: u64, bytes: &[u8], layout: &Layout) -> Option<Self> {
        let word = |offset| u64_at(bytes, usize::try_from(offset).ok()?);
        let status = u32_at(bytes, usize::try_from(layout.goroutine_status).ok()?)?;
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

    /// Reads the goroutines at these addresses.
    pub(super) fn read_all(
        memory: &dyn Memory,
        layout: &Layout,
        addresses: &[u64],
    ) -> Vec<Option<Self>> {
        let mut all = Vec::with_capacity(addresses.len());
        for some in addresses.chunks(READ_TOGETHER) {
            let ranges: Vec<_> = some.iter().map(|&address| (address, HEADER)).collect();
            let read = memory.read(&ranges).into_iter().zip(some);
            all.extend(read.map(|(bytes, &address)| Self::parse(address, &bytes?, layout)));
        }
        all
    }

    /// Reads the first `count` goroutines of an array of pointers.
    pub(super) fn read_list(
        memory: &dyn Memory,
        layout: &Layout,
        start: u64,
        count: u64,
    ) -> Vec<Option<Self>> {
        let length = usize::try_from(count.saturating_mul(8)).unwrap_or(0);
        let bytes = memory.read_one(start, length).unwrap_or_default();
        let addresses: Vec<_> = bytes.chunks_exact(8).filter_map(|it| u64_at(it, 0)).collect();
        Self::read_all(memory, layout, &addresses)
    }

    /// Whether the fields have plausible values: the stack is mapped, status and id are in range.
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

    /// Whether it is parked: on a channel, a lock, a socket or a timer.
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.status, layout::STATUS_WAITING | layout::STATUS_LEAKED)
    }

    /// Whether it is parked or in a system call, so that its stack does not change.
    pub(super) const fn is_blocked(&self) -> bool {
        self.is_waiting() || self.status == layout::STATUS_SYSCALL
    }

    /// Whether it has started and not exited.
    pub(super) const fn is_alive(&self) -> bool {
        !matches!(self.status, layout::STATUS_IDLE | layout::STATUS_DEAD | layout::STATUS_MAX)
    }

    /// Whether a copy of the stack made before `now` is consistent: the goroutine has not run
    /// since, or the whole stack was copied and it has not moved.
    pub(super) fn is_unchanged(&self, now: &Self) -> bool {
        self == now || (self.status == layout::STATUS_RUNNING && self.stack == now.stack)
    }

    /// The goroutine with the status running, so that its whole stack is copied.
    pub(super) const fn as_running(self) -> Self {
        Self { status: layout::STATUS_RUNNING, ..self }
    }

    /// Address and length in bytes of the used part of its stack, at most `most` bytes. The stack
    /// pointer of a running goroutine is unknown, so its whole stack counts.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::memory::fake::FakeMemory;

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
}
