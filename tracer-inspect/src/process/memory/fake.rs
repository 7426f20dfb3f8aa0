//! Memory for tests.

use std::collections::BTreeMap;

use super::Memory;
use crate::budget::Budget;

/// 64-bit words by their address. A range can be read if every word of it is present.
#[derive(Default)]
pub(crate) struct FakeMemory(pub(crate) BTreeMap<u64, u64>, pub(crate) Budget);

impl FakeMemory {
    /// Stores consecutive words.
    pub(crate) fn put(&mut self, address: u64, words: &[u64]) {
        self.0.extend((address..).step_by(8).zip(words.iter().copied()));
    }

    /// Stores bytes, padded with zeros to whole words.
    pub(crate) fn put_bytes(&mut self, address: u64, bytes: &[u8]) {
        for (address, bytes) in (address..).step_by(8).zip(bytes.chunks(8)) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            self.0.insert(address, u64::from_le_bytes(word));
        }
    }
}

impl Memory for FakeMemory {
    fn budget(&self) -> &Budget {
        &self.1
    }

    fn read(&self, ranges: &[(u64, usize)]) -> Vec<Option<Box<[u8]>>> {
        let byte = |address: u64| {
            let bytes = self.0.get(&(address & !7))?.to_le_bytes();
            Some(bytes[usize::try_from(address & 7).unwrap()])
        };
        let read = |&(address, length): &(u64, usize)| {
            (0..length as u64).map(|offset| byte(address.checked_add(offset)?)).collect()
        };
        ranges.iter().map(read).collect()
    }
}
