//! What answering one question about a process may cost, whatever the process has in its memory and
//! files.
//!
//! A limit on each factor does not limit the product: 65,536 objects of 65,536 words each are 32
//! GiB. So the parsers count what they do against one budget for the whole question. A budget that
//! is exceeded stays exceeded: no further memory is read, no result that depends on a second
//! reading is confirmed, and the answer includes the limit.

use std::cell::{Cell, RefCell};

use tracer_core::Limit;

/// Default for [`Allowance::bytes_max`].
const BYTES_MAX: u64 = 192 << 20;
/// Default for [`Allowance::steps_max`]: fifteen times what it takes to search 250,000 goroutines.
const STEPS_MAX: u64 = 1 << 32;

/// The size of a [`Budget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Maximum number of bytes allocated at the same time for data that was read. Buffers of
    /// constant size do not count.
    pub bytes_max: u64,
    /// Maximum number of steps. One step takes a few nanoseconds: a word of memory that is in a
    /// cache, eight bytes of a text that is parsed.
    pub steps_max: u64,
    /// Whether debug information (DWARF) is read. Symbol tables and unwind tables always are.
    pub with_debug_info: bool,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { bytes_max: BYTES_MAX, steps_max: STEPS_MAX, with_debug_info: true }
    }
}

/// What is left for one question. It counts steps, not time, so the same input gives the same
/// answer.
#[derive(Debug)]
pub struct Budget {
    allowance: Allowance,
    bytes_left: Cell<u64>,
    steps_left: Cell<u64>,
    exceeded: Cell<Option<Resource>>,
    /// The type of a file system on which a file was not opened.
    not_local: RefCell<Option<String>>,
}

#[derive(Clone, Copy, Debug)]
enum Resource {
    Bytes,
    Steps,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Allowance::default())
    }
}

impl Budget {
    /// A budget of which nothing has been used.
    pub const fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            bytes_left: Cell::new(allowance.bytes_max),
            steps_left: Cell::new(allowance.steps_max),
            exceeded: Cell::new(None),
            not_local: RefCell::new(None),
        }
    }

    /// Counts steps before they are taken; `None` if there are not as many left.
    #[must_use = "`None` means that the steps must not be taken"]
    pub fn step(&self, count: u64) -> Option<()> {
        if self.is_exceeded() {
            return None;
        }
        let Some(left) = self.steps_left.get().checked_sub(count) else {
            self.exceeded.set(Some(Resource::Steps));
            return None;
        };
        self.steps_left.set(left);
        Some(())
    }

    /// Like [`step`](Self::step), for parsing or copying `length` bytes.
    #[must_use = "`None` means that the bytes must not be parsed"]
    pub fn step_bytes(&self, length: usize) -> Option<()> {
        self.step(as_u64(length) / 8 + 1)
    }

    /// Counts bytes that are allocated until the question is answered; `None` if there are not as
    /// many left.
    #[must_use = "`None` means that the bytes must not be allocated"]
    pub fn spend_bytes(&self, bytes: usize) -> Option<()> {
        let left = self.room_for(bytes).or_else(|| {
            let _ = self.exceeded.replace(self.exceeded.get().or(Some(Resource::Bytes)));
            None
        })?;
        self.bytes_left.set(left);
        Some(())
    }

    /// Counts bytes that are allocated for as long as the result exists; `None` if there are not as
    /// many left.
    #[must_use = "`None` means that the bytes must not be allocated"]
    pub fn reserve(&self, bytes: usize) -> Option<Reservation<'_>> {
        self.spend_bytes(bytes)?;
        Some(Reservation { budget: self, bytes: as_u64(bytes) })
    }

    /// Like [`reserve`](Self::reserve), but a refusal does not mark the budget as exceeded: the
    /// question can be answered without these bytes.
    pub fn try_reserve(&self, bytes: usize) -> Option<Reservation<'_>> {
        let mut reservation = Reservation { budget: self, bytes: 0 };
        reservation.grow(bytes).then_some(reservation)
    }

    /// What would be left with these bytes allocated.
    fn room_for(&self, bytes: usize) -> Option<u64> {
        if self.is_exceeded() { None } else { self.bytes_left.get().checked_sub(as_u64(bytes)) }
    }

    /// Whether something was not done because of this budget.
    pub const fn is_exceeded(&self) -> bool {
        self.exceeded.get().is_some()
    }

    /// The limit that was reached; `None` if none was.
    pub fn limit(&self) -> Option<Limit> {
        let Allowance { bytes_max, steps_max, .. } = self.allowance;
        Some(match self.exceeded.get()? {
            Resource::Bytes => Limit::InspectionTooLarge { bytes_max },
            Resource::Steps => Limit::InspectionTooLong { steps_max },
        })
    }

    /// Whether debug information may be read.
    pub(crate) const fn allows_debug_info(&self) -> bool {
        self.allowance.with_debug_info
    }

    /// Records that a file was not opened because its file system may never respond.
    pub(crate) fn record_not_local(&self, filesystem: String) {
        self.not_local.replace(Some(filesystem));
    }

    /// The limit if a file was not opened because its file system may never respond.
    pub fn not_local(&self) -> Option<Limit> {
        let filesystem = self.not_local.borrow().clone()?;
        Some(Limit::FileNotLocal { filesystem })
    }

    /// Number of steps that can still be taken.
    pub(crate) const fn steps_left(&self) -> u64 {
        if self.is_exceeded() { 0 } else { self.steps_left.get() }
    }

    /// Number of steps taken so far.
    pub const fn steps(&self) -> u64 {
        self.allowance.steps_max - self.steps_left.get()
    }
}

/// Bytes of a [`Budget`] that are returned to it when this is dropped.
#[derive(Debug)]
pub struct Reservation<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Reservation<'_> {
    /// Adds bytes, if there are as many left. Unlike with [`Budget::spend_bytes`], a refusal does
    /// not mark the budget as exceeded: a cache can be smaller.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let Some(left) = self.budget.room_for(bytes) else { return false };
        self.budget.bytes_left.set(left);
        self.bytes += as_u64(bytes);
        true
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.budget.bytes_left.set(self.budget.bytes_left.get() + self.bytes);
    }
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::new(Allowance { bytes_max: 100, steps_max: 10, ..Allowance::default() })
    }

    #[test]
    fn an_exceeded_budget_stays_exceeded() {
        let budget = budget();
        assert_eq!((budget.step(4), budget.step(6), budget.limit()), (Some(()), Some(()), None));
        assert_eq!(budget.steps(), 10);
        assert_eq!(budget.step(1), None);
        assert_eq!((budget.step(0), budget.spend_bytes(1)), (None, None));
        assert_eq!(budget.limit(), Some(Limit::InspectionTooLong { steps_max: 10 }));
    }

    #[test]
    fn bytes_are_given_back() {
        let budget = budget();
        assert_eq!(budget.spend_bytes(20), Some(()));
        let reservation = budget.reserve(50).unwrap();
        drop(reservation);
        let mut reservation = budget.reserve(80).unwrap();
        assert!(!reservation.grow(1));
        assert!(budget.try_reserve(1).is_none());
        assert!(!budget.is_exceeded());
        assert_eq!(budget.spend_bytes(1), None);
        assert_eq!(budget.limit(), Some(Limit::InspectionTooLarge { bytes_max: 100 }));
        assert_eq!(budget.step(1), None);
    }
}
