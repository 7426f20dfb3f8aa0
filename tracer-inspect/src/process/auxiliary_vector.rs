//! The auxiliary vector of a process (getauxval(3)), which the kernel keeps: no memory of the process
//! and no file system is read.

use std::{fs, io};

use super::memory::u64_at;

/// The entry point of the program: `AT_ENTRY` of `include/uapi/linux/auxvec.h`.
const ENTRY: u64 = 9;
/// The size of a page: `AT_PAGESZ`.
const PAGE_SIZE: u64 = 6;

/// The entry point of a 64-bit process.
///
/// # Errors
/// The process has exited, or may not be read; or its vector has no entry point.
pub(crate) fn entry(pid: u32) -> io::Result<u64> {
    let entry = value(&read(pid)?, ENTRY);
    entry.ok_or_else(|| io::Error::other("the auxiliary vector has no entry point"))
}

/// Whether this is the vector of a 64-bit process: the entries of others have half the size.
///
/// # Errors
/// The process has exited, or may not be read.
pub(super) fn is_64_bit(pid: u32) -> io::Result<bool> {
    let vector = read(pid)?;
    if vector.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(has_64_bits(&vector)) }
}

fn read(pid: u32) -> io::Result<Vec<u8>> {
    fs::read(format!("/proc/{pid}/auxv"))
}

fn has_64_bits(vector: &[u8]) -> bool {
    value(vector, PAGE_SIZE).is_some()
}

fn value(vector: &[u8], kind: u64) -> Option<u64> {
    let pair = vector.chunks_exact(16).find(|pair| u64_at(pair, 0) == Some(kind))?;
    u64_at(pair, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entries_of_a_32_bit_process_have_half_the_size() {
        let entries = [(33, 0xf7fc_9000), (16, 0x178b_fbff), (6, 4096), (9, 0x0804_9000), (0, 0)];
        let wide: Vec<u8> = entries
            .iter()
            .flat_map(|(kind, value): &(u64, u64)| [*kind, *value])
            .flat_map(u64::to_le_bytes)
            .collect();
        let narrow: Vec<u8> = wide.chunks_exact(8).flat_map(|word| word[..4].to_vec()).collect();
        assert!(has_64_bits(&wide));
        assert_eq!(value(&wide, ENTRY), Some(0x0804_9000));
        assert!(!has_64_bits(&narrow));
        assert!(!has_64_bits(&[]));
    }

    #[test]
    fn this_process_has_a_vector() {
        let pid = std::process::id();
        assert!(is_64_bit(pid).unwrap());
        assert!(entry(pid).unwrap() > 0);
        assert!(is_64_bit(u32::MAX).is_err());
    }
}
