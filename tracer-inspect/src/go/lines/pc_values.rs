//! A table in `pctab`: delta-encoded values for the instructions of a function (`runtime.pcvalue` in
//! `runtime/symtab.go`).

use crate::process::pages::Pages;

/// Maximum size of one table in bytes.
const BYTES_MAX: u64 = 1 << 20;
/// Number of bytes read together. Most tables are shorter.
const STEP: u64 = 128;

/// A table whose bytes are read as needed.
pub(super) struct PcValues<'a, 'b> {
    pages: &'a mut Pages<'b>,
    /// The address of the bytes after those that were read.
    next: u64,
    /// The number of bytes from there to the end of `pctab`.
    rest: u64,
    bytes: Vec<u8>,
    position: usize,
}

impl<'a, 'b> PcValues<'a, 'b> {
    /// The table at an address of the process. `rest` is the number of bytes to the end of `pctab`.
    pub(super) fn new(pages: &'a mut Pages<'b>, start: u64, rest: u64) -> Self {
        Self { pages, next: start, rest: rest.min(BYTES_MAX), bytes: Vec::new(), position: 0 }
    }

    /// The value at an offset from the start of the function; -1 if the table ends before it, `None` if
    /// the table is corrupt.
    pub(super) fn at(mut self, offset: u32, quantum: u32) -> Option<i32> {
        let (mut end, mut value) = (0_u32, -1_i32);
        loop {
            self.pages.budget().step(1)?;
            let difference = self.number()?;
            if difference == 0 && end != 0 {
                return Some(-1);
            }
            // Zigzag encoding: the lowest bit is the sign.
            let half = (difference >> 1).cast_signed();
            value = value.wrapping_add(if difference & 1 == 0 { half } else { !half });
            end = end.checked_add(self.number()?.checked_mul(quantum)?)?;
            if offset < end {
                return Some(value);
            }
        }
    }

    /// A varint: seven bits per byte, lowest first.
    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..u32::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        if self.position == self.bytes.len() {
            let length = self.rest.min(STEP);
            self.bytes = self.pages.bytes(self.next, usize::try_from(length).ok()?)?;
            self.next = self.next.checked_add(length)?;
            self.rest -= length;
            self.position = 0;
        }
        let byte = self.bytes.get(self.position)?;
        self.position += 1;
        Some(*byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::memory::fake::FakeMemory;

    fn at(bytes: &[u8], offset: u32, quantum: u32) -> Option<i32> {
        let mut memory = FakeMemory::default();
        memory.put(0x1000, &[0; 512]);
        memory.put_bytes(0x1000 + 200, bytes);
        let mut pages = Pages::new(&memory);
        let length = u64::try_from(bytes.len()).unwrap();
        PcValues::new(&mut pages, 0x1000 + 200, length).at(offset, quantum)
    }

    /// 10 for four instructions, 7 for 300, 8 for one.
    const TABLE: [u8; 8] = [22, 4, 5, 0xac, 2, 2, 1, 0];

    #[test]
    fn values_apply_up_to_their_end() {
        let values = [0, 3, 4, 303, 304, 305].map(|offset| at(&TABLE, offset, 1));
        assert_eq!(values, [Some(10), Some(10), Some(7), Some(7), Some(8), Some(-1)]);
        assert_eq!([15, 16].map(|offset| at(&TABLE, offset, 4)), [Some(10), Some(7)]);
    }

    #[test]
    fn the_first_difference_may_be_zero() {
        assert_eq!(at(&[0, 5, 2, 5, 0], 2, 1), Some(-1));
        assert_eq!(at(&[0, 5, 2, 5, 0], 7, 1), Some(0));
    }

    #[test]
    fn truncated_and_too_large_tables_are_rejected() {
        assert_eq!(at(&TABLE[..4], 100, 1), None);
        assert_eq!(at(&[], 0, 1), None);
        assert_eq!(at(&[0xff; 9], 0, 1), None);
        assert_eq!(at(&[2, 0xff, 0xff, 0xff, 0xff, 0x0f, 2, 0xff], 1, 4), None);
        assert_eq!(at(&[0; 400], 1, 1), None, "no end and no instructions");
    }
}
