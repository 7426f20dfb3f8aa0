//! Ports of exhibits.

use std::net::{Ipv4Addr, TcpListener};
use std::process;

use anyhow::{Context, Result};

/// The first port. All blocks are below the ports that the kernel assigns.
const FIRST: u16 = 14_000;
const BLOCKS: u16 = 900;
/// Number of ports of one exhibit.
const PER_EXHIBIT: u16 = 20;

/// Assigns blocks of unused ports.
pub(crate) struct Ports {
    next: u16,
    remaining: u16,
}

impl Ports {
    /// Concurrent runs begin with different blocks.
    pub(crate) fn new() -> Self {
        let start = process::id() % u32::from(BLOCKS);
        Self { next: u16::try_from(start).unwrap_or_default(), remaining: BLOCKS }
    }

    /// The first port of a block.
    ///
    /// # Errors
    /// If no block is left.
    pub(crate) fn assign(&mut self) -> Result<u16> {
        while let Some(remaining) = self.remaining.checked_sub(1) {
            let first = FIRST + self.next * PER_EXHIBIT;
            self.next = (self.next + 1) % BLOCKS;
            self.remaining = remaining;
            let is_free = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
            if (first..first + PER_EXHIBIT).all(is_free) {
                return Ok(first);
            }
        }
        None.context("no ports are free")
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::{PER_EXHIBIT, Ports};

    #[test]
    fn blocks_are_free_and_differ() {
        let (mut one, mut other) = (Ports::new(), Ports::new());
        let first = one.assign().unwrap();
        let used = TcpListener::bind((Ipv4Addr::LOCALHOST, first + 3)).unwrap();
        assert!(other.assign().unwrap() != first);
        drop(used);
        assert!(one.assign().unwrap().abs_diff(first) >= PER_EXHIBIT);
    }
}
